//! The public API: what clients of tasks ask.

use std::sync::Arc;

use axum::Router;

use crate::api::{guard, problem, tasks};
use crate::app::App;
use crate::tasks::reception::Reception;

/// The public API's routes.
pub fn router(app: &Arc<App>, reception: &Arc<Reception>) -> Router {
    let routes =
        tasks::routes(reception).fallback(problem::not_found).method_not_allowed_fallback(problem::wrong_method);
    guard::net(routes, app)
}
