//! The providers that run: started, replaced and stopped as the configuration says.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::app::{App, Providers};
use crate::config::providers::ProviderConfig;
use crate::discovery::file::FileProvider;
use crate::discovery::provider::Provider;
use crate::discovery::publisher::{Mailbox, Publisher};
use crate::lifecycle::Tasks;

/// The providers that run.
#[derive(Debug)]
pub struct Fleet {
    running: BTreeMap<String, Running>,
    mailbox: Arc<Mailbox>,
    tasks: Tasks,
}

#[derive(Debug)]
struct Running {
    config: ProviderConfig,
    provider: Arc<dyn Provider>,
    stop: CancellationToken,
}

impl Fleet {
    /// No providers yet.
    #[must_use]
    pub fn new(mailbox: Arc<Mailbox>, tasks: Tasks) -> Self {
        Self { running: BTreeMap::new(), mailbox, tasks }
    }

    /// Makes the running providers those of the configuration. One whose configuration did not
    /// change is left alone; the services of one that did stay until it publishes again.
    pub fn apply(&mut self, configs: &[ProviderConfig], app: &App) {
        let mut before = std::mem::take(&mut self.running);
        let names: Vec<&str> = configs.iter().map(ProviderConfig::name).collect();
        app.registry.expect_providers(&names);
        let mut starting = Vec::new();
        for config in configs {
            let name = config.name();
            let running = match before.remove(name) {
                Some(running) if running.config == *config => running,
                replaced => {
                    if let Some(replaced) = replaced {
                        replaced.stop.cancel();
                    }
                    let running = Running {
                        config: config.clone(),
                        provider: build(config),
                        stop: self.tasks.stop().child_token(),
                    };
                    starting.push(name);
                    running
                }
            };
            self.running.insert(name.to_owned(), running);
        }
        for (name, gone) in before {
            gone.stop.cancel();
            Publisher::new(&name, Arc::clone(&self.mailbox)).withdraw();
        }
        *app.providers.write().unwrap_or_else(PoisonError::into_inner) = self.providers();
        for name in starting {
            self.start(name);
        }
    }

    fn start(&self, name: &str) {
        let Some(running) = self.running.get(name) else { return };
        let publisher = Publisher::new(name, Arc::clone(&self.mailbox));
        let (provider, stop) = (Arc::clone(&running.provider), running.stop.clone());
        self.tasks.spawn("provider", async move {
            tokio::select! {
                () = provider.run(publisher, stop.clone()) => {}
                () = stop.cancelled() => {}
            }
        });
    }

    fn providers(&self) -> Providers {
        self.running.iter().map(|(name, running)| (name.clone(), Arc::clone(&running.provider))).collect()
    }
}

fn build(config: &ProviderConfig) -> Arc<dyn Provider> {
    match config {
        ProviderConfig::File(config) => Arc::new(FileProvider::new(config)),
    }
}
