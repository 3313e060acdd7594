//! What all jobs have in common: accepting, counting, stopping and dying.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::connection::{Connection, ResetSwitch};

/// How long requests that are under way may take when a job is stopped.
const GRACE: Duration = Duration::from_secs(5);

/// How a job presents itself.
#[derive(Clone, Debug)]
pub struct JobOptions {
    /// What it calls itself in its answers.
    pub name: String,
}

/// A running job. Dropping it kills it.
#[derive(Debug)]
pub struct JobHandle {
    address: SocketAddr,
    counters: Arc<Counters>,
    phase: watch::Sender<Phase>,
    tasks: TaskTracker,
}

/// What a job has seen.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    connections: AtomicU64,
    requests: AtomicU64,
    posts: AtomicU64,
}

/// Where a job is in its life; it only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Phase {
    Running,
    Stopping,
    Killed,
}

/// What a connection knows of the job it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The job's name.
    pub(crate) name: Arc<str>,
    /// What it has seen.
    pub(crate) counters: Arc<Counters>,
    phase: watch::Receiver<Phase>,
    tasks: TaskTracker,
    reset: ResetSwitch,
}

/// A listener on that address; port 0 picks a free one.
///
/// # Errors
/// The address can't be bound.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Accepts connections and runs `serve` on each.
pub(crate) fn start<S, F>(listener: TcpListener, options: JobOptions, serve: S) -> io::Result<JobHandle>
where
    S: Fn(Connection, Scope) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let address = listener.local_addr()?;
    let (phase, phases) = watch::channel(Phase::Running);
    let handle = JobHandle { address, counters: Arc::default(), phase, tasks: TaskTracker::new() };
    let name: Arc<str> = options.name.into();
    let counters = Arc::clone(&handle.counters);
    let tasks = handle.tasks.clone();
    handle.tasks.spawn(async move {
        let mut stopping = phases.clone();
        loop {
            let stream = tokio::select! {
                () = reached(&mut stopping, Phase::Stopping) => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(_) => continue,
                },
            };
            counters.connections.fetch_add(1, Ordering::Relaxed);
            let (connection, reset) = prepare(stream);
            let scope = Scope {
                name: Arc::clone(&name),
                counters: Arc::clone(&counters),
                phase: phases.clone(),
                tasks: tasks.clone(),
                reset,
            };
            scope.clone().spawn(serve(connection, scope));
        }
    });
    Ok(handle)
}

fn prepare(stream: TcpStream) -> (Connection, ResetSwitch) {
    // A peer that is gone already shows when the connection is read.
    let _ = stream.set_nodelay(true);
    let connection = Connection::new(stream);
    let reset = connection.reset_switch();
    (connection, reset)
}

/// Waits for that phase. A job whose handle is gone counts as killed.
async fn reached(phases: &mut watch::Receiver<Phase>, phase: Phase) {
    let _ = phases.wait_for(|current| *current >= phase).await;
}

// === impl JobHandle ===

impl JobHandle {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.counters.connections.load(Ordering::Relaxed)
    }

    /// How many requests it saw.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.counters.requests.load(Ordering::Relaxed)
    }

    /// How many of them were POSTs.
    #[must_use]
    pub fn posts(&self) -> u64 {
        self.counters.posts.load(Ordering::Relaxed)
    }

    /// Stops accepting, lets requests that are under way finish, then ends. What is not done in 5
    /// seconds is cut off.
    pub async fn stop(self) {
        self.phase.send_replace(Phase::Stopping);
        self.tasks.close();
        if tokio::time::timeout(GRACE, self.tasks.wait()).await.is_err() {
            self.kill().await;
        }
    }

    /// Ends as a killed process does: the port closes and every connection is reset.
    pub async fn kill(self) {
        self.phase.send_replace(Phase::Killed);
        self.tasks.close();
        self.tasks.wait().await;
    }
}

// === impl Counters ===

impl Counters {
    /// Counts one request.
    pub(crate) fn count(&self, method: &http::Method) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if method == http::Method::POST {
            self.posts.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Connections, requests, POSTs.
    pub(crate) fn totals(&self) -> [u64; 3] {
        [&self.connections, &self.requests, &self.posts].map(|counter| counter.load(Ordering::Relaxed))
    }
}

// === impl Scope ===

impl Scope {
    /// Runs a part of the connection until it is done or the job is killed.
    pub(crate) fn spawn(&self, part: impl Future<Output = ()> + Send + 'static) {
        let mut phases = self.phase.clone();
        let reset = self.reset.clone();
        self.tasks.spawn(async move {
            let mut part = Box::pin(part);
            tokio::select! {
                biased;
                () = reached(&mut phases, Phase::Killed) => reset.turn_on(),
                () = &mut part => {}
            }
        });
    }

    /// Waits until the job is to stop.
    pub(crate) async fn stopping(&self) {
        reached(&mut self.phase.clone(), Phase::Stopping).await;
    }

    /// The connection will end in a reset.
    pub(crate) fn reset_connection(&self) {
        self.reset.turn_on();
    }
}
