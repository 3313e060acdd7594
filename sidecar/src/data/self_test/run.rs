//! All stores tried at once, and what is made of that.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::join_all;
use thiserror::Error;

use crate::clock::SharedClock;
use crate::config::data::SelfTestConfig;
use crate::data::self_test::carrier::{Carrier, InProcess, Network};
use crate::data::self_test::report::{Outcome, Report, Step};
use crate::data::self_test::{Subject, self_test};
use crate::data::settings::resolve::DataPlan;
use crate::data::settings::resolve::stores::StoreSettings;
use crate::data::store::local::LocalStore;
use crate::data::store::{AzureSettings, AzureStore, GcsSettings, GcsStore, S3Settings, S3Store, Store, StoreError};
use crate::lifecycle::Tasks;
use crate::telemetry::metrics::{Metrics, StoreLabels};

/// How long trying a store may take.
const LONGEST: Duration = Duration::from_secs(120);

/// A store as the sidecar reaches it, and as clients do where that is elsewhere.
struct Sides {
    inside: Arc<dyn Store>,
    outside: Option<Arc<dyn Store>>,
}

/// Trying all stores when the sidecar starts.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The stores, and what is done about those that fail.
    pub plan: DataPlan,
    /// Those of them that the sidecar serves itself.
    pub local: Vec<Arc<LocalStore>>,
    /// What serves one.
    pub routes: fn(Arc<LocalStore>) -> Router,
    /// What time it is.
    pub clock: SharedClock,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

/// That stores can't do what will be asked of them, and that this is required.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`data.self_test` is `require`, and stores can't do what will be asked of them: {0}; see the log")]
pub struct Unfit(String);

impl Trial {
    /// Tries the stores, where that is configured: beside everything else, or, where they must be fit, before it.
    ///
    /// # Errors
    /// [`Unfit`], where they must be fit.
    pub async fn at_start(self, tasks: &Tasks) -> Result<(), Unfit> {
        match self.plan.self_test {
            SelfTestConfig::Off => {}
            SelfTestConfig::Report => {
                let stop = tasks.stop().clone();
                tasks.spawn("self-test of stores", async move {
                    tokio::select! {
                        _ = self.run() => {}
                        () = stop.cancelled() => {}
                    }
                });
            }
            SelfTestConfig::Require => {
                let reports = self.run().await;
                let unfit: Vec<&str> =
                    reports.iter().filter(|report| !report.is_good()).map(|report| report.store.as_str()).collect();
                if !unfit.is_empty() {
                    return Err(Unfit(unfit.join(", ")));
                }
            }
        }
        Ok(())
    }

    async fn run(&self) -> Vec<Report> {
        let reports = run_self_tests(&self.plan, &self.local, self.routes, &self.clock).await;
        tell(&reports, &self.metrics);
        reports
    }
}

/// Tries every store, all at one time. Local ones are among `local`; `routes` serves one.
pub async fn run_self_tests(
    plan: &DataPlan,
    local: &[Arc<LocalStore>],
    routes: fn(Arc<LocalStore>) -> Router,
    clock: &SharedClock,
) -> Vec<Report> {
    join_all(plan.stores.iter().map(async |(name, settings)| {
        let tried = tokio::time::timeout(LONGEST, run_one(name, settings, plan, local, routes, clock)).await;
        tried.unwrap_or_else(|_| failed(name, format!("it takes longer than {} s", LONGEST.as_secs())))
    }))
    .await
}

