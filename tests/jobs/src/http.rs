//! An HTTP/1.1 job that says who it is and what it received.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | `hello from NAME` |
//! | `/headers` | the request's headers: JSON, an array of `[name, value]`, each byte of a value one character |
//! | `/echo` | the body that was sent |
//! | `/digest` | SHA-256 and length of the body that was sent |
//! | `/sse?events=N&every_ms=M` | N server-sent events, M milliseconds apart |
//! | `/stream?bytes=N` | N bytes |
//! | `/slow?ms=N` | `hello`, after N milliseconds |
//! | `/status/N` | that status |
//! | `/close`, `/reset` | none: the request is read whole, then the connection closed, or reset |
//! | `/count` | connections, requests and POSTs so far, itself left out |
//! | any other | JSON: name, method, target as it came, headers |

mod answer;

use std::io;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::net::TcpListener;

use crate::job::{self, JobHandle, JobOptions, Scope};
use crate::reply::{self, Body, text};
use crate::serving::{self, Protocol};

/// The connection ends without an answer.
#[derive(Debug)]
struct NoAnswer;

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the request asked for no answer")
    }
}

impl std::error::Error for NoAnswer {}

/// Runs the job on that listener.
///
/// # Errors
/// The listener has no address.
pub fn serve(listener: TcpListener, options: JobOptions) -> io::Result<JobHandle> {
    job::start(listener, options, |connection, scope| serving::serve(Protocol::Http1, connection, scope, route))
}

async fn route(scope: Scope, request: Request<Incoming>) -> Result<Response<Body>, NoAnswer> {
    let path = request.uri().path().to_owned();
    if path != "/count" {
        scope.counters.count(request.method());
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let number = |name: &str| parameter(&query, name);
    Ok(match path.as_str() {
        "/" => text(StatusCode::OK, format!("hello from {}\n", scope.name)),
        "/headers" => reply::value(&reply::header_pairs(request.headers())),
        "/echo" => answer::echo(request),
        "/digest" => answer::digest(request).await.map_err(|_| NoAnswer)?,
        "/sse" => answer::events(&scope, number("events").unwrap_or(3), number("every_ms").unwrap_or(100)),
        "/stream" => answer::bytes(number("bytes").unwrap_or(1024)),
        "/slow" => answer::slow(&scope, number("ms").unwrap_or(100)).await,
        "/count" => answer::count(&scope),
        "/close" | "/reset" => return Err(no_answer(&scope, request, path == "/reset").await),
        other => match other.strip_prefix("/status/").map(str::parse::<StatusCode>) {
            Some(Ok(status)) => text(status, format!("{status}\n")),
            Some(Err(_)) => text(StatusCode::BAD_REQUEST, "that is no status\n".to_owned()),
            None => answer::description(&scope, &request),
        },
    })
}

async fn no_answer(scope: &Scope, request: Request<Incoming>, by_reset: bool) -> NoAnswer {
    // A body that breaks off ends the connection too.
    let _ = request.into_body().collect().await;
    if by_reset {
        scope.reset_connection();
    }
    NoAnswer
}

/// The number that a query gives to a parameter.
fn parameter(query: &str, name: &str) -> Option<u64> {
    query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name)?.1.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_parameters() {
        assert_eq!(parameter("events=3&every_ms=20", "every_ms"), Some(20));
        assert_eq!(parameter("xevents=3", "events"), None);
        assert_eq!(parameter("events=x", "events"), None);
        assert_eq!(parameter("", "events"), None);
    }
}
