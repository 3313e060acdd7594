//! The API of tasks, for clients: `/tasks` and `/operations`.
//!
//! Whoever asks shows the credential that the server of the data knows them by, with every request. A task is
//! seen by its owner and by administrators; to everybody else it does not exist. Query parameters that are not
//! known are passed over: clients of that server send some with every request.

mod caller;
mod credential;
mod delete;
pub mod form;
pub mod internal;
mod key;
mod list;
mod operations;
mod prefer;
mod refusal;
mod show;
mod submit;
mod tag;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::tasks::reception::Reception;

/// The routes.
pub(super) fn routes(reception: &Arc<Reception>) -> Router {
    let change = post(credential::replace).put(credential::replace);
    Router::new()
        .route("/tasks", get(list::page).post(submit::accept))
        .route("/tasks/", get(list::page).post(submit::accept))
        .route("/tasks/{id}", get(show::task).delete(delete::task))
        .route("/tasks/{id}/credential", change)
        .route("/operations", get(operations::list))
        .route("/operations/{name}", get(operations::one))
        .with_state(Arc::clone(reception))
}
