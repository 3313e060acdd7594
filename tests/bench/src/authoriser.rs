//! An external authoriser, as small as it can be: a table of tokens, asked over gRPC or HTTP.
//!
//! It does the least that the way of the original takes, so what is measured is that way itself and not
//! an authoriser. It does not look at the service.

mod grpc;
mod http;
mod message;

use std::collections::HashMap;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;

use ::http::{Request, Response};
use anyhow::Context as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;

use crate::catalogue::{ACTOR, token};
use crate::child;

/// Who holds which token.
#[derive(Debug)]
struct Tokens(HashMap<String, String>);

impl Tokens {
    /// Who holds the token of that `authorization` header.
    fn holder(&self, authorization: Option<&str>) -> Option<&str> {
        self.0.get(authorization?.strip_prefix("Bearer ")?).map(String::as_str)
    }
}

/// Serves until standard input ends. It prints two addresses: gRPC's, then HTTP's.
pub(crate) async fn run(tokens: usize) -> anyhow::Result<()> {
    let tokens = Arc::new(Tokens((0..tokens).map(|number| (token(number), ACTOR.to_owned())).collect()));
    let grpc = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("can't listen")?;
    let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("can't listen")?;
    let addresses = [grpc.local_addr()?, http.local_addr()?];
    tokio::spawn(serve(grpc, Arc::clone(&tokens), grpc::check));
    tokio::spawn(serve(http, tokens, http::check));
    child::serve(&addresses).await
}

/// Answers every request with `check`.
async fn serve<F, B>(listener: TcpListener, tokens: Arc<Tokens>, check: fn(Arc<Tokens>, Request<Incoming>) -> F)
where
    F: Future<Output = Response<B>> + Send + 'static,
    B: hyper::body::Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>, Data: Send> + Send + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let tokens = Arc::clone(&tokens);
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let answer = check(Arc::clone(&tokens), request);
                async move { Ok::<_, std::convert::Infallible>(answer.await) }
            });
            // Clients that hang up are everyday life of a server.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}
