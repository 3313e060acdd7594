//! Puts the internal task gateway together: what listens, who keeps which port is whose, and what is told.

use std::sync::Arc;

use crate::app::App;
use crate::clock::SharedClock;
use crate::gateway::board::Board;
use crate::gateway::envoy::EnvoyPlane;
use crate::gateway::keeper::{Keeper, Terms};
use crate::gateway::ledger::Ledger;
use crate::gateway::plane::Plane;
use crate::gateway::probe::HostProbe;
use crate::gateway::settings::{BackEnd, GatewaySettings, KubernetesGatewaySettings};
use crate::gateway::store::SqlLedger;
use crate::gateway::store::open::LedgerError;
use crate::lifecycle::Tasks;
use crate::xds::ports::board::Board as EnvoyBoard;

/// The internal task gateway.
#[derive(Debug)]
pub struct Gateway {
    board: Arc<Board>,
    terms: Terms,
    ledger: Arc<dyn Ledger>,
    plane: Arc<dyn Plane>,
    database: Option<Arc<SqlLedger>>,
    envoys: Option<Arc<EnvoyBoard>>,
}

impl Gateway {
    /// Opens what is configured. Nothing listens yet.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn open(settings: &GatewaySettings, clock: &SharedClock) -> Result<Self, LedgerError> {
        for warning in settings.warnings() {
            tracing::warn!("`internal_task_gateway`: {warning}");
        }
        match &settings.back_end {
            BackEnd::Envoy(envoy) => {
                let database = Arc::new(SqlLedger::open(&envoy.store, Arc::clone(clock)).await?.resting(settings.rest));
                let board = Board::new(settings);
                let plane = Arc::new(EnvoyPlane::new(envoy.clone(), board.secrets(), settings.program_timeout));
                let (envoys, ledger) = (Some(plane.board()), Arc::<SqlLedger>::clone(&database));
                Ok(Self { board, terms: Terms::of(settings), ledger, plane, database: Some(database), envoys })
            }
            BackEnd::Kubernetes(gateway) => kubernetes(settings, gateway, clock),
        }
    }

    fn new(settings: &GatewaySettings, ledger: Arc<dyn Ledger>, plane: Arc<dyn Plane>) -> Self {
        let (board, terms) = (Board::new(settings), Terms::of(settings));
        Self { board, terms, ledger, plane, database: None, envoys: None }
    }

    /// What is told of TCP services.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// What proxies are told to listen at, where those are what listens.
    #[must_use]
    pub fn envoys(&self) -> Option<Arc<EnvoyBoard>> {
        self.envoys.clone()
    }

    /// Starts to keep ports.
    pub fn keep(&self, app: &Arc<App>, tasks: &Tasks) {
        let keeper = Keeper {
            registry: Arc::clone(&app.registry),
            feed: Arc::clone(&app.feed),
            ledger: Arc::clone(&self.ledger),
            plane: Arc::clone(&self.plane),
            probe: Arc::new(HostProbe::new(self.board.host().clone())),
            board: Arc::clone(&self.board),
            terms: self.terms,
            metrics: Arc::clone(&app.metrics),
        };
        let stop = tasks.stop().clone();
        tasks.keep("internal task gateway", tasks.stop().clone(), move |_| {
            let (keeper, stop) = (keeper.clone(), stop.clone());
            async move { keeper.run(&stop).await }
        });
    }

    /// Ends all connections to its store.
    pub async fn close(&self) {
        if let Some(database) = &self.database {
            database.close().await;
        }
    }
}

#[cfg(feature = "kubernetes")]
fn kubernetes(
    settings: &GatewaySettings,
    gateway: &KubernetesGatewaySettings,
    clock: &SharedClock,
) -> Result<Gateway, LedgerError> {
    use crate::gateway::kubernetes::KubernetesGateway;

    let (timeout, rest) = (settings.program_timeout, settings.rest);
    let cluster = Arc::new(KubernetesGateway::new(gateway.clone(), timeout, rest, Arc::clone(clock)));
    Ok(Gateway::new(settings, Arc::<KubernetesGateway>::clone(&cluster), cluster))
}

#[cfg(not(feature = "kubernetes"))]
fn kubernetes(_: &GatewaySettings, _: &KubernetesGatewaySettings, _: &SharedClock) -> Result<Gateway, LedgerError> {
    Err(LedgerError::NoKubernetes)
}
