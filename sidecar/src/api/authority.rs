//! The host that a request is for.

use axum::extract::Request;
use axum::http::header;
use axum::http::uri::Authority;

/// The host, as the client wrote it. HTTP/2 has it in `:authority`, which is no header.
pub(super) fn of(request: &Request) -> Option<&str> {
    let header = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    request.uri().authority().map(Authority::as_str).or_else(header)
}
