//! Reading the configuration file.

use std::path::Path;

use thiserror::Error;

use crate::config::Config;
use crate::config::resolve::{InvalidSetting, Settings};
use crate::file::{self, FileError, ReadFile};
use crate::yaml::{self, InvalidYaml};

/// The largest configuration file.
pub const MAX_CONFIG_BYTES: u64 = 16 << 20;

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A value makes no sense.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// The document is not a configuration.
    #[error(transparent)]
    Yaml(#[from] InvalidYaml),
}

/// Reads a configuration file and everything that it points to.
///
/// # Errors
/// [`ConfigError`]; nothing is taken from a file with an error.
pub fn load(path: &Path) -> Result<Settings, ConfigError> {
    let text = file::read_text(path, MAX_CONFIG_BYTES)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut settings = read(&text, directory)?;
    settings.files.insert(0, ReadFile::new(path.to_owned(), &text));
    Ok(settings)
}

/// Reads a configuration from its text; relative paths are relative to `directory`.
///
/// # Errors
/// [`ConfigError`].
pub fn read(text: &str, directory: &Path) -> Result<Settings, ConfigError> {
    let config: Config = yaml::parse(text)?;
    Ok(Settings::resolve(config, directory)?)
}
