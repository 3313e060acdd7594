//! The way to containers through the cluster's controller.
//!
//! Why: a container's own address is known to the controller alone, which wants a host of its own form and a
//! token in a cookie. So requests go through the sidecar, which writes both. Each service has a port of its own
//! here: which container is meant is not told by anything that a client wrote. What comes for a service that is
//! not open to all has to be vouched for by the filter, for that very service.
//!
//! It keeps nothing of bodies and holds back nothing; the controller does. What the controller can't do is refused
//! here, with words, instead of failing in silence: see [`exchange`].
//!
//! Never: a token of one visitor for another's request, unless an operator chose one for all.

pub mod authorship;
pub mod exchange;
pub mod gatehouse;
pub mod headers;
pub mod origin;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::arvados::client::error::CallError;
use crate::arvados::client::{Call, Client};
use crate::arvados::discovery::compose;
use crate::arvados::lent::Lent;
use crate::arvados::relay::exchange::Exchange;
use crate::arvados::relay::gatehouse::Gatehouse;
use crate::arvados::relay::origin::Origins;
use crate::arvados::settings::{ArvadosSettings, ControllerSettings};
use crate::arvados::uuid::Uuid;
use crate::discovery::inventory::{Inventory, ServiceKey};
use crate::http::HttpError;

/// The most services that have a way through the controller. Each has a port.
const MAX_ROUTES: usize = 4_096;
/// The most connections to one service at once. The controller has room for fewer requests.
const MAX_CONNECTIONS: usize = 256;

/// A service that is reached through the controller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The container.
    pub container: Uuid,
    /// The port.
    pub port: u16,
}

impl Target {
    /// The service's names.
    #[must_use]
    pub fn key(&self) -> ServiceKey {
        let service = format!("port_{}", self.port);
        ServiceKey { operation: self.container.to_string(), task: compose::TASK.into(), service }
    }
}

/// The way to containers through the controller.
#[derive(Debug)]
pub struct Relay {
    settings: ControllerSettings,
    exchange: Arc<Exchange>,
    origins: ArcSwapOption<Origins>,
    routes: Mutex<BTreeMap<Target, Route>>,
    bound: Notify,
}

#[derive(Debug)]
struct Route {
    address: SocketAddr,
    /// Until somebody serves it.
    listener: Option<TcpListener>,
    stop: CancellationToken,
}

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "Services")]
    services: Services,
}

#[derive(Deserialize)]
struct Services {
    #[serde(rename = "ContainerWebServices")]
    containers: Option<WebServices>,
}

#[derive(Deserialize)]
struct WebServices {
    #[serde(rename = "ExternalURL")]
    external_url: String,
}

impl Relay {
    /// A relay for a provider that has a controller; none for another.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(
        settings: &ArvadosSettings,
        gatehouse: Arc<dyn Gatehouse>,
        lent: Option<Lent>,
    ) -> Result<Option<Self>, HttpError> {
        let Some(controller) = settings.controller.clone() else { return Ok(None) };
        let origins = controller.external_url.as_deref().and_then(Origins::parse).map(Arc::new);
        let exchange = Arc::new(Exchange::new(settings, &controller, gatehouse, lent)?);
        Ok(Some(Self {
            settings: controller,
            exchange,
            origins: ArcSwapOption::new(origins),
            routes: Mutex::default(),
            bound: Notify::new(),
        }))
    }

    /// Asks the cluster how its containers are called, where that is not known.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn learn(&self, client: &Client, deadline: Instant) -> Result<(), CallError> {
        if self.origins.load().is_none() {
            let config: Config = client.call(client.own_token(), &Call::new("config"), deadline).await?;
            let url = config.services.containers.map(|containers| containers.external_url);
            self.origins.store(url.as_deref().and_then(Origins::parse).map(Arc::new));
        }
        Ok(())
    }

    /// Where the proxy finds a service of a container.
    ///
    /// # Errors
    /// Why there is no way, for people.
    pub fn address(&self, container: &Uuid, port: u16) -> Result<SocketAddr, String> {
        if self.origins.load().is_none() {
            return Err("the cluster has no `ContainerWebServices` with a `*` in its `ExternalURL`; set \
                        `controller.external_url`"
                .into());
        }
        let target = Target { container: container.clone(), port };
        let mut routes = self.routes();
        if let Some(route) = routes.get(&target) {
            return Ok(route.address);
        }
        if routes.len() >= MAX_ROUTES {
            return Err(format!("more than {MAX_ROUTES} services go through the controller"));
        }
        let listener = TcpListener::bind((self.settings.listen, 0));
        let bound = listener.and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        });
        let (address, listener) = bound.map_err(|error| format!("no port for the way to the controller: {error}"))?;
        routes.insert(target, Route { address, listener: Some(listener), stop: CancellationToken::new() });
        drop(routes);
        self.bound.notify_one();
        Ok(address)
    }

    /// Closes the ways to services that are not there any more.
    pub fn keep(&self, inventory: &Inventory) {
        let keys: std::collections::HashSet<&ServiceKey> =
            inventory.services.iter().filter(|entry| entry.vouched).map(|entry| &*entry.key).collect();
        self.routes().retain(|target, route| {
            let is_there = keys.contains(&target.key());
            if !is_there {
                route.stop.cancel();
            }
            is_there
        });
    }

    /// Serves until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        // What was served before, by a run that broke, is served by nobody now.
        self.routes().retain(|_, route| route.listener.is_some());
        let mut serving = JoinSet::new();
        loop {
            for (target, listener, stop) in self.unserved() {
                let (exchange, origins) = (Arc::clone(&self.exchange), self.origins.load_full());
                let Some(origins) = origins else { continue };
                serving.spawn(serve(exchange, origins, target, listener, stop));
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.bound.notified() => {}
                Some(_) = serving.join_next() => {}
            }
        }
    }

    fn unserved(&self) -> Vec<(Target, TcpListener, CancellationToken)> {
        let mut routes = self.routes();
        let taken = routes
            .iter_mut()
            .filter_map(|(target, route)| Some((target.clone(), route.listener.take()?, route.stop.clone())));
        taken.collect()
    }

    fn routes(&self) -> MutexGuard<'_, BTreeMap<Target, Route>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves one service until it goes.
async fn serve(
    exchange: Arc<Exchange>,
    origins: Arc<Origins>,
    target: Target,
    listener: TcpListener,
    stop: CancellationToken,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(service.operation = %target.container, %error, "no way to the controller");
            return;
        }
    };
    let (target, room) = (Arc::new(target), Arc::new(Semaphore::new(MAX_CONNECTIONS)));
    let mut connections = JoinSet::new();
    loop {
        // Who finds no room waits in the kernel's queue.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
        };
        while connections.try_join_next().is_some() {}
        let (exchange, origins, target) = (Arc::clone(&exchange), Arc::clone(&origins), Arc::clone(&target));
        connections.spawn(async move {
            let answer = service_fn(move |request| {
                let (exchange, origins, target) = (Arc::clone(&exchange), Arc::clone(&origins), Arc::clone(&target));
                async move { Ok::<_, Infallible>(exchange.answer(&origins, &target, request).await) }
            });
            // Peers that hang up are everyday life of a server.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            drop(place);
        });
    }
}
