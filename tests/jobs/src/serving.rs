//! Serves requests on one connection until it ends or the job stops.

use std::error::Error;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;

use crate::connection::Connection;
use crate::job::Scope;

/// What a job speaks. It speaks nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    /// HTTP/1.1, upgrades included.
    Http1,
    /// HTTP/2 without TLS.
    Http2,
}

/// Answers every request of the connection with `route`.
pub(crate) async fn serve<R, F, B, E>(protocol: Protocol, connection: Connection, scope: Scope, route: R)
where
    R: Fn(Scope, Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let builder = match protocol {
        Protocol::Http1 => Builder::new(TokioExecutor::new()).http1_only(),
        Protocol::Http2 => Builder::new(TokioExecutor::new()).http2_only(),
    };
    let requests = scope.clone();
    let service = service_fn(move |request| route(requests.clone(), request));
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(connection), service);
    let mut serving = std::pin::pin!(serving);
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = scope.stopping() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    // Clients that hang up are everyday life of a server.
    drop(served);
}
