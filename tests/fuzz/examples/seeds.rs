//! Writes seeds for every target, made from the case corpus: `cargo run --example seeds`. (Not a
//! binary: those are built with what only a fuzz target can be linked with.)

use std::fs;
use std::path::Path;

use taskgate_fuzz::{IDS, session};
use taskgate_suite::Corpus;
use taskgate_suite::case::Expect;
use taskgate_suite::script::{Answer, Event, Exchange, Script};

fn main() -> Result<(), String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let corpus = Corpus::load()?;
    let mut count = 0;
    let mut write = |target: &str, name: &str, bytes: &[u8]| {
        count += 1;
        let directory = directory.join(target);
        let written = fs::create_dir_all(&directory).and_then(|()| fs::write(directory.join(name), bytes));
        written.map_err(|error| format!("{}: {error}", directory.display()))
    };
    for script in corpus.scripts()? {
        write("gate", &script.name, &events(&script))?;
        for (nth, event) in script.events.iter().enumerate() {
            if let Event::Feed(page) = event {
                write("feed", &format!("{}-{nth}", script.name), page)?;
            }
        }
        for (nth, exchange) in script.exchanges().enumerate() {
            let name = format!("{}-{nth}", script.name);
            write("address", &name, &request(exchange))?;
            let cookies: Vec<&[u8]> = values(exchange, "cookie");
            if !cookies.is_empty() {
                write("cookie", &name, &cookies.join(&b'\n'))?;
            }
            if let Some(Answer::Http { body, .. }) = &exchange.answer {
                write("feed", &format!("{name}-answer"), body)?;
            }
            if let Some(query) = &exchange.asked {
                write("feed", &format!("{name}-question"), &query.encode())?;
            }
        }
    }
    for id in IDS {
        write("token", id, session(id).as_bytes())?;
    }
    println!("{count} seeds in {}", directory.display());
    Ok(())
}

fn values<'e>(exchange: &'e Exchange, name: &str) -> Vec<&'e [u8]> {
    let named = exchange.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
    named.map(|(_, value)| value.as_slice()).collect()
}

fn request(exchange: &Exchange) -> Vec<u8> {
    let line = |(name, value): &(Vec<u8>, Vec<u8>)| [name, &b": "[..], value].concat();
    exchange.headers.iter().map(line).collect::<Vec<_>>().join(&b'\n')
}

/// A script in the text form of `taskgate_fuzz::Events`. Its pages become any change of the table.
fn events(script: &Script) -> Vec<u8> {
    let mut text = Vec::new();
    for event in &script.events {
        match event {
            Event::Advance(duration) => text.extend(format!("+{}\n", duration.as_millis()).into_bytes()),
            Event::Fails(_) | Event::Look(_) => {}
            Event::Feed(page) => text.extend(format!("#{}\n", page.len() % 42).into_bytes()),
            Event::Request(exchange) => {
                let answer = match (&exchange.answer, &exchange.expect) {
                    (Some(Answer::Http { status: 200, .. }), Expect::Permit(_) | Expect::Redirect(_)) => "!a\n",
                    (Some(Answer::Http { status: 200, .. }), Expect::Refuse(_)) => "!d\n",
                    _ => "!u\n",
                };
                text.extend(answer.bytes());
                text.extend(request(exchange));
                text.extend(b"\n\n");
            }
        }
    }
    text
}
