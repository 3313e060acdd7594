//! A job that speaks raw TCP, and who talks to it: threads of their own, so that nothing of the bench is in between.
//!
//! The first byte says what is wanted: everything said back, or bytes without end.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

const ECHO: u8 = b'e';
const FLOW: u8 = b'f';
/// How much is read and written at once.
const PIECE: usize = 128 * 1024;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts one. It ends with this process.
pub(super) fn start() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            // Who is gone does not care.
            std::thread::spawn(move || serve(stream).ok());
        }
    });
    Ok(address)
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut kind, mut buffer) = ([0], vec![0; PIECE]);
    stream.read_exact(&mut kind)?;
    loop {
        if kind == [FLOW] {
            stream.write_all(&buffer)?;
            continue;
        }
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(buffer.get(..length).unwrap_or_default())?;
    }
}

fn connect(to: SocketAddr, kind: u8) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&[kind])?;
    Ok(stream)
}

/// How many bytes come in a second.
#[expect(clippy::cast_precision_loss, reason = "a slice has fewer bytes than a float has steps")]
pub(super) fn throughput(to: SocketAddr, slice: Duration) -> anyhow::Result<f64> {
    let (mut stream, mut buffer) = (connect(to, FLOW)?, vec![0; PIECE]);
    stream.read_exact(&mut buffer).context("nothing flows")?;
    let (started, mut bytes) = (Instant::now(), 0_u64);
    while started.elapsed() < slice {
        let length = stream.read(&mut buffer)?;
        ensure!(length > 0, "the flow ended");
        bytes = bytes.saturating_add(u64::try_from(length)?);
    }
    Ok(bytes as f64 / started.elapsed().as_secs_f64())
}

/// How long it takes until what is said is heard back, in seconds: the median.
pub(super) fn latency(to: SocketAddr, slice: Duration) -> anyhow::Result<f64> {
    let (mut stream, mut message, mut took) = (connect(to, ECHO)?, [7; 64], Vec::new());
    // The first one waits for the way to be opened.
    stream.write_all(&message)?;
    stream.read_exact(&mut message).context("nothing comes back")?;
    let started = Instant::now();
    while started.elapsed() < slice {
        let said = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        took.push(said.elapsed().as_secs_f64());
    }
    Ok(crate::statistics::Spread::of(took).median)
}

/// Whether a job answers there.
pub(super) fn answers(to: SocketAddr) -> bool {
    let said = connect(to, ECHO).and_then(|mut stream| {
        stream.write_all(b"x")?;
        Ok(stream.read_exact(&mut [0])?)
    });
    said.is_ok()
}
