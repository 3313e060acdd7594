//! `taskgate discover`: what every provider sees, without a running sidecar.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;

use crate::api::services::ListedService;
use crate::cli::services::table;
use crate::cli::{columns, output};
use crate::clock::{Clock as _, SystemClock};
use crate::config::load::load;
use crate::discovery::publisher::Report;
use crate::lifecycle::fleet;
use crate::registry::provider::ProviderStatus;
use crate::registry::state::State;
use crate::telemetry::metrics::Metrics;

#[derive(Debug, Args)]
pub(super) struct Discover {
    /// the configuration file
    #[arg(long, value_name = "FILE", default_value = "taskgate.yaml")]
    config: PathBuf,
    /// look once and end, which is all that it does
    #[arg(long)]
    once: bool,
    /// only the provider with that name
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// print JSON
    #[arg(long)]
    json: bool,
}

/// What was seen.
#[derive(Serialize)]
struct Seen {
    services: Vec<ListedService>,
    providers: Vec<ProviderStatus>,
}

impl Discover {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Runtime::new().context("no runtime")?;
        let seen = runtime.block_on(self.look())?;
        if self.json {
            output::line(&serde_json::to_string_pretty(&seen)?)?;
        } else {
            output::text(&table(&seen.services))?;
            let refused: Vec<[String; 3]> = seen.providers.iter().flat_map(refused).collect();
            if !refused.is_empty() {
                output::line("")?;
                output::text(&columns::aligned(["PROVIDER", "REFUSED", "REASON"], refused.into_iter()))?;
            }
        }
        let failed: Vec<String> = seen
            .providers
            .iter()
            .filter_map(|provider| Some(format!("provider {}: {}", provider.name, provider.failure.as_ref()?)))
            .collect();
        if !failed.is_empty() {
            bail!("{}", failed.join("; "));
        }
        Ok(())
    }

    async fn look(&self) -> anyhow::Result<Seen> {
        let settings = load(&self.config).with_context(|| self.config.display().to_string())?;
        let wanted = |name: &str| self.provider.as_deref().is_none_or(|wanted| wanted == name);
        let providers: Vec<_> = settings.providers.iter().filter(|provider| wanted(provider.name())).collect();
        if providers.is_empty() {
            bail!("no provider is named `{}`", self.provider.as_deref().unwrap_or_default());
        }
        let metrics = Arc::new(Metrics::new());
        let mut state = State::default();
        state.set_name_rules(settings.names.clone());
        state.refuse_more(settings.refused.clone());
        state.expect_providers(&providers.iter().map(|provider| provider.name()).collect::<Vec<_>>());
        for provider in providers {
            let report = match fleet::build(provider, &metrics, None)?.look().await {
                Ok(inventory) => Report::Sees(inventory),
                Err(reason) => Report::Failed(reason),
            };
            state.take_report(provider.name(), report, SystemClock.now());
        }
        state.update(SystemClock.now());
        let mut services: Vec<ListedService> =
            state.services().values().map(|service| ListedService::from(&**service)).collect();
        services.sort_by(|left, right| names(left).cmp(&names(right)));
        Ok(Seen { services, providers: state.providers() })
    }
}

fn names(service: &ListedService) -> (&str, &str, &[String]) {
    (&service.operation, &service.task, &service.services)
}

fn refused(provider: &ProviderStatus) -> impl Iterator<Item = [String; 3]> + '_ {
    provider.problems.iter().map(|problem| [provider.name.clone(), problem.subject.clone(), problem.reason.clone()])
}
