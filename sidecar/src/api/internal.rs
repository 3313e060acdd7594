//! The internal API: what the filter and operators on this machine ask.

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};

use crate::api::{access, guard, names, problem, services, session, table, tasks, verdict, wasm};
use crate::app::App;

/// The internal API's routes.
pub fn router(app: &Arc<App>) -> Router {
    let routes = Router::new()
        .route("/internal/table", get(table::page))
        .route("/internal/verdict", post(verdict::decide))
        .route("/internal/session", post(session::seal))
        .route("/internal/services", get(services::list))
        .route("/internal/problems", get(services::problems))
        .route("/internal/names", get(names::list))
        .route("/internal/names/{name}", delete(names::release))
        .merge(access::v1::internal::routes())
        .merge(tasks::internal::routes())
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::wrong_method)
        .with_state(Arc::clone(app));
    // No secret: proxies that fetch their filter can't show one, and there is nothing secret in it.
    let filter = Router::new()
        .route("/filter.wasm", get(wasm::file))
        .route("/filter.wasm.sha256", get(wasm::digest))
        .method_not_allowed_fallback(problem::wrong_method)
        .with_state(Arc::clone(app));
    guard::net(guard::secret(routes, app).merge(filter), app)
}
