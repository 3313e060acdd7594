//! An address where connecting neither succeeds nor fails, as with a machine that vanished.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::bail;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long a connection on loopback takes at the very most.
const CONNECT: Duration = Duration::from_millis(300);

/// A listener whose queue is full: the system drops what else comes in, and clients time out.
#[derive(Debug)]
pub struct BlackHole {
    listener: TcpListener,
    /// What fills the queue.
    _connections: Vec<TcpStream>,
}

impl BlackHole {
    /// Opens one.
    ///
    /// # Errors
    /// No port is free, or the queue never fills.
    pub async fn open() -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut connections = Vec::new();
        while connections.len() < 16 {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(connected) => connections.push(connected?),
                Err(_) => return Ok(Self { listener, _connections: connections }),
            }
        }
        bail!("the queue of {address} takes every connection")
    }

    /// Where it is.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }
}
