//! `list_operations`, `get_operation`.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::config::ytsaurus::OperationTypes;
use crate::ytsaurus::commands::Read;

/// The most operations that the cluster lists at once.
const MAX_LIMIT: usize = 1_000;
/// What is asked of an operation; what users write is at the end.
const ATTRIBUTES: [&str; 5] = ["id", "start_time", "authenticated_user", "brief_spec", "runtime_parameters"];
/// How many of these users don't write.
const BARE: usize = 3;

/// A page of running operations, newest first.
#[derive(Clone, Debug)]
pub struct ListOperations {
    /// No operation that started later; none: from the newest on. As the cluster writes times.
    pub cursor: Option<String>,
    /// Which types.
    pub types: OperationTypes,
    /// Only what the cluster itself says of them: for when a user of one of them said too much.
    pub bare: bool,
}

/// One operation, with the attributes that a page has.
#[derive(Clone, Debug)]
pub struct GetOperation {
    /// Its id.
    pub operation: String,
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
        let mut parameters = json!({
            "state": "running",
            "limit": MAX_LIMIT,
            "cursor_direction": "past",
            "include_archive": false,
            "include_counters": false,
            "attributes": if self.bare { &ATTRIBUTES[..BARE] } else { &ATTRIBUTES },
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

impl Read for GetOperation {
    type Output = Box<RawValue>;
    const COMMAND: &'static str = "get_operation";

    fn parameters(&self) -> Value {
        json!({"operation_id": self.operation, "attributes": ATTRIBUTES})
    }
}
