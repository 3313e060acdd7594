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
use axum::routing::{MethodFilter, get};
use taskgate_core::signed_url::OBJECTS;

use crate::api::problem;
use crate::data::store::local::LocalStore;

/// The routes of one store. They are merged into a router, never nested in one: paths are verified as they came.
pub fn routes(store: Arc<LocalStore>) -> Router {
    let path = format!("{OBJECTS}{}/{{*key}}", store.name().as_str());
    let tus = MethodFilter::POST.or(MethodFilter::PATCH).or(MethodFilter::DELETE).or(MethodFilter::OPTIONS);
    let methods = get(get::object).put(put::object).on(tus, tus::upload).fallback(problem::wrong_method);
    Router::new().route(&path, methods).with_state(store)
}
