//! What stands before every internal request: the secret, and a net under what breaks.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use tower_http::catch_panic::CatchPanicLayer;

use crate::api::problem::Problem;
use crate::app::App;

/// The header that carries the secret.
pub const SECRET_HEADER: &str = "x-taskgate-internal";

/// Puts the net under a router.
pub fn net(router: Router, app: &Arc<App>) -> Router {
    let app = Arc::clone(app);
    router.layer(CatchPanicLayer::custom(move |panic: Box<dyn Any + Send + 'static>| {
        app.metrics.panics.inc();
        let reason =
            panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(reason = reason.unwrap_or("unknown"), "a request broke the sidecar; please report this");
        Problem::internal().into_response()
    }))
}

/// Asks for the secret, where there is one.
pub fn secret(router: Router, app: &Arc<App>) -> Router {
    router.layer(middleware::from_fn_with_state(Arc::clone(app), check))
}

async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let live = app.live.load_full();
    let accepted = live.internal_secret.as_ref().is_none_or(|secret| {
        let mut presented = request.headers().get_all(SECRET_HEADER).iter();
        matches!((presented.next(), presented.next()), (Some(value), None) if secret.matches(value.as_bytes()))
    });
    if accepted {
        return next.run(request).await;
    }
    let detail = format!("this listener needs `{SECRET_HEADER}` with `internal.secret`");
    Problem::new(StatusCode::UNAUTHORIZED, "internal-secret-missing", detail).into_response()
}
