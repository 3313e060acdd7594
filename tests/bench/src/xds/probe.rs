//! One connection that asks again and again, on a thread of its own, and the longest that it waited.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};

/// Between two requests.
const REST: Duration = Duration::from_millis(1);

/// The connection.
#[derive(Debug)]
pub(super) struct Probe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Duration>>,
}

impl Probe {
    /// Begins.
    pub(super) fn start(address: SocketAddr, request: Vec<u8>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        Self { stop, thread: std::thread::spawn(move || ask(address, &request, &stopped)) }
    }

    /// Ends; the longest that it waited for an answer.
    pub(super) fn end(self) -> anyhow::Result<Duration> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().map_err(|_| anyhow!("the probe broke"))?
    }
}

fn ask(address: SocketAddr, request: &[u8], stop: &AtomicBool) -> anyhow::Result<Duration> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut longest = Duration::ZERO;
    let mut answer = [0; 4096];
    while !stop.load(Ordering::SeqCst) {
        let asked = Instant::now();
        stream.write_all(request)?;
        let length = stream.read(&mut answer)?;
        longest = longest.max(asked.elapsed());
        let answer = answer.get(..length).unwrap_or_default();
        ensure!(answer.starts_with(b"HTTP/1.1 200 "), "answered {}", String::from_utf8_lossy(answer));
        std::thread::sleep(REST);
    }
    Ok(longest)
}
