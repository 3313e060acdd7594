//! Ten thousand WebSockets with nothing to say, while the table changes ten times a second.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use taskgate_test_kit::JobProcess;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::ask::Ask;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, soon};

const SOCKETS: usize = 10_000;
/// Open files that Envoy needs beside two for each WebSocket.
const OTHER_FILES: usize = 500;
/// How often the table changes, and how often in a second.
const CHANGES: u16 = 50;
const PERIOD: Duration = Duration::from_millis(100);
/// How many clients connect at one time.
const AT_ONCE: usize = 100;

/// A WebSocket that was opened; to which of the two services.
struct Socket {
    stream: TcpStream,
    service: usize,
}

async fn open(to: SocketAddr, service: usize) -> anyhow::Result<Socket> {
    let mut stream = TcpStream::connect(to).await?;
    let request = format!(
        "GET /ws HTTP/1.1\r\nhost: {}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nauthorization: Bearer {ALICE}\r\n\r\n",
        host(&format!("ws-{service}"))
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::with_capacity(1_024);
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(soon("a handshake", stream.read_buf(&mut head)).await?? > 0, "closed instead of a handshake");
    }
    ensure!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    Ok(Socket { stream, service })
}

impl Socket {
    /// Says a word; the job must answer with its name in front.
    async fn say(&mut self) -> Outcome {
        // Masked with zeros, as a client may.
        self.stream.write_all(&[0x81, 0x80 | 2, 0, 0, 0, 0, b'h', b'i']).await?;
        let wanted = format!("W{}: hi", self.service);
        let mut heard = vec![0; wanted.len() + 2];
        soon("an answer", self.stream.read_exact(&mut heard)).await?.context("the WebSocket was dropped")?;
        let heard = String::from_utf8_lossy(heard.get(2..).unwrap_or_default()).into_owned();
        ensure!(heard == wanted, "service {} answered {heard}", self.service);
        Ok(())
    }
}

/// How many files a process may have open at the most.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(usize::MAX)
}

/// Seconds of CPU that a process has used.
fn cpu(process: u32) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = text.rsplit_once(')').context("/proc/PID/stat")?;
    let ticks: u32 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(f64::from(ticks) / 100.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_is_dropped_and_none_hears_another() -> Outcome {
    let jobs = [JobProcess::start("websocket", "W0").await?, JobProcess::start("websocket", "W1").await?];
    let services = |change: u16| {
        let elsewhere = SocketAddr::from(([127, 0, 0, 9], 10_000 + change));
        let sockets = jobs
            .iter()
            .enumerate()
            .map(move |(number, job)| Service::websocket(&format!("ws-{number}")).at(job.address()).reserve(elsewhere));
        sockets.chain([Service::http(&format!("change-{change}")).at(elsewhere)]).collect::<Vec<_>>()
    };
    let gateway = Setup::new(services(0)).start().await?;
    let (envoy, address) = (&gateway.ingress.envoy, gateway.ingress.address);
    let wanted = SOCKETS.min(open_files().saturating_sub(OTHER_FILES) / 2);
    if wanted < SOCKETS {
        eprintln!("ONLY {wanted} WebSockets instead of {SOCKETS}: a process may have {} files open", open_files());
    }
    let before = envoy.memory().await?.resident;
    let started = Instant::now();
    let mut sockets = Vec::with_capacity(wanted);
    let mut opening = JoinSet::new();
    for number in 0..wanted {
        if opening.len() >= AT_ONCE {
            sockets.push(opening.join_next().await.context("a handshake")???);
        }
        opening.spawn(open(address, number % jobs.len()));
    }
    while let Some(opened) = opening.join_next().await {
        sockets.push(opened??);
    }
    let (opened, idle) = (started.elapsed(), envoy.memory().await?.resident);

    let (cpu_before, changes) = (cpu(envoy.id())?, Instant::now());
    let mut pace = tokio::time::interval(PERIOD);
    for change in 1..=CHANGES {
        pace.tick().await;
        gateway.publish(&services(change))?;
    }
    let last = format!("change-{CHANGES}");
    let old = || Ask::get(&host("change-0"), "/").token(ALICE);
    gateway.ingress.answers("the first table to be gone", old, |answer| answer.status == 404).await?;
    // It leads nowhere, but it is known.
    let new = || Ask::get(&host(&last), "/").token(ALICE);
    gateway.ingress.answers("the last table", new, |answer| answer.status != 404).await?;
    let used = (cpu(envoy.id())? - cpu_before) / changes.elapsed().as_secs_f64();

    for socket in &mut sockets {
        socket.say().await?;
    }
    let mib = |bytes: u64| bytes >> 20;
    eprintln!(
        "{} WebSockets, opened in {opened:?}: Envoy takes {} MiB, {} more than without, and {:.0} % of a CPU while \
         the table changes every {PERIOD:?}",
        sockets.len(),
        mib(idle),
        mib(idle.saturating_sub(before)),
        used * 100.0,
    );
    Ok(())
}
