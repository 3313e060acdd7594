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
pub mod path;
pub mod visitor_host;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
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
use crate::lifecycle::listener::{ACCEPT_PAUSE, HEADER_TIMEOUT, MAX_CONNECTIONS};

/// The most services that have a way through the controller. Each has a port.
const MAX_ROUTES: usize = 4_096;
/// The most connections to one service at once. The controller has room for fewer requests.
const MAX_TO_ONE: usize = 256;

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

/// How a service is reached.
#[derive(Clone, Debug)]
pub struct Way {
    /// The service.
    pub target: Target,
    /// Whether Arvados itself lets everybody in, without a token.
    pub is_open: bool,
    /// How containers are called there.
    pub origins: Arc<Origins>,
}

/// The way to containers through the controller.
#[derive(Debug)]
pub struct Relay {
    settings: ControllerSettings,
    exchange: Arc<Exchange>,
    origins: ArcSwapOption<Origins>,
    routes: Mutex<BTreeMap<Target, Route>>,
    bound: Notify,
    /// Room for connections to all services.
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct Route {
    address: SocketAddr,
    way: Way,
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
            room: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        }))
    }

    /// Asks the cluster how its containers are called. It is asked again and again: under a name that it does not
    /// take for a container's any more, a request would be one to its own API, with the token for containers.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn learn(&self, client: &Client, deadline: Instant) -> Result<(), CallError> {
        let config: Config = client.call(client.own_token(), &Call::new("config"), deadline).await?;
        let url = config.services.containers.map(|containers| containers.external_url);
        let said = url.as_deref().and_then(Origins::parse);
        let configured = self.settings.external_url.as_deref().and_then(Origins::parse);
        let origins = said.filter(|said| configured.is_none_or(|configured| configured == *said));
        if self.origins.load().as_deref() != origins.as_ref() {
            tracing::info!("the cluster calls its containers otherwise now");
            self.origins.store(origins.map(Arc::new));
            let mut routes = self.routes();
            routes.values().for_each(|route| route.stop.cancel());
            routes.clear();
        }
        Ok(())
    }

    /// Where the proxy finds a service of a container. `is_open`: Arvados itself lets everybody in.
    ///
    /// # Errors
    /// Why there is no way, for people.
    pub fn address(&self, container: &Uuid, port: u16, is_open: bool) -> Result<SocketAddr, String> {
        let Some(origins) = self.origins.load_full() else {
            return Err("the cluster has no `ContainerWebServices` with a `*` in its `ExternalURL`, or another than \
                        `controller.external_url`"
                .into());
        };
        let target = Target { container: container.clone(), port };
        let mut routes = self.routes();
        match routes.get(&target) {
            Some(route) if route.way.is_open == is_open => return Ok(route.address),
            Some(route) => route.stop.cancel(),
            None => {}
        }
        routes.remove(&target);
        if routes.len() >= MAX_ROUTES {
            return Err(format!("more than {MAX_ROUTES} services go through the controller"));
        }
        let listener = TcpListener::bind((self.settings.listen, 0));
        let bound = listener.and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        });
        let (address, listener) = bound.map_err(|error| format!("no port for the way to the controller: {error}"))?;
        let way = Way { target: target.clone(), is_open, origins };
        routes.insert(target, Route { address, way, listener: Some(listener), stop: CancellationToken::new() });
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
            for (way, listener, stop) in self.unserved() {
                let (exchange, room) = (Arc::clone(&self.exchange), Arc::clone(&self.room));
                serving.spawn(serve(exchange, way, listener, room, stop));
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.bound.notified() => {}
                Some(_) = serving.join_next() => {}
            }
        }
    }

    fn unserved(&self) -> Vec<(Way, TcpListener, CancellationToken)> {
        let mut routes = self.routes();
        let taken = routes
            .values_mut()
            .filter_map(|route| Some((route.way.clone(), route.listener.take()?, route.stop.clone())));
        taken.collect()
    }

    fn routes(&self) -> MutexGuard<'_, BTreeMap<Target, Route>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves one service until it goes.
async fn serve(
    exchange: Arc<Exchange>,
    way: Way,
    listener: TcpListener,
    of_all: Arc<Semaphore>,
    stop: CancellationToken,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(service.operation = %way.target.container, %error, "no way to the controller");
            return;
        }
    };
    let (way, of_one) = (Arc::new(way), Arc::new(Semaphore::new(MAX_TO_ONE)));
    let mut connections = JoinSet::new();
    loop {
        // Who finds no room waits in the kernel's queue.
        let next = async {
            let one = Arc::clone(&of_one).acquire_owned().await.map_err(io::Error::other)?;
            let (stream, _) = listener.accept().await?;
            let all = Arc::clone(&of_all).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((stream, (one, all)))
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = next => accepted,
        };
        while connections.try_join_next().is_some() {}
        let (stream, room) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (exchange, way) = (Arc::clone(&exchange), Arc::clone(&way));
        connections.spawn(async move {
            let answer = service_fn(move |request| {
                let (exchange, way) = (Arc::clone(&exchange), Arc::clone(&way));
                async move { Ok::<_, Infallible>(exchange.answer(&way, request).await) }
            });
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            // Peers that hang up are everyday life of a server.
            let _ = server.serve_connection(TokioIo::new(stream), answer).await;
            drop(room);
        });
    }
}
