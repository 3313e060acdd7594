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
}

impl Id {
    pub(super) fn run(self) -> anyhow::Result<()> {
        for id in ServiceDigest::of(&self.operation, &self.task, &self.service).ids() {
            output::line(id.as_str())?;
        }
        let Some(alias) = &self.alias else { return Ok(()) };
        match alias_label(alias, &self.task, &self.service) {
            Some(label) => output::line(label.as_str()),
            None => anyhow::bail!(
                "alias, task and service make no host label: it has at most 63 characters of a-z, 0-9, `_` and `-`, \
                 and task and service have no `-`"
            ),
        }
    }
}
