//! `filter`: the compiled filter that proxies can fetch.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// The compiled filter that proxies can fetch from `/filter.wasm` of the internal listener.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FilterConfig {
    /// The file.
    pub wasm_file: Option<PathBuf>,
}
