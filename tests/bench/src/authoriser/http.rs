//! Over HTTP: 200 with who it is, or 403.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Empty;
use hyper::body::Incoming;

use super::Tokens;

pub(super) async fn check(tokens: Arc<Tokens>, request: Request<Incoming>) -> Response<Empty<Bytes>> {
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let holder = tokens.holder(authorization).and_then(|holder| HeaderValue::from_str(holder).ok());
    let mut response = Response::new(Empty::new());
    match holder {
        Some(holder) => {
            response.headers_mut().insert("x-forwarded-user", holder);
        }
        None => *response.status_mut() = StatusCode::FORBIDDEN,
    }
    response
}
