//! The public API: what clients of tasks and of data ask, and where tunnels end.

mod cors;
pub(super) mod origin;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header;
use axum::middleware::{self, Next};
use tower::ServiceExt as _;

use crate::api::{data, flyte, guard, objects, problem, tasks};
use crate::app::App;
use crate::data::desk::DataDesk;
use crate::tasks::reception::Reception;
use crate::tunnel::desk::{TunnelDesk, claims_to_be_one};

/// The public API's routes: those of access, of tasks and of data, as far as there are any.
pub fn router(
    app: &Arc<App>,
    access: Option<Router>,
    reception: Option<&Arc<Reception>>,
    desk: Option<&DataDesk>,
    tunnels: Option<Arc<TunnelDesk>>,
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
    let routes = match tunnels {
        Some(tunnels) => before_all(tunnels, routes),
        None => routes,
    };
    guard::net(routes, app)
}

/// Tunnels come by whatever path the client asked for, so they are looked for before paths are.
fn before_all(tunnels: Arc<TunnelDesk>, routes: Router) -> Router {
    routes.layer(middleware::from_fn(move |request: Request, next: Next| {
        let tunnels = claims_to_be_one(request.headers()).then(|| Arc::clone(&tunnels));
        async move {
            match tunnels {
                Some(tunnels) => tunnels.answer(request).await,
                None => next.run(request).await,
            }
        }
    }))
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
