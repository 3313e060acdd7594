//! One connection that asks again and again, and how long its answers took.
//!
//! It has a thread of its own, so that nothing else of the bench delays it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, setpriority_process};

/// Between two requests.
const REST: Duration = Duration::from_micros(100);
/// As much as a process may be preferred to others.
const FIRST: i32 = -20;

/// The connection.
#[derive(Debug)]
pub(super) struct Probe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Vec<Duration>>>,
}

/// What it saw.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    /// In milliseconds.
    pub(super) p50: f64,
    /// In milliseconds.
    pub(super) p99: f64,
    /// In milliseconds.
    pub(super) most: f64,
    pub(super) requests: usize,
}

impl Probe {
    /// Starts asking.
    pub(super) fn start(address: SocketAddr, request: Vec<u8>) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            hurry(None);
            let mut times = Vec::new();
            let mut buffer = vec![0; 16 << 10];
            while !ended.load(Ordering::SeqCst) {
                let start = Instant::now();
                stream.write_all(&request)?;
                // The answers of jobs and of the filter are far shorter than what is read at once.
                let read = stream.read(&mut buffer)?;
                ensure!(buffer.get(..read).is_some_and(|text| text.starts_with(b"HTTP/1.1 ")), "no answer");
                times.push(start.elapsed());
                std::thread::sleep(REST);
            }
            Ok(times)
        });
        Ok(Self { stop, thread })
    }

    /// Ends, and says what it saw.
    pub(super) fn end(self) -> anyhow::Result<Seen> {
        self.stop.store(true, Ordering::SeqCst);
        let mut times = self.thread.join().map_err(|_| anyhow::anyhow!("the probe broke"))??;
        times.sort_unstable();
        let at = |part: usize| times.get((times.len() * part / 1_000).min(times.len().saturating_sub(1)));
        let millis = |part| at(part).map(|time| time.as_secs_f64() * 1e3).context("no request");
        Ok(Seen { p50: millis(500)?, p99: millis(990)?, most: millis(1_000)?, requests: times.len() })
    }
}

/// Prefers a process, or the thread that calls, to whatever else the machine does, where that is allowed: the work of
/// others would count as standing still.
pub(super) fn hurry(process: Option<u32>) {
    let Some(process) = process else {
        let _ = setpriority_process(None, FIRST);
        return;
    };
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    for thread in threads {
        let id = thread.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
        let _ = setpriority_process(id, FIRST);
    }
}
