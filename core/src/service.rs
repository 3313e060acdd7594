//! A service as the gate sees it: one row of the table.
//!
//! The row is the smallest form a decision needs. What a provider knows beyond that stays in the
//! sidecar.

use core::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::label::{InvalidLabel, Label};

/// The most endpoints one row may carry; a request tries at most three of them.
pub const MAX_ENDPOINTS: usize = 64;
/// The most labels one row may carry beside its id.
pub const MAX_LABELS: usize = 8;
/// The most bytes of any one name in a row.
pub const MAX_NAME: usize = 256;

/// What a job speaks on its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// gRPC, over HTTP/2 without TLS.
    Grpc,
    /// HTTP/1.1, upgrades to WebSocket included.
    Http,
    /// Raw TCP: never reachable through the HTTP gate.
    Tcp,
    /// WebSocket, over HTTP/1.1.
    WebSocket,
}

/// How much a person must be allowed to do with the workload to use the service.
///
/// Levels are ordered: who can manage can also read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLevel {
    /// Everybody, without a credential.
    Public,
    /// Who can read the workload.
    CanRead,
    /// Who can write the workload.
    CanWrite,
    /// Who can manage the workload.
    CanManage,
    /// The workload's owner alone.
    Owner,
    /// No one: the service is named but closed.
    Nobody,
}

/// Where a job listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// The job's address. Names are resolved before they get here.
    pub address: SocketAddr,
    /// Share of first attempts, relative to the row's other endpoints. 0: only when others fail.
    pub weight: u8,
}

/// A service, borrowed from its row.
///
/// Invariants, checked by [`Service::pack`] and [`PackedRow::parse`]: `id` and `labels` are
/// [`Label`]s in lower case; at least one name in `services`; names are at most [`MAX_NAME`] bytes and
/// have no control characters; at most [`MAX_ENDPOINTS`] endpoints, each with a port and a
/// specified unicast address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service<'a> {
    /// The canonical id: the label that every session and verdict is bound to.
    pub id: &'a str,
    /// Other labels that name this service (an alias name, the id of an alternative service name).
    #[serde(borrow)]
    pub labels: Vec<&'a str>,
    /// Which provider published it.
    pub provider: &'a str,
    /// The workload, in the provider's own form (an operation id).
    pub operation: &'a str,
    /// The workload's alias, without a leading `*`.
    pub alias: Option<&'a str>,
    /// Task name.
    pub task: &'a str,
    /// Service names: the canonical one first, then others that mean the same.
    #[serde(borrow)]
    pub services: Vec<&'a str>,
    /// What the job speaks.
    pub protocol: Protocol,
    /// Where its jobs listen.
    pub endpoints: Vec<Endpoint>,
    /// Who may use it.
    pub access: AccessLevel,
    /// Whose it is.
    pub owner: Option<&'a str>,
    /// Whether the visitor's credential is passed on to the job. Off unless an operator asked.
    pub forward_credential: bool,
    /// Whether its upstream wants a proof of who asks ([`crate::visitor`]): the sidecar itself, or something of it.
    pub vouched: bool,
    /// What the path of each request must begin with, up to a `/`, where the upstream serves other services as well.
    pub path: Option<&'a str>,
    /// Tells one owner of a name from the next: a browser that was at this name under another one has things of that
    /// owner's.
    pub origin: u32,
    /// Rises when access to the service changes: verdicts given under another epoch are void.
    pub epoch: u32,
}

/// Why a row is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidService {
    /// The bytes are no row of this version.
    #[error("row can't be read")]
    Encoding,
    /// An endpoint with port 0, or an unspecified, broadcast or multicast address.
    #[error("endpoint is not a unicast address with a port")]
    Endpoint,
    /// An id or a label that is none.
    #[error("invalid name: {0}")]
    Label(#[from] InvalidLabel),
    /// An id or label with upper-case letters.
    #[error("label is not in lower case")]
    LabelCase,
    /// An empty or oversized name or path, or one with control characters.
    #[error("operation, task, service, provider, alias, owner or path is empty, too long or has control characters")]
    Name,
    /// No service name at all.
    #[error("row has no service name")]
    NoServiceName,
    /// More endpoints or labels than a row may have.
    #[error("row has too many endpoints or labels")]
    TooMany,
}

impl AccessLevel {
    /// Its name in configurations and in audits.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::CanRead => "can_read",
            Self::CanWrite => "can_write",
            Self::CanManage => "can_manage",
            Self::Owner => "owner",
            Self::Nobody => "nobody",
        }
    }
}

