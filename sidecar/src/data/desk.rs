//! What the API of data runs on: stores and catalogs that are open, and what looks after them.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderValue;
use taskgate_core::key::{KeyId, KeyRing, Secret};
use thiserror::Error;

use crate::clock::SharedClock;
use crate::data::caller::Callers;
use crate::data::logs::NoLogReaders;
use crate::data::placement::{Placement, UnknownStore};
use crate::data::service::{DataParts, DataService};
use crate::data::settings::resolve::DataPlan;
use crate::data::settings::resolve::catalog::{NoCatalog, OpenCatalogs};
use crate::data::settings::resolve::stores::OpenStores;
use crate::data::store::StoreError;
use crate::data::store::local::LocalStore;
use crate::lifecycle::Tasks;

/// How often what nobody finished is cleared away.
const HOUSEKEEPING: Duration = Duration::from_secs(3_600);

/// What the API of data runs on.
#[derive(Debug)]
pub struct DataDesk {
    /// The service.
    pub service: Arc<DataService>,
    /// The stores that the sidecar serves itself.
    pub local: Vec<Arc<LocalStore>>,
    /// Whose pages may ask from a browser.
    pub origins: Vec<HeaderValue>,
    catalogs: OpenCatalogs,
}

/// Why there is no API of data.
#[derive(Debug, Error)]
pub enum DataDeskError {
    /// A catalog can't be opened.
    #[error("`data.catalog`: {0}")]
    Catalog(#[from] NoCatalog),
    /// Logs can't be read.
    #[error("`data.logs`: {0}")]
    Logs(#[from] NoLogReaders),
    /// A store that is named is none.
    #[error("`data.placement`: {0}")]
    Placement(#[from] UnknownStore),
    /// A store can't be opened.
    #[error("`data.stores.{0}`: {1}")]
    Store(String, StoreError),
}

/// The keys that sign URLs of local stores, where a reload may change them.
pub type SharedKeys = Arc<ArcSwap<KeyRing>>;

/// Makes them, current key first.
#[must_use]
pub fn shared_keys(keys: Vec<(KeyId, Secret)>) -> SharedKeys {
    Arc::new(ArcSwap::from_pointee(KeyRing::new(keys)))
}

impl DataDesk {
    /// Opens stores and catalogs. It blocks.
    ///
    /// # Errors
    /// [`DataDeskError`].
    pub fn open(
        plan: &DataPlan,
        callers: Arc<dyn Callers>,
        keys: &SharedKeys,
        clock: &SharedClock,
    ) -> Result<Self, DataDeskError> {
        let OpenStores { stores, local } =
            OpenStores::open(&plan.stores, keys, clock).map_err(|(name, error)| DataDeskError::Store(name, error))?;
        let catalogs = OpenCatalogs::open(&plan.catalog)?;
        let service = DataService::new(DataParts {
            callers,
            catalog: Arc::clone(&catalogs.catalog),
            placement: Placement::new(stores, plan.placement.clone())?,
            settings: plan.settings.clone(),
            logs: plan.logs.clone(),
        })?;
        Ok(Self { service: Arc::new(service), local, origins: plan.origins.clone(), catalogs })
    }

    /// Starts what follows the catalogs' files and clears away what nobody finished.
    pub fn keep_house(&self, clock: &SharedClock, tasks: &Tasks) {
        for file in &self.catalogs.files {
            let file = Arc::clone(file);
            let stop = tasks.stop().clone();
            tasks.keep("catalog", stop.clone(), move |_| {
                let (file, stop) = (Arc::clone(&file), stop.clone());
                async move { file.run(stop).await }
            });
        }
        let (service, local, clock) = (Arc::clone(&self.service), self.local.clone(), Arc::clone(clock));
        let stop = tasks.stop().clone();
        tasks.keep("data housekeeping", stop.clone(), move |_| {
            let (service, local, clock, stop) = (Arc::clone(&service), local.clone(), Arc::clone(&clock), stop.clone());
            async move {
                loop {
                    clear_away(&local).await;
                    service.collect_orphans(clock.now()).await;
                    tokio::select! {
                        () = tokio::time::sleep(HOUSEKEEPING) => {}
                        () = stop.cancelled() => return,
                    }
                }
            }
        });
    }
}

async fn clear_away(stores: &[Arc<LocalStore>]) {
    for store in stores {
        let (name, store) = (store.name().clone(), Arc::clone(store));
        match tokio::task::spawn_blocking(move || store.collect()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(store = name.as_str(), %error, "unfinished uploads can't be cleared away"),
            Err(_) => tracing::error!(store = name.as_str(), "clearing away unfinished uploads broke"),
        }
    }
}
