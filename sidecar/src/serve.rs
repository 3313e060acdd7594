//! `taskgate serve`: puts the pieces together.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use serde::{Deserialize, Serialize};
use taskgate_core::key::{KeyId, Secret};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::access::desk::AccessDesk;
use crate::access::entrance::Entrance;
use crate::access::entrance::settings::EntranceSettings;
use crate::access::keeper::keep_house;
use crate::access::store::{AccessStore, AccessStoreError};
use crate::activity::{self, Activity};
use crate::api;
use crate::api::access::v1::AccessApi;
use crate::app::App;
use crate::auth::judge::docket::Docket;
use crate::auth::judge::{Judge, Shared, decisions};
use crate::clock::SharedClock;
use crate::config::resolve::Settings;
use crate::data::caller::gate::GateCallers;
use crate::data::caller::judge::{JudgeCallers, NotAskable};
use crate::data::desk::{DataDesk, DataDeskError, SharedKeys, shared_keys};
use crate::data::self_test::run::{Trial, Unfit};
use crate::data::settings::resolve::DataPlan;
use crate::decide::office::Office;
use crate::discovery::own::{OwnService, access_key, data_key, tunnel_key};
use crate::discovery::publisher::Mailbox;
use crate::feed::{ControlState, Feed};
use crate::gateway::board::Board;
use crate::gateway::start::Gateway;
use crate::gateway::store::open::LedgerError;
use crate::http::HttpError;
use crate::lifecycle::Tasks;
use crate::lifecycle::address::Listen;
use crate::lifecycle::fleet::Fleet;
use crate::lifecycle::listener::{BindError, Bound};
use crate::lifecycle::reload::{Reloader, live};
use crate::random::{self, NoRandomness};
use crate::registry::Registry;
use crate::registry::memory::Memory;
use crate::tasks::desk::{Desk, DeskError};
use crate::telemetry::logs::Logs;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::trace::export::{ExportError, Tracing};
use crate::tunnel::desk::TunnelDesk;
use crate::xds;

/// How long the task store may take to write what was asked of it last.
const STORE_GRACE: Duration = Duration::from_secs(5);

/// Where the sidecar listens, with the ports that were picked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The filter's listener: `ip:port` or `unix:/path`.
    pub internal: String,
    /// The operations listener.
    pub operations: String,
    /// The listener that ingresses without the filter ask, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_auth: Option<String>,
    /// The listener that Envoy reads addresses of jobs from, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xds: Option<String>,
    /// The listener of clients of tasks and of data, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
}

