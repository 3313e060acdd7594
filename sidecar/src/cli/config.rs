//! `taskgate config`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::cli::output;
use crate::config::load::load;
use crate::config::reference;

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// check a configuration file and everything that it points to
    Check(Check),
    /// print a complete configuration with comments
    Example,
    /// print the reference of every key, in Markdown
    Reference,
    /// print the JSON schema
    Schema,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// the configuration file
    #[arg(long, value_name = "FILE", default_value = "taskgate.yaml")]
    config: PathBuf,
}

impl Config {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Check(check) => {
                load(&check.config).with_context(|| check.config.display().to_string())?;
                output::line(&format!("{}: ok", check.config.display()))
            }
            Self::Example => output::text(reference::EXAMPLE),
            Self::Reference => output::text(&reference::markdown()),
            Self::Schema => output::text(&reference::schema()),
        }
    }
}
