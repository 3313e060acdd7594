//! `providers[].file`: services from a YAML file.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;

/// Services from a YAML file, read again whenever it changes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileProviderConfig {
    /// The provider's name.
    #[serde(default = "name")]
    pub name: String,
    /// The file, YAML, or JSON where its name ends in `.json` (much faster with tens of thousands of
    /// services). A relative path is relative to the configuration file. Change it by renaming a new
    /// file over it, so that it is never seen half written.
    pub path: PathBuf,
    /// How often the file is looked at even where the system reports no change, in seconds.
    #[serde(default = "poll_secs")]
    pub poll_secs: u64,
}

fn name() -> String {
    defaults::FILE_PROVIDER_NAME.into()
}

const fn poll_secs() -> u64 {
    defaults::FILE_POLL_SECS
}
