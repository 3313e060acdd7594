//! Connections: accepted, served, cut.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::answer::{Body, Ending};
use super::proxy;
use super::state::State;

/// What is sent instead of an answer of hyper's, as bytes; nothing if none.
type Instead = Arc<Mutex<Vec<u8>>>;

/// Hyper is not to answer.
#[derive(Debug)]
struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the connection ends on demand")
    }
}

impl std::error::Error for NoAnswer {}

/// Accepts connections until the emulator ends.
pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    let tasks = TaskTracker::new();
    let mut reachable = state.reachable().subscribe();
    loop {
        let stream = tokio::select! {
            () = state.stop().cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
        };
        if *reachable.borrow_and_update() {
            // A peer that is gone already shows when the connection is read.
            let _ = stream.set_nodelay(true);
            tasks.spawn(connection(stream, Arc::clone(&state)));
        }
    }
    tasks.close();
    tasks.wait().await;
}

/// Serves a connection until it ends, or is cut.
async fn connection(stream: TcpStream, state: Arc<State>) {
    let mut reachable = state.reachable().subscribe();
    let stop = state.stop().clone();
    tokio::select! {
        () = stop.cancelled() => {}
        _ = reachable.wait_for(|is_reachable| !is_reachable) => {}
        () = requests(stream, state) => {}
    }
}

async fn requests(stream: TcpStream, state: Arc<State>) {
    let instead = Instead::default();
    let route = service_fn(|request| Box::pin(route(Arc::clone(&state), Arc::clone(&instead), request)));
    let mut builder = http1::Builder::new();
    // Parameters travel in headers.
    builder.max_buf_size(1024 * 1024).max_headers(256);
    let mut serving = builder.serve_connection(TokioIo::new(stream), route);
    let served = poll_fn(|context| serving.poll_without_shutdown(context)).await;
    let bytes = std::mem::take(&mut *instead.lock().unwrap_or_else(PoisonError::into_inner));
    if served.is_err() && !bytes.is_empty() {
        let mut stream = serving.into_parts().io.into_inner();
        // Clients that hang up are everyday life of a server.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
    }
}

async fn route(state: Arc<State>, instead: Instead, request: Request<Incoming>) -> Result<Response<Body>, NoAnswer> {
    let (head, body) = request.into_parts();
    let answer = proxy::answer(state, head, body).await;
    match answer.ending {
        Ending::Whole => Ok(answer.into_response()),
        Ending::Nothing => Err(NoAnswer),
        Ending::Truncated | Ending::Trailers(_) => {
            *instead.lock().unwrap_or_else(PoisonError::into_inner) = answer.into_bytes();
            Err(NoAnswer)
        }
    }
}
