//! A server that the test directs: it sees each request arrive and answers it when and as it likes.
//!
//! It stands in for jobs that must do something at one certain moment, and for the platform that
//! verdicts come from.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::soon;
use super::wire::{Head, Wire};

/// The server.
#[derive(Debug)]
pub(crate) struct Stage {
    address: SocketAddr,
    visits: mpsc::UnboundedReceiver<Visit>,
    seen: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

/// One request, whose body is not read yet; the first of its connection.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) head: Head,
    pub(crate) wire: Wire,
}

impl Stage {
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (sender, visits) = mpsc::unbounded_channel();
        let seen = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, counter) = (sender.clone(), Arc::clone(&counter));
                tokio::spawn(async move {
                    let mut wire = Wire::new(stream);
                    if let Ok(head) = wire.read_head().await {
                        counter.fetch_add(1, Ordering::SeqCst);
                        // A test that has ended looks at nothing any more.
                        let _ = sender.send(Visit { head, wire });
                    }
                });
            }
        });
        Ok(Self { address, visits, seen, accepting })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Visit> {
        soon("a request", self.visits.recv()).await?.context("the stage is closed")
    }

    /// How many requests came so far.
    pub(crate) fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    /// Answers every request from now on in the same way.
    pub(crate) fn always<F>(mut self, act: impl Fn(Visit) -> F + Send + 'static) -> Always
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (address, seen, accepting) = (self.address, Arc::clone(&self.seen), self.accepting);
        let acting = tokio::spawn(async move {
            while let Some(visit) = self.visits.recv().await {
                tokio::spawn(act(visit));
            }
        });
        Always { address, seen, _accepting: accepting, _acting: acting }
    }
}

/// A stage that answers by itself.
#[derive(Debug)]
pub(crate) struct Always {
    address: SocketAddr,
    seen: Arc<AtomicUsize>,
    _accepting: JoinHandle<()>,
    _acting: JoinHandle<()>,
}

impl Always {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests came so far.
    pub(crate) fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

impl Visit {
    /// Answers with a whole response and ends the connection.
    pub(crate) async fn answer(mut self, status: &str, headers: &str, body: &str) -> anyhow::Result<()> {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
        self.wire.write([head.as_bytes(), body.as_bytes()].concat()).await
    }

    /// Answers as a platform does that knows the credential.
    pub(crate) async fn identify(self, actor: &str) -> anyhow::Result<()> {
        let body = serde_json::json!({ "actor": actor }).to_string();
        self.answer("200 OK", "content-type: application/json\r\n", &body).await
    }

    /// Begins a chunked response.
    pub(crate) async fn begin(&mut self, content_type: &str) -> anyhow::Result<()> {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n");
        self.wire.write(head).await
    }
}
