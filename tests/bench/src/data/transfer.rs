//! Files that go to a server and come back, by a client that costs as little as it can.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::data::arguments::Options;
use crate::data::stage::{LocalSidecar, Stage};
use crate::memory::high_water;
use crate::screen;

/// How much is written and read at a time.
const PIECE: usize = 256 << 10;
/// The longest head of an answer.
const MAX_HEAD: usize = 16 << 10;

/// How fast both were in one round, in MiB a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) upload: f64,
    pub(super) durable_upload: f64,
    pub(super) nginx_upload: f64,
    pub(super) download: f64,
    pub(super) nginx_download: f64,
}

/// What a large file took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Large {
    pub(super) upload: f64,
    pub(super) download: f64,
    /// The most memory that the sidecar has had, in MiB.
    pub(super) peak: f64,
    /// Before the file.
    pub(super) before: f64,
}

/// A file goes to each in turns.
pub(super) async fn rounds(stage: &Stage, options: &Options) -> anyhow::Result<Vec<Round>> {
    let size = u64::from(options.mebibytes()) << 20;
    let mut rounds = Vec::new();
    for number in 0..options.rounds() {
        let name = format!("r{number}");
        let (place, uri) = stage.store.place(&name).await?;
        let (durable, _) = stage.durable.place(&name).await?;
        let file = format!("/{name}");
        let nginx = stage.nginx.address();
        // Who goes first changes from round to round.
        let (upload, nginx_upload) = if number % 2 == 0 {
            let ours = put(stage.store.address(), &place, size).await?;
            (ours, put(nginx, &file, size).await?)
        } else {
            let theirs = put(nginx, &file, size).await?;
            (put(stage.store.address(), &place, size).await?, theirs)
        };
        let durable_upload = put(stage.durable.address(), &durable, size).await?;
        let link = stage.store.link(&uri).await?;
        let (download, nginx_download) = if number % 2 == 0 {
            let ours = get(stage.store.address(), &link, size).await?;
            (ours, get(nginx, &file, size).await?)
        } else {
            let theirs = get(nginx, &file, size).await?;
            (get(stage.store.address(), &link, size).await?, theirs)
        };
        for (folder, name) in [
            (stage.store.folder(), format!("objects/uploads/p/d/bench/{name}")),
            (stage.durable.folder(), format!("objects/uploads/p/d/bench/{name}")),
            (stage.nginx.directory().join("files"), name),
        ] {
            remove(&folder.join(name))?;
        }
        let rate = |took: Duration| f64::from(options.mebibytes()) / took.as_secs_f64();
        let round = Round {
            upload: rate(upload),
            durable_upload: rate(durable_upload),
            nginx_upload: rate(nginx_upload),
            download: rate(download),
            nginx_download: rate(nginx_download),
        };
        screen::line(&format!(
            "MiB/s: upload {:.0}, on the disk {:.0}, nginx {:.0}; download {:.0}, nginx {:.0}",
            round.upload, round.durable_upload, round.nginx_upload, round.download, round.nginx_download
        ));
        rounds.push(round);
    }
    Ok(rounds)
}

/// A large file goes to a sidecar of its own and back.
pub(super) async fn large(options: &Options) -> anyhow::Result<Large> {
    let sidecar = LocalSidecar::start(false).await?;
    let mebibytes = options.large_mebibytes();
    let size = u64::from(mebibytes) << 20;
    let held = || high_water(sidecar.id()).context("the sidecar is gone");
    let (place, uri) = sidecar.place("large").await?;
    let before = held()?;
    let upload = put(sidecar.address(), &place, size).await?;
    let link = sidecar.link(&uri).await?;
    let download = get(sidecar.address(), &link, size).await?;
    let rate = |took: Duration| f64::from(mebibytes) / took.as_secs_f64();
    Ok(Large { upload: rate(upload), download: rate(download), peak: held()?, before })
}

/// Puts a file of that many bytes; how long that took.
async fn put(address: SocketAddr, path: &str, size: u64) -> anyhow::Result<Duration> {
    let piece = vec![0x5a; PIECE];
    let mut stream = TcpStream::connect(address).await?;
    let started = Instant::now();
    let head = format!("PUT {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut left = size;
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        stream.write_all(&piece[..length]).await?;
        left -= u64::try_from(length)?;
    }
    let (head, _) = answer(&mut stream).await?;
    ensure!(head.starts_with("HTTP/1.1 20"), "an upload was answered {}", head.lines().next().unwrap_or_default());
    Ok(started.elapsed())
}

/// Gets a file of that many bytes; how long that took.
async fn get(address: SocketAddr, path: &str, size: u64) -> anyhow::Result<Duration> {
    let mut stream = TcpStream::connect(address).await?;
    let started = Instant::now();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let (head, mut received) = answer(&mut stream).await?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "a download was answered {}", head.lines().next().unwrap_or_default());
    let mut piece = vec![0; PIECE];
    loop {
        match stream.read(&mut piece).await? {
            0 => break,
            length => received += u64::try_from(length)?,
        }
    }
    ensure!(received == size, "{received} bytes came of {size}");
    Ok(started.elapsed())
}

/// The head of an answer, and how many bytes of its body came with it.
async fn answer(stream: &mut TcpStream) -> anyhow::Result<(String, u64)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            let body = u64::try_from(bytes.len() - end - 4)?;
            return Ok((String::from_utf8_lossy(&bytes[..end]).into_owned(), body));
        }
        ensure!(bytes.len() < MAX_HEAD, "an answer without an end of its head");
        ensure!(stream.read_buf(&mut bytes).await? > 0, "no answer");
    }
}

fn remove(path: &Path) -> anyhow::Result<()> {
    std::fs::remove_file(path).with_context(|| path.display().to_string())
}
