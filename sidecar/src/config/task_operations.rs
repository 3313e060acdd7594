//! `tasks.operations`: operations that a service or a program of yours does.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::defaults;
use crate::secret::SecretText;

/// An operation that a service or a program of yours does. Set `http` or `command`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskOperationConfig {
    /// Its name, as requests have it: 1 to 64 characters of `a-z`, `0-9`, `-`, `_` and `.`, and no name of
    /// a built-in operation.
    pub name: String,
    /// What it does, in one sentence.
    pub summary: String,
    /// A JSON Schema (2020-12) of its arguments; by default it takes none.
    #[serde(default = "no_arguments")]
    pub arguments: Value,
    /// How many sources it reads.
    #[serde(default)]
    pub sources: CountConfig,
    /// How many destinations it writes.
    #[serde(default)]
    pub destinations: CountConfig,
    /// What it does there, which whoever asks must be allowed to.
    #[serde(default)]
    pub writes: WritesConfig,
    /// The service that does it.
    #[serde(default)]
    pub http: Option<HttpOperationConfig>,
    /// The program that does it.
    #[serde(default)]
    pub command: Option<CommandOperationConfig>,
}

/// How many there may be.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CountConfig {
    /// The least.
    pub least: usize,
    /// The most, up to 64.
    pub most: usize,
}

/// What an operation does to its destinations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WritesConfig {
    /// It makes them: their names must be free.
    Creates,
    /// It writes data into datasets that are there.
    #[default]
    Updates,
}

/// A service that does an operation. It is sent the request, and answers at once, or with where to ask how
/// far it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpOperationConfig {
    /// Where a request is posted, https or http. Redirects are not followed.
    pub url: String,
    /// What is shown to it, as `authorization: Bearer …`.
    #[serde(default)]
    pub secret: Option<SecretText>,
    /// A file with that.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// How long one exchange may take, in seconds. Work that takes longer is answered with 202.
    #[serde(default = "http_timeout_secs")]
    pub timeout_secs: u64,
    /// Whether it is sent the credential of whoever asked for the task: with it, it can do all that they can.
    #[serde(default)]
    pub forward_credential: bool,
}

/// A program that does an operation. It is run without a shell, as the user of the worker, with the request
/// on its standard input.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandOperationConfig {
    /// The program, an absolute path.
    pub path: PathBuf,
    /// Its arguments. Nothing of a request goes in here.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The names of the worker's environment variables that it gets; no others.
    #[serde(default)]
    pub environment: Vec<String>,
    /// How long it may take, in seconds; then it is killed and the task has failed.
    #[serde(default = "command_timeout_secs")]
    pub timeout_secs: u64,
    /// Whether it is sent the credential of whoever asked for the task: with it, it can do all that they can.
    #[serde(default)]
    pub forward_credential: bool,
}

fn no_arguments() -> Value {
    json!({"type": "object", "additionalProperties": false})
}

const fn http_timeout_secs() -> u64 {
    defaults::HTTP_OPERATION_TIMEOUT_SECS
}

const fn command_timeout_secs() -> u64 {
    defaults::COMMAND_OPERATION_TIMEOUT_SECS
}
