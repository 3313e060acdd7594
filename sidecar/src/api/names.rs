//! `/internal/names`: whose friendly names are, for operators.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::problem::Problem;
use crate::app::App;
use crate::registry::holders::{ListedName, NotReleased};

/// The list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NameList {
    /// The names that are somebody's, in their order.
    pub names: Vec<ListedName>,
    /// The names that nobody gets.
    pub reserved: Vec<String>,
}

/// A name that was kept, and is nobody's now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReleasedName {
    /// The name.
    pub released: String,
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Json<NameList> {
    Json(NameList { names: app.registry.friendly_names(), reserved: app.registry.reserved_names() })
}

pub(super) async fn release(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<ReleasedName>, Problem> {
    let registry = Arc::clone(&app.registry);
    let wanted = name.clone();
    // The table may change with it, and that takes a while where there are many services.
    let released = tokio::task::spawn_blocking(move || registry.release_name(&wanted)).await;
    match released.map_err(|_| Problem::internal())? {
        Ok(()) => {
            tracing::info!(audit = true, event = "name-released", name, "a friendly name was let go");
            Ok(Json(ReleasedName { released: name }))
        }
        Err(error @ NotReleased::InForce) => {
            Err(Problem::new(StatusCode::CONFLICT, "name-in-force", error.to_string()))
        }
        Err(error @ NotReleased::Unknown) => {
            Err(Problem::new(StatusCode::NOT_FOUND, "unknown-name", error.to_string()))
        }
    }
}
