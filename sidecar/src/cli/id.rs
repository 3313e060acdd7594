//! `taskgate id`.

use clap::Args;
use taskgate_core::naming::{ServiceDigest, alias_label};

use crate::cli::output;

#[derive(Debug, Args)]
pub(super) struct Id {
    /// the workload's id
    operation: String,
    /// task name
    task: String,
    /// service name
    service: String,
    /// the workload's alias: prints the alias label too, where it makes one
    #[arg(long)]
    alias: Option<String>,
    /// print the longer ids too, which a service has where a shorter one is another's
    #[arg(long)]
    all: bool,
}

impl Id {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let digest = ServiceDigest::of(&self.operation, &self.task, &self.service);
        for id in digest.ids().take(if self.all { usize::MAX } else { 1 }) {
            output::line(id.as_str())?;
        }
        let Some(alias) = &self.alias else { return Ok(()) };
        match alias_label(alias.strip_prefix('*').unwrap_or(alias), &self.task, &self.service) {
            Some(label) => output::line(label.as_str()),
            None => anyhow::bail!(
                "alias, task and service make no host label: it has at most 63 characters of a-z, 0-9, `_` and `-`, \
                 no upper case, and task and service have no `-`"
            ),
        }
    }
}