/// Why the sidecar did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Share links can't be kept.
    #[error(transparent)]
    Access(#[from] AccessStoreError),
    /// It can't listen.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Opening stores broke; a bug.
    #[error("opening stores of data broke; please report this")]
    Broken,
    /// There is no API of data.
    #[error(transparent)]
    Data(#[from] DataDeskError),
    /// There are no tasks.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// It can't be kept who has which port.
    #[error(transparent)]
    Gateway(#[from] LedgerError),
    /// There is no HTTP client.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A key that was made up has no valid name; a bug.
    #[error("no key could be made up: {0}")]
    Key(#[from] taskgate_core::key::InvalidKeyId),
    /// Nobody can be asked about the service of data; a bug.
    #[error(transparent)]
    NotAskable(#[from] NotAskable),
    /// There are no random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// There are no traces.
    #[error(transparent)]
    Tracing(#[from] ExportError),
    /// A store can't do what will be asked of it.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// What a sidecar is started with, beside its settings.
#[derive(Debug)]
pub struct Setting {
    /// The clock.
    pub clock: SharedClock,
    /// The configuration file, for reloads.
    pub config_path: Option<PathBuf>,
    /// The running logs, whose level a reload changes.
    pub logs: Option<Arc<Logs>>,
}

/// A running sidecar.
#[derive(Debug)]
pub struct Running {
    /// What its listeners share.
    pub app: Arc<App>,
    /// Where it listens.
    pub addresses: Addresses,
    tasks: Tasks,
    gateway: Option<Gateway>,
    /// What the task store needs: it ends last, since workers give back what they hold.
    store: Tasks,
    reloads: mpsc::Sender<()>,
    grace: Duration,
    /// Ends last of all: what ends before it may have a part in a trace.
    tracing: Option<Tracing>,
}

/// Starts a sidecar; when this returns, it listens.
///
/// # Errors
/// [`StartError`].
pub async fn start(settings: Settings, setting: Setting) -> Result<Running, StartError> {
    let internal = Bound::bind("internal.listen", &settings.internal).await?;
    let operations = Bound::bind("operations.listen", &settings.operations).await?;
    let forward_auth = match settings.forward_auth_listen() {
        Some(listen) => Some(Bound::bind("forward_auth.listen", listen).await?),
        None => None,
    };
    let envoys = match &settings.xds {
        Some(xds) => Some(Bound::bind("xds.listen", &xds.listen).await?),
        None => None,
    };
    let public = match &settings.public {
        Some(listen) => Some(Bound::bind("public.listen", listen).await?),
        None => None,
    };
    let addresses = Addresses {
        internal: internal.listen().to_string(),
        operations: operations.listen().to_string(),
        public: public.as_ref().map(|public| public.listen().to_string()),
        xds: envoys.as_ref().map(|envoys| envoys.listen().to_string()),
        forward_auth: forward_auth.as_ref().map(|bound| bound.listen().to_string()),
    };
    let tracing = settings.otlp.as_ref().map(Tracing::start).transpose()?;
    let tasks = Tasks::new();
    let metrics = Arc::new(Metrics::new());
    let store = Tasks::new();
    let desk = desk(&settings, &setting.clock, &metrics, &store).await?;
    let shares = AccessStore::of(&settings.access).await?;
    let gateway = match &settings.gateway {
        Some(gateway) => Some(Gateway::open(gateway, &setting.clock).await?),
        None => None,
    };
    let board = gateway.as_ref().map(Gateway::board);
    let app = assemble(&settings, setting.clock, metrics, Kept { desk, shares, board }, &tasks)?;
    app.access.refresh().await?;
    app.registry.refuse_endpoints(
        [&internal, &operations]
            .into_iter()
            .chain(&public)
            .chain(&forward_auth)
            .chain(&envoys)
            .filter_map(own_address)
            .collect(),
    );

    let mailbox = Arc::new(Mailbox::default());
    let url_keys = shared_keys(app.control.keys());
    let data = match &settings.data {
        Some(plan) => Some(open_data(plan, &app, &url_keys, &tasks).await?),
        None => None,
    };
    let own = own_services(&settings, public.as_ref(), &app);
    let mut fleet = Fleet::new(own, Arc::clone(&mailbox), tasks.clone());
    fleet.apply(&settings, &app)?;
    follow(&settings, &app, mailbox, &tasks);
    if let Some(desk) = &app.desk {
        desk.keep_house(&tasks);
        desk.work(&tasks)?;
    }
    if let Some(public) = public {
        let access = settings.entrance.as_ref().map(|entrance| access_routes(entrance, &app, &url_keys)).transpose()?;
        let tunnels = settings.tunnels.as_ref();
        let tunnels = tunnels.map(|tunnels| TunnelDesk::new(tunnels, Arc::clone(&app), tasks.clone()));
        let reception = app.desk.as_ref().map(|desk| desk.reception(tasks.stop().clone())).transpose()?;
        let router = api::public::router(&app, access, reception.map(Arc::new).as_ref(), data.as_ref(), tunnels);
        tasks.spawn("public", public.serve(router, tasks.clone()));
    }
    if let Some(forward_auth) = forward_auth {
        let office = Office::open(Arc::clone(&app), &tasks)?;
        tasks.spawn("forward-auth", forward_auth.serve(api::decide::router(&office), tasks.clone()));
    }
    if let (Some(envoys), Some(settings)) = (envoys, &settings.xds) {
        let board = gateway.as_ref().and_then(Gateway::envoys);
        xds::serve(envoys, settings, board, &app, &tasks);
    }
    if let Some(gateway) = &gateway {
        gateway.keep(&app, &tasks);
    }
    keep_house(&app, &tasks);
    tasks.spawn("activity", activity::tell_providers(Arc::clone(&app), tasks.stop().clone()));
    tasks.spawn("startup", give_up_waiting(Arc::clone(&app), settings.startup));
    tasks.spawn("internal", internal.serve(api::internal::router(&app), tasks.clone()));
    tasks.spawn("operations", operations.serve(api::operations::router(&app), tasks.clone()));

    let (reloads, requests) = mpsc::channel(1);
    let grace = settings.grace;
    let reloader = Reloader {
        path: setting.config_path,
        files: settings.files.clone(),
        started: settings,
        app: Arc::clone(&app),
        tasks: tasks.clone(),
        fleet,
        url_keys,
        logs: setting.logs,
    };
    tasks.spawn("reload", reloader.run(requests));
    tracing::info!(
        internal.listen = addresses.internal,
        operations.listen = addresses.operations,
        public.listen = addresses.public.as_deref(),
        xds.listen = addresses.xds.as_deref(),
        forward_auth.listen = addresses.forward_auth.as_deref(),
        "listening"
    );
    Ok(Running { app, addresses, tasks, gateway, store, reloads, grace, tracing })
}

impl Running {
    /// Asks for a reload. One that waits already is enough.
    pub fn reload(&self) {
        let _ = self.reloads.try_send(());
    }

    /// Ends: not ready any more, no new connections, long polls answered at once, and what is under
    /// way may finish within the grace. Whether all of it did.
    pub async fn end(self) -> bool {
        tracing::info!("ending");
        let ended = self.tasks.end(self.grace).await;
        if !ended {
            tracing::warn!(grace_secs = self.grace.as_secs(), "some requests did not finish in time");
        }
        if let Some(desk) = &self.app.desk {
            self.store.end(STORE_GRACE).await;
            desk.store().close().await;
        }
        self.app.access.store().close().await;
        if let Some(gateway) = &self.gateway {
            gateway.close().await;
        }
        if let Some(tracing) = self.tracing {
            tracing.end().await;
        }
        ended
    }
}

/// Starts what makes the table of what providers see.
fn follow(settings: &Settings, app: &App, mailbox: Arc<Mailbox>, tasks: &Tasks) {
    app.registry.set_name_rules(settings.names.clone());
    app.registry.refuse_more(settings.refused.clone());
    let named = CancellationToken::new();
    if let Some(directory) = &settings.state_directory {
        let mut memory = Memory::new(directory, Arc::clone(&app.metrics));
        memory.restore(&app.registry);
        tasks.spawn("names", memory.keep(Arc::clone(&app.registry), named.clone()));
    }
    let table = Arc::clone(&app.registry).run(mailbox, tasks.stop().clone());
    // What is named last is kept too: the registry ends first.
    let named = named.drop_guard();
    tasks.spawn("registry", async move {
        table.await;
        drop(named);
    });
}

/// Where people sign in, and what they and their programs ask about access.
fn access_routes(settings: &EntranceSettings, app: &Arc<App>, keys: &SharedKeys) -> Result<Router, StartError> {
    if settings.plain_http {
        tracing::warn!("`sessions.plain_http`: whoever sees the traffic can take sessions over; for development alone");
    } else if !settings.is_host_cookie {
        tracing::warn!(
            "`gate.session_cookie` does not begin with `__Host-`: a job's page could set it for other services; write \
             `__Host-taskgate`, or `sessions.plain_http: true` for development without TLS"
        );
    }
    let entrance = Arc::new(Entrance::new(settings, Arc::clone(app))?);
    let judged = Arc::new(JudgeCallers::new(Arc::clone(app))?);
    let callers = Arc::new(GateCallers::new(&access_key(), Arc::clone(keys), Arc::clone(&app.clock), judged));
    Ok(api::access::routes(&entrance, AccessApi { app: Arc::clone(app), callers }))
}

async fn desk(
    settings: &Settings,
    clock: &SharedClock,
    metrics: &Arc<Metrics>,
    store: &Tasks,
) -> Result<Option<Arc<Desk>>, DeskError> {
    let Some(of_tasks) = &settings.tasks else { return Ok(None) };
    Desk::open(of_tasks, &settings.keys, Arc::clone(clock), Arc::clone(metrics), store).await.map(Some)
}

/// The API of data, with stores that were tried.
async fn open_data(plan: &DataPlan, app: &Arc<App>, keys: &SharedKeys, tasks: &Tasks) -> Result<DataDesk, StartError> {
    let judged = Arc::new(JudgeCallers::new(Arc::clone(app))?);
    let callers = Arc::new(GateCallers::new(&data_key(), Arc::clone(keys), Arc::clone(&app.clock), judged));
    let desk = {
        let (plan, keys, clock) = (plan.clone(), Arc::clone(keys), Arc::clone(&app.clock));
        tokio::task::spawn_blocking(move || DataDesk::open(&plan, callers, &keys, &clock)).await
    };
    let desk = desk.map_err(|_| StartError::Broken)??;
    desk.keep_house(&app.clock, tasks);
    let trial = Trial {
        plan: plan.clone(),
        local: desk.local.clone(),
        routes: api::objects::routes,
        clock: Arc::clone(&app.clock),
        metrics: Arc::clone(&app.metrics),
    };
    trial.at_start(tasks).await?;
    Ok(desk)
}

/// What the sidecar itself is behind the gate. Its names are kept for it.
fn own_services(settings: &Settings, public: Option<&Bound>, app: &App) -> Vec<OwnService> {
    let Some(public) = public else { return Vec::new() };
    let data = settings.data.as_ref().and_then(|data| data.service.as_ref()).map(|service| (data_key(), service));
    let access = settings.entrance.as_ref().map(|entrance| (access_key(), &entrance.service));
    let tunnels = settings.tunnels.as_ref().map(|tunnels| (tunnel_key(), &tunnels.service));
    let own =
        data.into_iter().chain(access).chain(tunnels).filter_map(|(key, service)| service.own(key, public.listen()));
    let own: Vec<OwnService> = own.collect();
    for service in &own {
        app.registry.reserve(service.label.clone(), service.key.clone());
    }
    own
}

/// What outlives the process, or tells of it.
struct Kept {
    desk: Option<Arc<Desk>>,
    shares: AccessStore,
    board: Option<Arc<Board>>,
}

fn assemble(
    settings: &Settings,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    kept: Kept,
    tasks: &Tasks,
) -> Result<Arc<App>, StartError> {
    let Kept { desk, shares, board } = kept;
    let keys = keys(settings)?;
    let control = Arc::new(ControlState::new(settings.gate.clone(), keys, settings.verdicts.fingerprint));
    let feed = Arc::new(Feed::new(random::non_zero()?, control.control()));
    let registry = Arc::new(Registry::new(Arc::clone(&feed), Arc::clone(&clock), Arc::clone(&metrics)));
    let access =
        AccessDesk::new(shares, settings.access.clone(), Arc::clone(&control), Arc::clone(&feed), Arc::clone(&clock));
    let access = Arc::new(access);
    let shared = Arc::new(Shared {
        access: Some(Arc::clone(&access)),
        decisions: decisions(settings.verdicts.cache_entries),
        docket: Arc::new(Docket::new(tasks.clone())),
        cache_key: random::bytes()?,
        clock: Arc::clone(&clock),
        metrics: Arc::clone(&metrics),
    });
    let app = App {
        activity: Arc::new(Activity::new(Arc::clone(&clock))),
        clock,
        feed,
        control,
        access,
        gateway: board,
        registry,
        providers: RwLock::default(),
        judge: ArcSwap::from_pointee(Judge::new(&settings.verdicts, shared, tasks)?),
        desk,
        live: ArcSwap::from_pointee(live(settings, &settings.gate)),
        metrics,
        stop: tasks.stop().clone(),
    };
    Ok(Arc::new(app))
}

/// The key ring, current key first; one that is made up where none is configured.
pub(crate) fn keys(settings: &Settings) -> Result<Vec<(KeyId, Secret)>, StartError> {
    if !settings.keys.is_empty() {
        return Ok(settings.keys.clone());
    }
    tracing::warn!("no `keys` are configured: sessions will not survive a restart; `taskgate key new` makes a key");
    // A name of its own each time: a token under a key of an earlier life is no token, not a forgery.
    let id = format!("r{:015x}", random::non_zero()? >> 4);
    Ok(vec![(KeyId::parse(&id)?, Secret::new(random::bytes()?))])
}

fn own_address(bound: &Bound) -> Option<SocketAddr> {
    match bound.listen() {
        Listen::Tcp(address) => Some(*address),
        Listen::Unix { .. } => None,
    }
}

async fn give_up_waiting(app: Arc<App>, startup: Duration) {
    tokio::select! {
        () = tokio::time::sleep(startup) => app.registry.stop_waiting(),
        () = app.stop.cancelled() => {}
    }
}
