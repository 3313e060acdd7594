//! A job that speaks raw TCP: it says its name to whoever connects, and says all back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::soon;

/// A job. Its connections end with it.
pub(super) struct Job {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// A connection to one.
pub(super) struct Caller {
    stream: TcpStream,
}

impl Job {
    /// One that is called by one letter.
    pub(super) async fn start(name: u8) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            let mut calls = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                calls.spawn(serve(stream, name));
            }
        });
        Ok(Self { address, connections, task })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, name: u8) {
    let mut buffer = vec![0; 4096];
    let mut said = stream.write_all(&[name]).await;
    while said.is_ok() {
        match stream.read(&mut buffer).await {
            Ok(length @ 1..) => said = stream.write_all(buffer.get(..length).unwrap_or_default()).await,
            Ok(0) | Err(_) => return,
        }
    }
}

impl Caller {
    /// Connects, and waits for the job to say its name.
    pub(super) async fn connect(to: SocketAddr) -> anyhow::Result<(Self, u8)> {
        let stream = soon("a connection", TcpStream::connect(to)).await??;
        stream.set_nodelay(true)?;
        let mut caller = Self { stream };
        let mut name = [0];
        soon("a job's name", caller.stream.read_exact(&mut name)).await?.context("no job")?;
        Ok((caller, name[0]))
    }

    /// Says something and hears it back.
    pub(super) async fn echo(&mut self, text: &str) -> anyhow::Result<()> {
        soon("the job to take bytes", self.stream.write_all(text.as_bytes())).await??;
        let mut heard = vec![0; text.len()];
        soon("the job to say it back", self.stream.read_exact(&mut heard)).await??;
        ensure!(heard == text.as_bytes(), "heard something else");
        Ok(())
    }

    /// Waits until the connection is over.
    pub(super) async fn ends(mut self) -> anyhow::Result<()> {
        let mut rest = Vec::new();
        // One that is reset is over as well.
        let _ = soon("the connection to end", self.stream.read_to_end(&mut rest)).await?;
        Ok(())
    }
}
