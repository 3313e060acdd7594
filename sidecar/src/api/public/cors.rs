//! What browsers are told about pages of other origins (Fetch standard, CORS protocol).
//!
//! No page is shown what a visitor's cookies would give it (there are no credentials in CORS's sense), and what it may
//! change is looked at by `origin`: so a page can do no more than the credential that it has itself.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// How long a browser may keep what it was told.
const KEPT: Duration = Duration::from_secs(600);

/// What of an answer a page may see, beside what every page may: names of the API, of objects and of tus.
const SHOWN: [&str; 17] = [
    "accept-ranges",
    "content-disposition",
    "content-range",
    "etag",
    "grpc-message",
    "grpc-status",
    "location",
    "repr-digest",
    "retry-after",
    "tus-checksum-algorithm",
    "tus-extension",
    "tus-max-size",
    "tus-resumable",
    "tus-version",
    "upload-expires",
    "upload-length",
    "upload-offset",
];

/// Lets pages of these origins ask.
pub(super) fn layer(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(SHOWN.map(HeaderName::from_static))
        .max_age(KEPT)
}
