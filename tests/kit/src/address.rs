//! Addresses on loopback that nobody else takes.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::TcpSocket;

/// A loopback address with a free port, kept for one server.
///
/// It is bound but never listened on: the server can bind it, again after a restart too, connections are
/// refused while it doesn't, and the system gives the port to nobody else.
#[derive(Debug)]
pub struct ReservedAddress {
    address: SocketAddr,
    /// Held, not used.
    _socket: TcpSocket,
}

impl ReservedAddress {
    /// Reserves an address.
    ///
    /// # Errors
    /// No port is free.
    pub fn new() -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).context("no port is free")?;
        Ok(Self { address: socket.local_addr()?, _socket: socket })
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
