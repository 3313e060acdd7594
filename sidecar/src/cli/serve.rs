//! `taskgate serve`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use crate::clock::SystemClock;
use crate::config::load::load;
use crate::file;
use crate::lifecycle;
use crate::lifecycle::signals::{Request, Signals};
use crate::serve::{Running, Setting, start};
use crate::telemetry::logs::Logs;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// the configuration file
    #[arg(long, value_name = "FILE", default_value = "taskgate.yaml")]
    config: PathBuf,
    /// where to write the addresses that it listens on, as JSON, once it does
    #[arg(long, value_name = "FILE")]
    addresses_file: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Runtime::new().context("can't start")?;
        let outcome = runtime.block_on(self.serve());
        // Whatever still blocks a thread does not keep the process.
        runtime.shutdown_background();
        outcome
    }

    async fn serve(self) -> anyhow::Result<()> {
        let settings = load(&self.config).with_context(|| self.config.display().to_string())?;
        let logs = Logs::start(&settings.logs, std::io::stderr)?;
        lifecycle::files::raise_limit();
        let mut signals = Signals::listen().context("can't listen for signals")?;
        let setting =
            Setting { clock: Arc::new(SystemClock), config_path: Some(self.config), logs: Some(Arc::new(logs)) };
        let running = start(settings, setting).await?;
        if let Some(path) = &self.addresses_file {
            let mut json = serde_json::to_vec(&running.addresses)?;
            json.push(b'\n');
            file::write_atomically(path, &json)?;
        }
        until_end(&mut signals, &running).await;
        tokio::select! {
            _ = running.end() => Ok(()),
            () = next_end(&mut signals) => anyhow::bail!("ended at once by a second signal"),
        }
    }
}

async fn until_end(signals: &mut Signals, running: &Running) {
    while signals.next().await == Request::Reload {
        running.reload();
    }
}

async fn next_end(signals: &mut Signals) {
    while signals.next().await != Request::End {}
}
