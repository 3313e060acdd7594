//! Listening and serving HTTP/1.1 and HTTP/2 (prior knowledge), with bounds.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt as _;

use crate::lifecycle::Tasks;
use crate::lifecycle::address::Listen;

/// How long a request's header may take to arrive.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an HTTP/2 connection is tried.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// The most requests at a time of one HTTP/2 connection.
const MAX_STREAMS: u32 = 1_000;
/// The most connections of one listener: workers of many proxies, and room.
pub const MAX_CONNECTIONS: usize = 4_096;
/// How long to wait after the system refused a connection (out of descriptors).
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no listener.
#[derive(Debug, Error)]
#[error("can't listen on {listen}: {source}; is another process there? Change `{key}`")]
pub struct BindError {
    key: &'static str,
    listen: Listen,
    source: io::Error,
}

/// A listener that accepts already but serves nobody yet.
#[derive(Debug)]
pub struct Bound {
    socket: Socket,
    listen: Listen,
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Bound {
    /// Listens.
    ///
    /// # Errors
    /// [`BindError`].
    pub async fn bind(key: &'static str, listen: &Listen) -> Result<Self, BindError> {
        let failed = |source| BindError { key, listen: listen.clone(), source };
        match listen {
            Listen::Tcp(address) => {
                let socket = TcpListener::bind(address).await.map_err(failed)?;
                let listen = Listen::Tcp(socket.local_addr().map_err(failed)?);
                Ok(Self { socket: Socket::Tcp(socket), listen })
            }
            Listen::Unix { path, mode } => {
                remove_stale(path).await.map_err(failed)?;
                let socket = UnixListener::bind(path).map_err(failed)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(*mode)).map_err(failed)?;
                Ok(Self { socket: Socket::Unix(socket), listen: listen.clone() })
            }
        }
    }

    /// Where it listens, with the port that was picked.
    #[must_use]
    pub fn listen(&self) -> &Listen {
        &self.listen
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match &self.socket {
            Socket::Tcp(socket) => {
                let (stream, _) = socket.accept().await?;
                // Answers are small and someone waits for them.
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Socket::Unix(socket) => Ok(Box::new(socket.accept().await?.0)),
        }
    }

    /// Serves until the tasks are asked to end, then lets what is under way finish.
    pub async fn serve(self, router: Router, tasks: Tasks) {
        let graceful = GracefulShutdown::new();
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let next = async {
                let slot = Arc::clone(&slots).acquire_owned().await.map_err(io::Error::other)?;
                Ok::<_, io::Error>((slot, self.accept().await?))
            };
            let accepted = tokio::select! {
                accepted = next => accepted,
                () = tasks.stop().cancelled() => break,
            };
            match accepted {
                Ok((slot, stream)) => serve_connection(stream, slot, &router, &graceful, &tasks),
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        let listen = self.listen.clone();
        // From here on connecting fails, so that clients go elsewhere.
        drop(self);
        if let Listen::Unix { path, .. } = &listen {
            // Another process may have taken the path over; then there is nothing to clean up.
            let _ = std::fs::remove_file(path);
        }
        graceful.shutdown().await;
    }
}

fn serve_connection(
    stream: Box<dyn Stream>,
    slot: OwnedSemaphorePermit,
    router: &Router,
    graceful: &GracefulShutdown,
    tasks: &Tasks,
) {
    let service = router.clone().map_request(|request: Request<Incoming>| request.map(axum::body::Body::new));
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(PING_INTERVAL).max_concurrent_streams(MAX_STREAMS);
    let connection =
        builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned();
    let connection = graceful.watch(connection);
    tasks.spawn("connection", async move {
        if let Err(error) = connection.await {
            tracing::debug!(error, "a connection ended early");
        }
        drop(slot);
    });
}

/// Removes a socket that no process listens on any more. Anything else at the path stays.
async fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => match tokio::net::UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
            _ => Err(io::ErrorKind::AddrInUse.into()),
        },
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
