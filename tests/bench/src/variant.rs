//! The ways from a client to the upstream that are compared.

use std::net::SocketAddr;

use crate::arguments::Options;
use crate::catalogue::token;
use crate::envoy_config::listener;
use crate::experiments;
use crate::request::{Credential, Requests};
use crate::stage::Gate;

/// How many visitors there are where there are many. A worker keeps 512 assertions.
const VISITORS: usize = 8_192;

/// A way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Taskgate, with a session, and an assertion for the job that the worker has made before.
    Asserted,
    /// The same with so many visitors that each assertion is made anew.
    AssertedAnew,
    /// External authorisation over gRPC.
    AuthzGrpc,
    /// External authorisation over HTTP.
    AuthzHttp,
    /// Taskgate, with a token on which the worker has a verdict.
    Cached,
    /// The same, with a table of that many services, in an Envoy of its own.
    CachedAmong(usize),
    /// The same with a changed Envoy configuration.
    Experiment(&'static str),
    /// Taskgate, with sessions of as many visitors, and no assertion.
    ManySessions,
    /// A static route with a filter that does nothing.
    Noop,
    /// A static route.
    Plain,
    /// Taskgate, with a service for everybody.
    Public,
    /// Taskgate, with a session.
    Session,
    /// Taskgate, where every request costs a question to the sidecar.
    Uncached,
}

/// A way, and what is sent along it.
#[derive(Debug)]
pub(crate) struct Variant<'a> {
    pub(crate) way: Way,
    pub(crate) gate: &'a Gate,
    pub(crate) address: SocketAddr,
    pub(crate) service: String,
    pub(crate) credential: Credential,
    pub(crate) requests: Requests,
}

impl Way {
    /// The name of the way's listener.
    fn listener(self) -> &'static str {
        match self {
            Self::AuthzGrpc => listener::AUTHZ_GRPC,
            Self::AuthzHttp => listener::AUTHZ_HTTP,
            Self::Asserted
            | Self::AssertedAnew
            | Self::Cached
            | Self::CachedAmong(_)
            | Self::ManySessions
            | Self::Public
            | Self::Session
            | Self::Uncached => listener::TASKGATE,
            Self::Experiment(name) => name,
            Self::Noop => listener::NOOP,
            Self::Plain => listener::PLAIN,
        }
    }

    /// Whether each of its requests asks the sidecar.
    pub(crate) fn asks_always(self) -> bool {
        matches!(self, Self::Uncached | Self::Experiment(experiments::ASKING_HTTP2))
    }

    /// Its name.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Asserted => "taskgate session, asserted".to_owned(),
            Self::AssertedAnew => "taskgate sessions, each signed".to_owned(),
            Self::AuthzGrpc => "ext_authz gRPC".to_owned(),
            Self::AuthzHttp => "ext_authz HTTP".to_owned(),
            Self::Cached => "taskgate cached".to_owned(),
            Self::CachedAmong(services) => format!("taskgate cached, {services} services"),
            Self::Experiment(name) => name.to_owned(),
            Self::ManySessions => "taskgate sessions of many".to_owned(),
            Self::Noop => "no-op wasm filter".to_owned(),
            Self::Plain => "plain route".to_owned(),
            Self::Public => "taskgate public".to_owned(),
            Self::Session => "taskgate session".to_owned(),
            Self::Uncached => "taskgate uncached".to_owned(),
        }
    }
}

/// All variants: every way through the first gate, and a cached verdict through each.
pub(crate) async fn all<'a>(gates: &'a [Gate], options: &Options) -> anyhow::Result<Vec<Variant<'a>>> {
    let mut variants = Vec::new();
    for (place, gate) in gates.iter().enumerate() {
        let ways = match place {
            0 => first(options.experiments),
            _ => vec![Way::CachedAmong(gate.table.services)],
        };
        let catalogue = &gate.table.catalogue;
        let unseen = Requests::unseen(catalogue.protected.clone(), gate.table.tokens);
        for way in ways {
            let is_wanted = options.only.as_deref().is_none_or(|part| way == Way::Plain || way.name().contains(part));
            if is_wanted {
                variants.push(Variant::new(way, gate, &unseen).await?);
            }
        }
    }
    Ok(variants)
}

/// The ways through the first gate.
fn first(experiments: bool) -> Vec<Way> {
    let mut ways = vec![
        Way::Plain,
        Way::Noop,
        Way::Cached,
        Way::Session,
        Way::Public,
        Way::Uncached,
        Way::AuthzGrpc,
        Way::AuthzHttp,
    ];
    if experiments {
        ways.extend(experiments::names().map(Way::Experiment));
    }
    ways
}

/// Sessions of visitors, so many that a worker forgets what it made for each before it comes again.
async fn visitors(gate: &Gate) -> anyhow::Result<Vec<Credential>> {
    let mut sessions = Vec::with_capacity(VISITORS);
    for number in 0..VISITORS {
        sessions.push(Credential::Session(gate.table.session_of(&format!("visitor-{number}")).await?));
    }
    Ok(sessions)
}

impl<'a> Variant<'a> {
    /// A way through a gate, with requests of its own.
    pub(crate) async fn new(way: Way, gate: &'a Gate, unseen: &Requests) -> anyhow::Result<Self> {
        let catalogue = &gate.table.catalogue;
        let (service, credential) = match way {
            Way::Public => (catalogue.public.clone(), Credential::None),
            Way::Asserted | Way::AssertedAnew | Way::ManySessions | Way::Session => {
                (catalogue.favourite().to_owned(), Credential::Session(gate.table.session().await?))
            }
            _ => (catalogue.favourite().to_owned(), Credential::Token(token(0))),
        };
        let requests = match way {
            _ if way.asks_always() => unseen.clone(),
            Way::AssertedAnew | Way::ManySessions => Requests::turns(&service, &visitors(gate).await?),
            _ => Requests::same(&service, &credential),
        };
        let address = gate.envoy.listener_address(way.listener()).await?;
        Ok(Self { way, gate, address, service, credential, requests })
    }
}
