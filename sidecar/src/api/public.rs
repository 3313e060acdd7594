//! The public API: what clients of tasks and of data ask.

mod cors;

use std::sync::Arc;

use axum::Router;

use crate::api::{data, flyte, guard, objects, problem, tasks};
use crate::app::App;
use crate::data::desk::DataDesk;
use crate::tasks::reception::Reception;

/// The public API's routes: those of tasks and of data, as far as there are any.
pub fn router(app: &Arc<App>, reception: Option<&Arc<Reception>>, desk: Option<&DataDesk>) -> Router {
    let mut routes = Router::new();
    if let Some(reception) = reception {
        routes = routes.merge(tasks::routes(reception));
    }
    if let Some(desk) = desk {
        routes = routes.merge(of_data(desk));
    }
    guard::net(routes.fallback(problem::not_found).method_not_allowed_fallback(problem::wrong_method), app)
}

/// Merged, never nested: paths of objects are verified as they came.
fn of_data(desk: &DataDesk) -> Router {
    let api = data::routes(Arc::clone(&desk.service)).merge(flyte::routes(Arc::clone(&desk.service)));
    let stores = desk.local.iter().map(|store| objects::routes(Arc::clone(store)));
    stores.fold(api, Router::merge).layer(cors::layer(&desk.origins))
}
