//! The API of data for people who have only curl: `/v1/data/…`.
//!
//! It offers what the protocol of Flyte's SDK does, as plain JSON. Who asks shows a credential in `Authorization`;
//! names of other people in other headers are not believed.

mod action;
mod download;
mod inputs;
mod logs;
mod multipart;
mod place;
mod refusal;
mod upload;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post, put};

use crate::api::room;
use crate::data::service::DataService;

/// The routes.
pub fn routes(service: Arc<DataService>) -> Router {
    let within = |room| middleware::from_fn_with_state(room, room::within);
    let inputs = put(inputs::keep).layer(within(service.room_for_inputs()));
    let reads = || within(service.room_for_reads());
    Router::new()
        .route("/v1/data/uploads", post(upload::sign))
        .route("/v1/data/downloads", post(download::sign))
        .route("/v1/data/multipart", post(multipart::begin))
        .route("/v1/data/multipart/parts", post(multipart::sign))
        .route("/v1/data/multipart/list", post(multipart::list))
        .route("/v1/data/multipart/complete", post(multipart::complete))
        .route("/v1/data/multipart/abort", post(multipart::abort))
        .route("/v1/data/inputs/{project}/{domain}/{hash}", inputs)
        .route("/v1/data/actions/{project}/{domain}/{run}/{action}/inputs", get(action::inputs).layer(reads()))
        .route("/v1/data/actions/{project}/{domain}/{run}/{action}/outputs", get(action::outputs).layer(reads()))
        .route("/v1/data/logs/{project}/{domain}/{run}/{action}/{attempt}", get(logs::tail))
        .with_state(service)
}

#[cfg(test)]
mod tests;
