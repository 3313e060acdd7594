//! `keys`: what seals sessions.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::secret::SecretText;

/// One key; `taskgate key new` prints one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// The key's name in tokens: 1 to 16 characters of `a`-`z` and `0`-`9`. A new key needs a new
    /// name.
    pub id: String,
    /// 32 bytes in base64.
    pub secret: Option<SecretText>,
    /// A file with them.
    pub secret_file: Option<PathBuf>,
}
