//! Pages that change something: none but those of origins that are named, and the service's own.
//!
//! Behind the gate a visitor can be known by a cookie, which a browser sends for any page of the same site, and jobs
//! have pages there.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::api::authority;
use crate::api::problem::Problem;

/// Middleware: refuses what a stranger's page would change.
pub(super) async fn check(State(origins): State<Arc<[HeaderValue]>>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_ours(&request, &origins) {
        return next.run(request).await;
    }
    let detail = "pages of that origin may change nothing here; an operator can list it in `data.service.origins`";
    Problem::new(StatusCode::FORBIDDEN, "origin-not-allowed", detail).into_response()
}

/// Middleware: refuses what a page would change that is not of the service's own origin. Programs say no origin.
pub(in crate::api) async fn own_alone(request: Request, next: Next) -> Response {
    let is_of_page = request.headers().contains_key(header::ORIGIN);
    if request.method().is_safe() || !is_of_page || is_ours(&request, &[]) {
        return next.run(request).await;
    }
    let detail = "pages of another origin may change nothing here";
    Problem::new(StatusCode::FORBIDDEN, "origin-not-allowed", detail).into_response()
}

fn is_ours(request: &Request, origins: &[HeaderValue]) -> bool {
    let mut said = request.headers().get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (said.next(), said.next()) else { return false };
    let own = authority::of(request);
    let page = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    origins.contains(origin) || own.is_some() && page == own
}
