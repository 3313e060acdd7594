//! A TCP proxy that treats what passes as a bad network does: in the direction of whoever connected.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What becomes of the bytes of a connection. A change counts for connections that are open too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// They pass.
    Fair,
    /// They pass one by one.
    Drizzle,
    /// So many of a connection pass, then it breaks off.
    Cut(u64),
    /// So many of a connection pass, and no more for as long as this lasts.
    Frozen(u64),
    /// They pass, but for one bit of the byte after so many of a connection.
    Noise(u64),
}

/// The proxy. Dropping it ends it and its connections.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    connections: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl ChaosProxy {
    /// Opens one in front of that server.
    ///
    /// # Errors
    /// No port is free.
    pub async fn open(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let weather = watch::Sender::new(Weather::Fair);
        let connections: Arc<AtomicU64> = Arc::default();
        let (weathers, counter) = (weather.subscribe(), Arc::clone(&connections));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(carry(client, server, weathers.clone()));
            }
        });
        Ok(Self { address, weather, connections, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.weather.send_replace(Weather::Cut(0));
    }
}

async fn carry(client: TcpStream, server: SocketAddr, weather: watch::Receiver<Weather>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    // Bytes that are held back would pass together.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    // Either end is the end of both.
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        () = through(from_server, to_client, weather) => {}
    }
}

/// Carries what the server says.
async fn through(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut weather: watch::Receiver<Weather>) {
    let mut buffer = vec![0; 16 << 10];
    let mut passed = 0_u64;
    loop {
        let now = *weather.borrow_and_update();
        let room = match now {
            Weather::Cut(after) | Weather::Frozen(after) => after.saturating_sub(passed),
            Weather::Drizzle => 1,
            Weather::Fair | Weather::Noise(_) => u64::MAX,
        };
        if room == 0 {
            if matches!(now, Weather::Cut(_)) || weather.changed().await.is_err() {
                return;
            }
            continue;
        }
        let most = usize::try_from(room).unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..most) else { return };
        let read = tokio::select! {
            read = from.read(part) => read.unwrap_or_default(),
            changed = weather.changed() => if changed.is_ok() { continue } else { return },
        };
        let Some(part) = buffer.get_mut(..read).filter(|part| !part.is_empty()) else { return };
        if let Weather::Noise(at) = now
            && let Some(byte) = at.checked_sub(passed).and_then(|at| part.get_mut(usize::try_from(at).ok()?))
        {
            *byte ^= 1;
        }
        if to.write_all(part).await.is_err() {
            return;
        }
        passed = passed.saturating_add(read as u64);
    }
}
