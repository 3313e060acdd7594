//! `docs/reference/denials.md` says of each denial what clients are told.

use std::fmt::Write as _;
use std::fs;

use taskgate_core::denial::Denial;
use taskgate_core::reply::{Client, reply};

use super::place::{Checked, read, repository};

const BEGIN: &str = "<!-- generated from core/src/denial.rs and core/src/reply.rs -->";
const END: &str = "<!-- end of the generated part -->";

fn table() -> Checked<String> {
    let mut text =
        "| code | HTTP | gRPC | Retry-After | what it means and what to do |\n|---|---|---|---|---|\n".to_owned();
    for denial in Denial::ALL {
        let api = reply(denial, Client::Api);
        let grpc = reply(denial, Client::Grpc).grpc_status.ok_or("gRPC clients get no gRPC status")?;
        let retry = api.headers.iter().find(|(name, _)| *name == "retry-after").map_or("", |(_, value)| value);
        let body: serde_json::Value = serde_json::from_str(&api.body)?;
        let say = |key: &str| body.get(key).and_then(|text| text.as_str()).unwrap_or_default().to_owned();
        let (code, status, title, detail) = (denial.code(), api.status, say("title"), say("detail"));
        writeln!(text, "| `{code}` | {status} | {grpc} | {retry} | {title}. {detail} |")?;
    }
    Ok(text)
}

#[test]
fn the_page_says_what_lies_behind_each() -> Checked {
    let page = read(&repository()?.join("docs/reference/denials.md"))?;
    let (_, list) = page.split_once("## What lies behind each").ok_or("the page has no list")?;
    let said: Vec<&str> = list.lines().filter_map(|line| line.strip_prefix("- **`")?.split('`').next()).collect();
    let codes: Vec<&str> = Denial::ALL.iter().map(|denial| denial.code()).collect();
    assert_eq!(said, codes);
    for denial in Denial::ALL {
        let status = reply(denial, Client::Grpc).grpc_status.ok_or("gRPC clients get no gRPC status")?;
        assert!(page.contains(&format!(" {status} `")), "the page does not name the gRPC status {status}");
    }
    Ok(())
}

#[test]
fn the_page_has_the_table_that_the_code_makes() -> Checked {
    let path = repository()?.join("docs/reference/denials.md");
    let page = read(&path)?;
    let (before, rest) = page.split_once(BEGIN).ok_or("the page has no generated part")?;
    let (found, after) = rest.split_once(END).ok_or("the generated part does not end")?;
    let table = table()?;
    if std::env::var_os("TASKGATE_UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}\n{table}{END}{after}"))?;
        return Ok(());
    }
    assert_eq!(found.trim(), table.trim(), "run `make docs` to write the page anew");
    Ok(())
}
