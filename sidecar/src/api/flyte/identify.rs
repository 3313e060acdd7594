//! Who asks, found out before anything of the body is read.
//!
//! What vouches for a caller is good for a minute, and a large body may take longer; and nobody who is unknown shall
//! have a body kept in memory. A refusal still has to be told in the client's own protocol, so the request goes on,
//! with nothing in it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use connectrpc::ConnectError;

use crate::api::flyte::refusal;
use crate::data::service::{Caller, DataService};

/// Who asks, or what they are told.
#[derive(Clone, Debug)]
pub(super) struct Known(pub(super) Result<Caller, ConnectError>);

/// Middleware: says who asks.
pub(super) async fn identify(State(service): State<Arc<DataService>>, mut request: Request, next: Next) -> Response {
    let known = service.caller(request.headers()).await.map_err(refusal::refused);
    if known.is_err() {
        let body = nothing(request.headers());
        *request.body_mut() = body;
        for name in [header::CONTENT_LENGTH.as_str(), "content-encoding", "connect-content-encoding", "grpc-encoding"] {
            request.headers_mut().remove(name);
        }
    }
    request.extensions_mut().insert(Known(known));
    next.run(request).await
}

/// A body with an empty message, as the request's protocol has it.
fn nothing(headers: &HeaderMap) -> Body {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|text| text.to_str().ok()).unwrap_or_default();
    let is_framed = content_type.starts_with("application/grpc") || content_type.starts_with("application/connect+");
    let is_json = content_type.contains("json");
    match (is_framed, is_json) {
        (true, _) if content_type.starts_with("application/grpc-web-text") => Body::from("AAAAAAA="),
        (true, true) => Body::from(&b"\0\0\0\0\x02{}"[..]),
        (true, false) => Body::from(&[0; 5][..]),
        (false, true) => Body::from("{}"),
        (false, false) => Body::empty(),
    }
}
