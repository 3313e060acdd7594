//! A job that speaks raw TCP: it greets whoever connects, or waits to be spoken to, and says all back.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What it says first, where it does.
pub(super) const GREETING: &[u8] = b"220 hello\n";

#[derive(Debug)]
pub(super) struct TcpJob {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl TcpJob {
    /// One that greets, as SSH does; or does not, as a database.
    pub(super) async fn start(greets: bool) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let connections: Arc<AtomicUsize> = Arc::default();
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, greets));
            }
        });
        Ok(Self { address, connections, task })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many have reached it.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for TcpJob {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, greets: bool) -> std::io::Result<()> {
    if greets {
        stream.write_all(GREETING).await?;
    }
    let mut bytes = vec![0; 65_536];
    loop {
        let count = stream.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(bytes.get(..count).unwrap_or_default()).await?;
    }
}
