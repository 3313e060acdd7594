//! What stands before every internal request: the secret, and a net under what breaks.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use tower_http::catch_panic::CatchPanicLayer;

use crate::api::problem::Problem;
use crate::app::{App, Live};
use crate::secret::SecretText;
use crate::telemetry::trace;

/// The header that carries the secret.
pub const SECRET_HEADER: &str = "x-taskgate-internal";

/// Puts the net under a router, and its requests into their traces.
pub fn net(router: Router, app: &Arc<App>) -> Router {
    let app = Arc::clone(app);
    let router = router.layer(CatchPanicLayer::custom(move |panic: Box<dyn Any + Send + 'static>| {
        app.metrics.panics.inc();
        let reason =
            panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(reason = reason.unwrap_or("unknown"), "a request broke the sidecar; please report this");
        Problem::internal().into_response()
    }));
    router.layer(trace::layer())
}

/// Asks for the secret of the internal listener, where there is one.
pub fn secret(router: Router, app: &Arc<App>) -> Router {
    secret_of(router, app, "internal.secret", |live| live.internal_secret.as_ref())
}

/// Asks for a listener's secret, where there is one; `key` is what the configuration calls it.
pub fn secret_of(
    router: Router,
    app: &Arc<App>,
    key: &'static str,
    secret: fn(&Live) -> Option<&SecretText>,
) -> Router {
    let app = Arc::clone(app);
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let accepted = is_accepted(&request, secret(&app.live.load()));
        async move { if accepted { next.run(request).await } else { missing(key) } }
    }))
}

fn is_accepted(request: &Request, secret: Option<&SecretText>) -> bool {
    secret.is_none_or(|secret| {
        let mut presented = request.headers().get_all(SECRET_HEADER).iter();
        matches!((presented.next(), presented.next()), (Some(value), None) if secret.matches(value.as_bytes()))
    })
}

fn missing(key: &str) -> Response {
    let detail = format!("this listener needs `{SECRET_HEADER}` with `{key}`");
    Problem::new(StatusCode::UNAUTHORIZED, "internal-secret-missing", detail).into_response()
}
