//! What people and their programs ask about access: pages below `/.taskgate/`, and the API below `/v1/`.

pub mod entrance;
pub mod share;
pub mod v1;

use std::sync::Arc;

use axum::Router;

use crate::access::entrance::Entrance;
use crate::api::access::v1::AccessApi;

/// All of them.
pub fn routes(entrance: &Arc<Entrance>, api: AccessApi) -> Router {
    entrance::routes(entrance).merge(share::routes(api.clone())).merge(v1::routes(api))
}
