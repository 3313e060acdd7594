//! A hundred thousand services arrive while requests run.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::ask::Ask;
use crate::support::load::Load;
use crate::support::service::{ALICE, BASE_DOMAIN, Service, host, id};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs, service, soon};

const SERVICES: usize = 100_000;
/// How long all of them may take to arrive on a busy machine.
const ARRIVAL: Duration = Duration::from_secs(150);
/// Services are spread over so many jobs, each of which says who it is in one letter.
const JOBS: usize = 4;
/// Connections that ask all services at the end, and how many requests each sends at a time.
const CONNECTIONS: usize = 8;
const AT_A_TIME: usize = 64;
const ANSWER_END: &[u8] = b"\r\n\r\n";

/// A job that is nothing but quick: one letter to every request.
async fn job(letter: u8) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let answer = [b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n".as_slice(), &[letter]].concat();
                let mut unread = Vec::new();
                while stream.read_buf(&mut unread).await.is_ok_and(|read| read > 0) {
                    while let Some(end) = find(&unread, ANSWER_END) {
                        unread.drain(..end);
                        if stream.write_all(&answer).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    Ok(address)
}

/// Where the first of these bytes ends.
fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what).map(|at| at + what.len())
}

/// Asks services one after the other; which letter each must answer is in its number.
async fn visit(to: SocketAddr, services: Vec<(usize, String)>) -> anyhow::Result<usize> {
    let mut stream = TcpStream::connect(to).await?;
    let mut unread = Vec::new();
    for part in services.chunks(AT_A_TIME) {
        let mut asked = String::new();
        for (_, id) in part {
            write!(asked, "GET / HTTP/1.1\r\nhost: {id}.{BASE_DOMAIN}\r\n\r\n")?;
        }
        stream.write_all(asked.as_bytes()).await?;
        for (number, id) in part {
            let wanted = letter(*number);
            let end = loop {
                if let Some(end) = find(&unread, ANSWER_END).filter(|end| unread.len() > *end) {
                    break end;
                }
                let read = soon("an answer", stream.read_buf(&mut unread)).await??;
                ensure!(read > 0, "the connection ended before service {id} answered");
            };
            let is_right = unread.starts_with(b"HTTP/1.1 200 ") && unread.get(end) == Some(&wanted);
            ensure!(is_right, "service {id}: {}", String::from_utf8_lossy(&unread));
            unread.drain(..=end);
        }
    }
    Ok(services.len())
}

fn letter(number: usize) -> u8 {
    b'a' + u8::try_from(number % JOBS).unwrap_or_default()
}

/// So many services of which no two want the same id, and the file that has them.
fn population(old: &Service, jobs: &[SocketAddr]) -> (String, Vec<(usize, String)>) {
    let old = service::file(std::slice::from_ref(old));
    let mut file = old.trim_end_matches("]}").to_owned();
    let mut seen = std::collections::HashSet::new();
    let mut services = Vec::with_capacity(SERVICES);
    for number in 0.. {
        let (task, address) = (format!("mass-{number}"), jobs[number % JOBS]);
        if services.len() == SERVICES {
            break;
        }
        let id = id(&task);
        if !seen.insert(id.clone()) {
            continue;
        }
        // Writing to a String can't fail.
        let _ = write!(
            file,
            ",{{\"operation\":\"{}\",\"task\":\"{task}\",\"service\":\"{}\",\"endpoints\":[\"{address}\"],\
             \"access\":\"public\"}}",
            service::OPERATION,
            service::NAME
        );
        services.push((number, id));
    }
    file.push_str("]}");
    (file, services)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_and_every_service_is_reached() -> Outcome {
    let web = jobs::http("A").await?;
    let mut masses = Vec::new();
    for number in 0..JOBS {
        masses.push(job(letter(number)).await?);
    }
    let old = Service::http("web").at(web.address());
    let setup = Setup::new([]).configure(|config| config["providers"][0]["file"]["path"] = "services.json".into());
    let home = setup.home()?;
    home.write("services.json", &service::file(std::slice::from_ref(&old)))?;
    let sidecar = home.start(&setup.config().to_string()).await?;
    let ingress = setup.start_envoy(sidecar.internal_address()).await?;
    ingress.wait_for_table().await?;

    let (file, services) = population(&old, &masses);
    let load = Load::start(ingress.address, 2, || Ask::get(&host("web"), "/").token(ALICE));
    load.reached(50).await?;
    let before = Instant::now();
    sidecar.home().write("services.json", &file)?;
    // They arrive in the order of their names.
    let last = services.iter().max_by_key(|(number, _)| format!("mass-{number}"));
    let (number, last) = last.context("services")?;
    let wanted = char::from(letter(*number)).to_string();
    let is_there = async || {
        let answer = ingress.send(Ask::get(&service::host_of(last), "/")).await;
        answer.is_ok_and(|answer| answer.is_ok() && answer.text() == wanted)
    };
    ingress.everywhere_within(ARRIVAL, "the last service", is_there).await?;
    let arrived = before.elapsed();

    let mut visitors = JoinSet::new();
    for place in 0..CONNECTIONS {
        let mine = services.iter().skip(place).step_by(CONNECTIONS).cloned().collect();
        visitors.spawn(visit(ingress.address, mine));
    }
    let mut reached = 0;
    while let Some(visited) = visitors.join_next().await {
        reached += visited??;
    }
    assert_eq!(reached, SERVICES);
    let tally = load.end().await?;
    assert_eq!(tally.failures(), [""; 0]);
    assert_eq!(tally.answered("hello from A\n"), tally.total(), "{tally:?}");
    eprintln!(
        "{SERVICES} services arrived in {arrived:?} and all answered after {:?}; {} requests meanwhile, slowest {:?}",
        before.elapsed(),
        tally.total(),
        tally.slowest(),
    );
    Ok(())
}