async fn run_one(
    name: &str,
    settings: &StoreSettings,
    plan: &DataPlan,
    local: &[Arc<LocalStore>],
    routes: fn(Arc<LocalStore>) -> Router,
    clock: &SharedClock,
) -> Report {
    match settings {
        StoreSettings::Local(settings) => {
            let Some(store) = local.iter().find(|store| store.name() == &settings.name) else {
                return failed(name, "it is not open".to_owned());
            };
            let carrier = InProcess(routes(Arc::clone(store)));
            let sides = Sides { inside: Arc::clone(store) as Arc<dyn Store>, outside: None };
            let mut report = try_out(name, &sides, &carrier, plan, clock).await;
            report.at(&settings.folder.display().to_string());
            report
        }
        settings => match (sides(settings, clock), Network::new()) {
            (Ok(sides), Ok(network)) => try_out(name, &sides, &network, plan, clock).await,
            (Err(error), _) => failed(name, error.to_string()),
            (_, Err(error)) => failed(name, error.to_string()),
        },
    }
}

async fn try_out(name: &str, sides: &Sides, carrier: &dyn Carrier, plan: &DataPlan, clock: &SharedClock) -> Report {
    let upload = &plan.settings.upload;
    self_test(Subject {
        name,
        store: &*sides.inside,
        public: sides.outside.as_deref(),
        carrier,
        prefix: upload.storage_prefix.as_ref(),
        create_only: upload.create_only,
        clock: &**clock,
    })
    .await
}

/// A service's store twice: signing for where the sidecar reaches it, and for where clients do.
fn sides(settings: &StoreSettings, clock: &SharedClock) -> Result<Sides, StoreError> {
    let clock = || Arc::clone(clock);
    let (inside, outside): (Arc<dyn Store>, Option<Arc<dyn Store>>) = match settings {
        StoreSettings::Azure(settings) => {
            let inside = AzureSettings { public_endpoint: None, ..settings.clone() };
            let outside = elsewhere(settings.endpoint.as_deref(), settings.public_endpoint.as_deref());
            let outside = outside.then(|| AzureStore::new(settings, clock())).transpose()?;
            (Arc::new(AzureStore::new(&inside, clock())?), outside.map(|store| Arc::new(store) as _))
        }
        StoreSettings::Gcs(settings) => {
            let inside = GcsSettings { public_endpoint: None, ..settings.clone() };
            let outside = elsewhere(settings.endpoint.as_deref(), settings.public_endpoint.as_deref());
            let outside = outside.then(|| GcsStore::new(settings, clock())).transpose()?;
            (Arc::new(GcsStore::new(&inside, clock())?), outside.map(|store| Arc::new(store) as _))
        }
        StoreSettings::S3(settings) => {
            let inside = S3Settings { public_endpoint: None, ..settings.clone() };
            let outside = elsewhere(settings.endpoint.as_deref(), settings.public_endpoint.as_deref());
            let outside = outside.then(|| S3Store::new(settings, clock())).transpose()?;
            (Arc::new(S3Store::new(&inside, clock())?), outside.map(|store| Arc::new(store) as _))
        }
        StoreSettings::Local(_) => return Err(StoreError::Unsupported("be reached at an endpoint")),
    };
    Ok(Sides { inside, outside })
}

/// Whether clients reach a store elsewhere than the sidecar does.
fn elsewhere(endpoint: Option<&str>, public: Option<&str>) -> bool {
    public.is_some() && public != endpoint
}

fn failed(name: &str, reason: String) -> Report {
    Report { store: name.to_owned(), steps: vec![(Step::Write, Outcome::Failed(reason))] }
}

/// Writes what came of it into the log, and into metrics.
fn tell(reports: &[Report], metrics: &Metrics) {
    for report in reports {
        let store = report.store.as_str();
        let gauge = metrics.data_stores_work.get_or_create(&StoreLabels { store: store.to_owned() }).clone();
        gauge.set(i64::from(report.is_good()));
        for (step, outcome) in &report.steps {
            match outcome {
                Outcome::Passed => {}
                Outcome::Warned(reason) => {
                    tracing::warn!(data.store = store, step = %step, reason, "a store was tried, and is not quite right");
                }
                Outcome::Failed(reason) => {
                    tracing::error!(data.store = store, step = %step, reason, "a store can't do what will be asked of it");
                }
            }
        }
        if report.is_good() {
            tracing::info!(data.store = store, "a store was tried, and works");
        }
    }
}
