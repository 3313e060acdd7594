//! Reaching a job of a service: by weight, and the next one where one does not answer.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use taskgate_core::candidate::{self, Demotions};
use taskgate_core::service::Endpoint;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::clock::SharedClock;

/// The most jobs that are tried for one tunnel.
const MAX_TRIED: usize = 6;
/// For how long a job that did not answer comes last.
const DEMOTED: Duration = Duration::from_secs(10);
/// How a machine that is gone is found out where nothing is said: after two minutes, as in Envoy's clusters. There is no
/// bound on how long bytes may wait (`TCP_USER_TIMEOUT`): that would end jobs that only take nothing for a while.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15)).with_retries(4);

/// Reaches jobs, and remembers for a while which did not answer.
#[derive(Debug)]
pub struct Dialler {
    clock: SharedClock,
    patience: Duration,
    demotions: Mutex<Demotions>,
    turn: AtomicU64,
}

/// No job was reached.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// There is none.
    #[error("the service has no running job")]
    NoJob,
    /// None answered; this is what the last one said.
    #[error("no job of the service takes connections: {0}")]
    NoAnswer(io::Error),
}

impl Dialler {
    /// Waits that long for each job.
    #[must_use]
    pub fn new(clock: SharedClock, patience: Duration) -> Self {
        Self { clock, patience, demotions: Mutex::new(Demotions::new(DEMOTED)), turn: AtomicU64::new(0) }
    }

    /// Connects to one of the jobs.
    ///
    /// # Errors
    /// [`Unreachable`].
    pub async fn dial(&self, endpoints: &[Endpoint]) -> Result<(TcpStream, SocketAddr), Unreachable> {
        let mut last = None;
        for address in self.order(endpoints) {
            let connected = match timeout(self.patience, TcpStream::connect(address)).await {
                Ok(connected) => connected,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
            match connected.and_then(ready) {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => {
                    let now = self.clock.now();
                    self.demotions.lock().unwrap_or_else(PoisonError::into_inner).add(address, now);
                    last = Some(error);
                }
            }
        }
        Err(last.map_or(Unreachable::NoJob, Unreachable::NoAnswer))
    }

    /// The jobs in the order in which they are tried.
    fn order(&self, endpoints: &[Endpoint]) -> Vec<SocketAddr> {
        let (now, turn) = (self.clock.now(), self.turn.fetch_add(1, Ordering::Relaxed));
        let demotions = self.demotions.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen = candidate::choose(endpoints, turn, |address| demotions.has(address, now));
        let others = endpoints.iter().map(|endpoint| endpoint.address);
        let mut order: Vec<SocketAddr> = Vec::new();
        for address in chosen.into_iter().flatten().chain(others) {
            if order.len() < MAX_TRIED && !order.contains(&address) {
                order.push(address);
            }
        }
        order
    }
}

/// The connection as a tunnel needs it.
fn ready(stream: TcpStream) -> io::Result<TcpStream> {
    // Whoever types waits for each letter.
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::TcpListener;

    use super::*;
    use crate::clock::SystemClock;

    fn endpoint(address: SocketAddr) -> Endpoint {
        Endpoint { address, weight: 1 }
    }

    #[tokio::test]
    async fn goes_on_to_the_next_job_and_tries_the_dead_one_last() {
        let dead = TcpListener::bind("127.0.0.1:0").await.expect("listens").local_addr().expect("an address");
        let alive = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let address = alive.local_addr().expect("an address");
        let dialler = Dialler::new(Arc::new(SystemClock), Duration::from_secs(5));
        let both = [endpoint(dead), endpoint(address)];
        for _ in 0..3 {
            assert_eq!(dialler.dial(&both).await.expect("reaches one").1, address);
        }
        assert_eq!(dialler.order(&both), [address, dead]);
        assert!(matches!(dialler.dial(&[endpoint(dead)]).await, Err(Unreachable::NoAnswer(_))));
        assert!(matches!(dialler.dial(&[]).await, Err(Unreachable::NoJob)));
    }

    #[tokio::test]
    async fn a_machine_that_is_gone_is_found_out_where_nothing_is_said() {
        let job = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let job = endpoint(job.local_addr().expect("an address"));
        let dialler = Dialler::new(Arc::new(SystemClock), Duration::from_secs(5));
        let (stream, _) = dialler.dial(&[job]).await.expect("reaches it");
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("an option") && socket.tcp_nodelay().expect("an option"));
        let every = (socket.tcp_keepalive_time(), socket.tcp_keepalive_interval(), socket.tcp_keepalive_retries());
        let (time, interval) = (every.0.expect("an option"), every.1.expect("an option"));
        let retries = every.2.expect("an option");
        assert!(time + interval * retries <= Duration::from_secs(120), "{time:?} {interval:?} {retries}");
    }
}
