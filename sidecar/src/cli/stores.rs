//! `taskgate data check`: whether stores can do what will be asked of them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use crate::api::objects;
use crate::cli::{columns, output};
use crate::clock::{SharedClock, SystemClock};
use crate::config::load::load;
use crate::config::resolve::Settings;
use crate::data::desk::shared_keys;
use crate::data::self_test::report::Report;
use crate::data::self_test::run::run_self_tests;
use crate::data::settings::resolve::stores::OpenStores;
use crate::serve;

#[derive(Debug, Subcommand)]
pub(super) enum Data {
    /// try every store as the sidecar does when it starts: write, read, put, get and delete an object of a few bytes.
    /// The exit status is 1 where one can't do what will be asked of it
    Check(Check),
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// the configuration file
    #[arg(short, long, value_name = "FILE", default_value = "taskgate.yaml")]
    config: PathBuf,
    /// only the store with that name
    #[arg(long, value_name = "NAME")]
    store: Option<String>,
}

impl Data {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Check(check) = self;
        let settings = load(&check.config).with_context(|| check.config.display().to_string())?;
        let runtime = tokio::runtime::Runtime::new().context("no runtime")?;
        let reports = runtime.block_on(check.tried(settings))?;
        let rows = reports.iter().flat_map(rows);
        output::text(&columns::aligned(["STORE", "IT SHOULD", "OUTCOME"], rows))?;
        Ok(if reports.iter().all(Report::is_good) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Check {
    async fn tried(&self, settings: Settings) -> anyhow::Result<Vec<Report>> {
        let keys = shared_keys(serve::keys(&settings)?);
        let Some(mut plan) = settings.data else { bail!("there is no section `data`, so there are no stores") };
        if let Some(wanted) = &self.store {
            plan.stores.retain(|(name, _)| name == wanted);
            if plan.stores.is_empty() {
                bail!("no store is named `{wanted}`");
            }
        }
        let clock: SharedClock = Arc::new(SystemClock);
        let (stores, of_stores) = (plan.stores.clone(), Arc::clone(&clock));
        let opened = tokio::task::spawn_blocking(move || OpenStores::open(&stores, &keys, &of_stores)).await?;
        let open = opened.map_err(|(name, error)| anyhow::anyhow!("`data.stores.{name}`: {error}"))?;
        Ok(run_self_tests(&plan, &open.local, objects::routes, &clock).await)
    }
}

fn rows(report: &Report) -> impl Iterator<Item = [String; 3]> + '_ {
    report.steps.iter().map(|(step, outcome)| [report.store.clone(), step.to_string(), outcome.to_string()])
}
