//! `state`: what outlives the process.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// What outlives the process.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StateConfig {
    /// A directory of this sidecar alone, in which it keeps which service has which id. It is made
    /// where it is missing. With none, who of two services with colliding ids was there first is
    /// known as long as the process lives.
    pub directory: Option<PathBuf>,
}