impl Service<'_> {
    /// The row's packed form.
    ///
    /// # Errors
    /// Which invariant does not hold.
    pub fn pack(&self) -> Result<PackedRow, InvalidService> {
        self.check()?;
        let bytes = postcard::to_allocvec(self).map_err(|_| InvalidService::Encoding)?;
        Ok(PackedRow(bytes.into_boxed_slice()))
    }

    /// Whether `name` is one of the service's names.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        self.services.contains(&name)
    }

    /// The canonical service name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.services.first().copied().unwrap_or_default()
    }

    fn check(&self) -> Result<(), InvalidService> {
        if self.endpoints.len() > MAX_ENDPOINTS || self.labels.len() > MAX_LABELS || self.services.len() > MAX_LABELS {
            return Err(InvalidService::TooMany);
        }
        for label in core::iter::once(&self.id).chain(&self.labels) {
            if Label::parse(label.as_bytes())?.as_str() != *label {
                return Err(InvalidService::LabelCase);
            }
        }
        if self.services.is_empty() {
            return Err(InvalidService::NoServiceName);
        }
        let required = [self.provider, self.operation, self.task];
        let names = required.iter().chain(&self.services).chain(self.alias.iter()).chain(self.owner.iter());
        let names = names.chain(self.path.iter());
        if names.into_iter().any(|name| !is_name(name)) {
            return Err(InvalidService::Name);
        }
        if self.endpoints.iter().any(|endpoint| !is_reachable(&endpoint.address)) {
            return Err(InvalidService::Endpoint);
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control)
}

fn is_reachable(address: &SocketAddr) -> bool {
    let unicast = match address.ip() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_broadcast() && !ip.is_multicast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    unicast && address.port() != 0
}

/// A row in its packed, stored form.
///
/// Invariant: the bytes decode to a [`Service`] that keeps its invariants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackedRow(Box<[u8]>);

impl PackedRow {
    /// Takes the bytes of a row.
    ///
    /// # Errors
    /// Which invariant does not hold.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidService> {
        let (service, rest) = postcard::take_from_bytes::<Service<'_>>(bytes).map_err(|_| InvalidService::Encoding)?;
        if !rest.is_empty() {
            return Err(InvalidService::Encoding);
        }
        service.check()?;
        Ok(Self(bytes.into()))
    }

    /// The packed bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The service in the row.
    ///
    /// # Errors
    /// [`InvalidService::Encoding`]; by the type's invariant that does not happen, and where it did,
    /// the caller treats the service as absent.
    pub fn service(&self) -> Result<Service<'_>, InvalidService> {
        postcard::from_bytes(&self.0).map_err(|_| InvalidService::Encoding)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> Service<'static> {
        Service {
            id: "ae5cf6f5",
            labels: vec!["greeter-example_grpc_server-server"],
            provider: "file",
            operation: "a8ef7695-3de07913-5103e8-e29a6707",
            alias: Some("greeter"),
            task: "example_grpc_server",
            services: vec!["server"],
            protocol: Protocol::Http,
            endpoints: vec![
                Endpoint { address: SocketAddr::from(([10, 0, 0, 1], 27001)), weight: 1 },
                Endpoint { address: SocketAddr::from(([10, 0, 0, 2], 27001)), weight: 1 },
            ],
            access: AccessLevel::CanRead,
            owner: Some("alice"),
            forward_credential: false,
            vouched: false,
            path: None,
            origin: 0xa11ce,
            epoch: 1,
        }
    }

    #[test]
    fn packs_and_reads_back() {
        let row = example().pack().expect("a valid row");
        assert_eq!(row.service(), Ok(example()));
        assert_eq!(PackedRow::parse(row.as_bytes()), Ok(row));
    }

    #[test]
    fn refuses_rows_that_break_an_invariant() {
        let broken = |change: fn(&mut Service<'static>)| {
            let mut service = example();
            change(&mut service);
            service.pack().map(|_| ())
        };
        assert_eq!(broken(|s| s.id = "AE5CF6F5"), Err(InvalidService::LabelCase));
        assert_eq!(broken(|s| s.id = "a.b"), Err(InvalidService::Label(InvalidLabel::Character)));
        assert_eq!(broken(|s| s.services = vec![]), Err(InvalidService::NoServiceName));
        assert_eq!(broken(|s| s.task = ""), Err(InvalidService::Name));
        assert_eq!(broken(|s| s.owner = Some("a\r\nb")), Err(InvalidService::Name));
        assert_eq!(broken(|s| s.endpoints[0].address.set_port(0)), Err(InvalidService::Endpoint));
        assert_eq!(
            broken(|s| s.endpoints[0].address = SocketAddr::from(([0, 0, 0, 0], 80))),
            Err(InvalidService::Endpoint)
        );
        assert_eq!(broken(|s| s.labels = vec!["a"; 9]), Err(InvalidService::TooMany));
    }

    #[test]
    fn refuses_bytes_that_are_no_row() {
        let row = example().pack().expect("a valid row");
        let mut long = row.as_bytes().to_vec();
        long.push(0);
        assert_eq!(PackedRow::parse(&long), Err(InvalidService::Encoding));
        for end in 0..row.as_bytes().len() {
            assert!(PackedRow::parse(&row.as_bytes()[..end]).is_err(), "cut at {end}");
        }
    }
}
