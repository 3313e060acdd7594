//! The public API: what clients of tasks and of data ask.

mod cors;
pub(super) mod origin;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header;
use axum::middleware;
use tower::ServiceExt as _;

use crate::api::{data, flyte, guard, objects, problem, tasks};
use crate::app::App;
use crate::data::desk::DataDesk;
use crate::tasks::reception::Reception;

/// The public API's routes: those of access, of tasks and of data, as far as there are any.
pub fn router(
    app: &Arc<App>,
    access: Option<Router>,
    reception: Option<&Arc<Reception>>,
    desk: Option<&DataDesk>,
) -> Router {
    let mut routes = Router::new();
    if let Some(access) = access {
        routes = routes.merge(access).method_not_allowed_fallback(problem::wrong_method);
    }
    if let Some(reception) = reception {
        routes = routes.merge(tasks::routes(reception)).method_not_allowed_fallback(problem::wrong_method);
    }
    let routes = match desk {
        Some(desk) => of_data(desk, routes),
        None => routes.fallback(problem::not_found),
    };
    guard::net(routes, app)
}

/// Adds the routes of data. What a page asks is looked at as pages are, everything else is not: `OPTIONS` is a question
/// of tus, too.
fn of_data(desk: &DataDesk, others: Router) -> Router {
    let api = data::routes(Arc::clone(&desk.service)).merge(flyte::routes(Arc::clone(&desk.service)));
    let stores = desk.local.iter().map(|store| objects::routes(Arc::clone(store)));
    // Merged, never nested: paths of objects are verified as they came.
    let routes = stores.fold(api, Router::merge);
    let routes = routes.fallback(problem::not_found).method_not_allowed_fallback(problem::wrong_method);
    let of_pages = routes
        .clone()
        .layer(middleware::from_fn_with_state(Arc::from(&*desk.origins), origin::check))
        .layer(cors::layer(&desk.origins));
    others.fallback(move |request: Request| async move {
        let is_of_page = request.headers().contains_key(header::ORIGIN);
        let Ok(answer) = if is_of_page { of_pages } else { routes }.oneshot(request).await;
        answer
    })
}
