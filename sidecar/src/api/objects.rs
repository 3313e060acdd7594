//! The objects of a local store, for clients with signed URLs: `/v1/data/objects/{store}/{key}`.
//!
//! Each request is verified here, whatever stood before it. Objects are whatever somebody uploaded, so a browser is
//! told to show none of them and to run nothing in them.

mod conditions;
mod digests;
mod get;
mod intake;
mod put;
mod range;
mod refusal;
mod tus;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{MethodFilter, get};
use taskgate_core::signed_url::OBJECTS;
use tokio::sync::Semaphore;

use crate::api::{problem, room};
use crate::data::store::local::LocalStore;

/// How many objects of a store are on their way at one time, in or out: each takes a file and some memory, and the
/// gate's questions are answered by the same process.
const MAX_AT_ONCE: usize = 1_000;

/// The routes of one store. They are merged into a router, never nested in one: paths are verified as they came.
pub fn routes(store: Arc<LocalStore>) -> Router {
    let path = format!("{OBJECTS}{}/{{*key}}", store.name().as_str());
    let tus = MethodFilter::POST.or(MethodFilter::PATCH).or(MethodFilter::DELETE).or(MethodFilter::OPTIONS);
    let methods = get(get::object).put(put::object).on(tus, tus::upload).fallback(problem::wrong_method);
    let room = middleware::from_fn_with_state(Arc::new(Semaphore::new(MAX_AT_ONCE)), room::now_or_never);
    Router::new().route(&path, methods.layer(room)).with_state(store)
}
