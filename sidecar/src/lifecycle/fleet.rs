//! The providers that run: started, replaced and stopped as the configuration says.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::app::{App, Providers};
use crate::arvados::provider::ArvadosProvider;
use crate::arvados::relay::gatehouse::{AppGate, Gatehouse};
use crate::config::resolve::Settings;
use crate::determined::provider::DeterminedProvider;
use crate::discovery::file::FileProvider;
use crate::discovery::own::{OwnProvider, OwnService};
use crate::discovery::provider::Provider;
use crate::discovery::publisher::{Mailbox, Publisher};
use crate::discovery::settings::ProviderSettings;
use crate::http::HttpError;
use crate::lifecycle::Tasks;
use crate::telemetry::metrics::Metrics;
use crate::ytsaurus::provider::YtsaurusProvider;

/// The providers that run.
#[derive(Debug)]
pub struct Fleet {
    running: BTreeMap<String, Running>,
    /// What counts before every provider that is configured.
    own: Vec<OwnService>,
    mailbox: Arc<Mailbox>,
    tasks: Tasks,
}

#[derive(Debug)]
struct Running {
    settings: ProviderSettings,
    provider: Arc<dyn Provider>,
    stop: CancellationToken,
}

impl Fleet {
    /// No providers yet; with the first configuration, and with each one, the sidecar's own services are there too.
    #[must_use]
    pub fn new(own: Vec<OwnService>, mailbox: Arc<Mailbox>, tasks: Tasks) -> Self {
        Self { running: BTreeMap::new(), own, mailbox, tasks }
    }

    /// Makes the running providers those of the configuration. One whose configuration did not
    /// change is left alone; the services of one that did stay until it publishes again.
    ///
    /// # Errors
    /// [`HttpError::Client`]; then nothing changed.
    pub fn apply(&mut self, settings: &Settings, app: &Arc<App>) -> Result<(), HttpError> {
        let own = || ProviderSettings::Own(self.own.clone(), Arc::clone(&settings.dns));
        let own = (!self.own.is_empty()).then(own);
        let settings: Vec<&ProviderSettings> = own.iter().chain(&settings.providers).collect();
        let mut starting = BTreeMap::new();
        for &settings in &settings {
            let name = settings.name();
            if self.running.get(name).is_none_or(|running| !running.settings.is_same(settings)) {
                let provider = build(settings, &app.metrics, Some(app))?;
                let stop = self.tasks.stop().child_token();
                starting.insert(name.to_owned(), Running { settings: settings.clone(), provider, stop });
            }
        }
        let names: Vec<&str> = settings.iter().map(|settings| settings.name()).collect();
        app.registry.expect_providers(&names);
        let mut before = std::mem::take(&mut self.running);
        for name in &names {
            match (starting.contains_key(*name), before.remove(*name)) {
                (false, Some(running)) => drop(self.running.insert((*name).to_owned(), running)),
                (true, Some(replaced)) => replaced.stop.cancel(),
                (_, None) => {}
            }
        }
        let started: Vec<String> = starting.keys().cloned().collect();
        self.running.append(&mut starting);
        for (name, gone) in before {
            gone.stop.cancel();
            Publisher::new(&name, Arc::clone(&self.mailbox)).withdraw();
        }
        *app.providers.write().unwrap_or_else(PoisonError::into_inner) = self.providers();
        for name in started {
            self.start(&name, app);
        }
        Ok(())
    }

    fn start(&self, name: &str, app: &Arc<App>) {
        let Some(running) = self.running.get(name) else { return };
        let publisher = Publisher::new(name, Arc::clone(&self.mailbox));
        let (provider, stop) = (Arc::clone(&running.provider), running.stop.clone());
        self.tasks.keep("provider", running.stop.clone(), move |broke| {
            let (provider, publisher, stop) = (Arc::clone(&provider), publisher.clone(), stop.clone());
            async move {
                if broke {
                    publisher.fail("the provider broke and was started again; please report this");
                }
                tokio::select! {
                    () = provider.run(publisher, stop.clone()) => {}
                    () = stop.cancelled() => {}
                }
            }
        });
        let (provider, registry, stop) =
            (Arc::clone(&running.provider), Arc::clone(&app.registry), running.stop.clone());
        // It may have something to give back at the end, so it is told and not cut off.
        self.tasks.keep("provider's follower", running.stop.clone(), move |_| {
            let (provider, registry, stop) = (Arc::clone(&provider), Arc::clone(&registry), stop.clone());
            async move { provider.follow(registry, stop).await }
        });
    }

    fn providers(&self) -> Providers {
        self.running.iter().map(|(name, running)| (name.clone(), Arc::clone(&running.provider))).collect()
    }
}

/// A provider with these settings. Without a running sidecar it can look and not more.
///
/// # Errors
/// [`HttpError::Client`].
pub fn build(
    settings: &ProviderSettings,
    metrics: &Arc<Metrics>,
    app: Option<&Arc<App>>,
) -> Result<Arc<dyn Provider>, HttpError> {
    Ok(match settings {
        ProviderSettings::Arvados(settings) => {
            let gate = app.map(|app| Arc::new(AppGate::new(app)) as Arc<dyn Gatehouse>);
            Arc::new(ArvadosProvider::new(Arc::clone(settings), gate)?)
        }
        ProviderSettings::Determined(settings) => Arc::new(DeterminedProvider::new(Arc::clone(settings))?),
        ProviderSettings::File(config, dns) => Arc::new(FileProvider::new(config, dns)),
        ProviderSettings::Own(services, dns) => Arc::new(OwnProvider::new(services, dns)),
        ProviderSettings::Ytsaurus(settings) => {
            Arc::new(YtsaurusProvider::new(Arc::clone(settings), Arc::clone(metrics))?)
        }
    })
}
