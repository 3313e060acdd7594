//! `list_operations`.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::config::ytsaurus::OperationTypes;
use crate::ytsaurus::commands::Read;

/// The most operations that the cluster lists at once.
pub const MAX_LIMIT: usize = 1_000;

/// A page of running operations, newest first.
#[derive(Clone, Debug)]
pub struct ListOperations {
    /// No operation that started later; none: from the newest on. As the cluster writes times.
    pub cursor: Option<String>,
    /// Which types.
    pub types: OperationTypes,
    /// How many at most, up to [`MAX_LIMIT`].
    pub limit: usize,
    /// Only what every operation has: for when one of them has too much.
    pub bare: bool,
}

/// A page as it came: each operation is read on its own, for users wrote most of it.
#[derive(Debug, Deserialize)]
pub struct OperationsPage {
    /// The operations.
    pub operations: Vec<Box<RawValue>>,
    /// Whether there are more.
    pub incomplete: bool,
}

impl Read for ListOperations {
    type Output = OperationsPage;
    const COMMAND: &'static str = "list_operations";

    fn parameters(&self) -> Value {
        let mut attributes = vec!["id", "start_time", "type", "authenticated_user"];
        if !self.bare {
            attributes.extend(["brief_spec", "runtime_parameters"]);
        }
        let mut parameters = json!({
            "state": "running",
            "limit": self.limit,
            "cursor_direction": "past",
            "include_archive": false,
            "include_counters": false,
            "attributes": attributes,
        });
        if let Some(cursor) = &self.cursor {
            parameters["cursor_time"] = json!(cursor);
        }
        if self.types == OperationTypes::Vanilla {
            parameters["type"] = json!("vanilla");
        }
        parameters
    }
}
