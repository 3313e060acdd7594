//! The one resolver: which service a request is for.
//!
//! A request can name its service in its host, in `x-yt-taskproxy-id`, in a name triple, or, on hosts that are meant
//! for that, in its path ([`path`]). It may do so more than once, but then every way must lead to the same service:
//! verdict and upstream are both computed from this one result, so nothing can be authorised as one service and sent
//! to another.

pub mod path;

use crate::denial::Denial;
use crate::label::Label;
use crate::naming::{ServiceDigest, alias_label, is_like_an_id};
use crate::request::{Field, Request};
use crate::service::Service;
use crate::table::Table;

/// The longest host that is looked at, in bytes (RFC 1035 allows 253 for the name).
const MAX_HOST: usize = 300;
/// The longest name in a header triple, in bytes.
const MAX_NAME: usize = 256;

/// The host names that are ours.
#[derive(Clone, Debug)]
pub struct Domains {
    /// Lower case, without a dot at either end.
    bases: Vec<String>,
    /// Labels under a base domain that name the gateway itself and so no service.
    gateways: Vec<Label>,
    /// Hosts whose paths name services: whole names in lower case.
    path_hosts: Vec<String>,
}

impl Domains {
    /// The domains under which services are named, and the labels that are the gateway's own.
    /// None where a base domain is no host name.
    #[must_use]
    pub fn new(bases: &[String], gateways: &[Label]) -> Option<Self> {
        let mut names = Vec::new();
        for base in bases {
            match Host::parse(base.trim_start_matches('.').as_bytes())? {
                Host::Name(name) => names.push(name),
                Host::Empty | Host::Literal => return None,
            }
        }
        Some(Self { bases: names, gateways: gateways.to_vec(), path_hosts: Vec::new() })
    }

    /// The same, with hosts whose paths name services. None where one is no host name, or can be that of a service.
    #[must_use]
    pub fn with_path_hosts(self, hosts: &[String]) -> Option<Self> {
        let mut path_hosts = Vec::new();
        for host in hosts {
            match Host::parse(host.as_bytes())? {
                Host::Name(name) if matches!(self.place(&name), Place::Elsewhere) => path_hosts.push(name),
                Host::Name(_) | Host::Empty | Host::Literal => return None,
            }
        }
        Some(Self { path_hosts, ..self })
    }

    /// Whether a host (`host` or `host:port`) is one whose paths name services.
    #[must_use]
    pub fn is_path_host(&self, host: &[u8]) -> bool {
        let has = |name: &String| self.path_hosts.contains(name);
        !self.path_hosts.is_empty() && matches!(Host::parse(host), Some(Host::Name(name)) if has(&name))
    }

    /// The label directly under a base domain that a host (`host` or `host:port`) has, and the host's name without a
    /// port; none where it names no service.
    #[must_use]
    pub fn find(&self, host: &[u8]) -> Option<(Label, String)> {
        let Host::Name(name) = Host::parse(host)? else { return None };
        match self.place(&name) {
            Place::Label(label) => Some((label, name)),
            Place::Elsewhere | Place::Nothing | Place::Paths => None,
        }
    }

    /// The label of a host name that is directly under a base domain.
    #[must_use]
    pub fn label(&self, host: &[u8]) -> Option<Label> {
        match Host::parse(host) {
            Some(Host::Name(name)) => match self.place(&name) {
                Place::Label(label) => Some(label),
                Place::Elsewhere | Place::Nothing | Place::Paths => None,
            },
            _ => None,
        }
    }

    /// What a host name says about the service. Where base domains are nested, the nearest counts.
    fn place(&self, name: &str) -> Place {
        if self.path_hosts.iter().any(|host| host == name) {
            return Place::Paths;
        }
        let head = |base: &String| match name.strip_suffix(base.as_str())? {
            "" => Some(""),
            head => head.strip_suffix('.'),
        };
        match self.bases.iter().filter_map(head).min_by_key(|head| head.len()) {
            None | Some("") => Place::Elsewhere,
            Some(head) => match Label::parse(head.as_bytes()) {
                Ok(label) if self.gateways.contains(&label) => Place::Elsewhere,
                Ok(label) => Place::Label(label),
                // Not directly under the base domain, or no label: it names nothing we have.
                Err(_) => Place::Nothing,
            },
        }
    }
}

enum Place {
    /// A host that names no service: the gateway's own, or one outside the base domains.
    Elsewhere,
    /// A label directly under a base domain.
    Label(Label),
    /// Under a base domain, but it can't name a service.
    Nothing,
    /// A host whose paths name services.
    Paths,
}

/// A host as a request gives it.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    Empty,
    /// An IP address.
    Literal,
    /// A name in lower case, without port and without the root's dot.
    Name(String),
}

impl Host {
    /// Reads `host`, `host:port`, `[ipv6]` or `[ipv6]:port` (RFC 3986, section 3.2, without user
    /// information, which RFC 9110, section 4.2.4, rules out).
    fn parse(text: &[u8]) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::Empty);
        }
        if text.len() > MAX_HOST {
            return None;
        }
        let text = core::str::from_utf8(text).ok()?;
        if let Some(rest) = text.strip_prefix('[') {
            let (literal, port) = rest.split_once(']')?;
            let address = literal.parse::<core::net::Ipv6Addr>().is_ok();
            return (address && (port.is_empty() || is_port(port.strip_prefix(':')?))).then_some(Self::Literal);
        }
        let name = match text.split_once(':') {
            Some((name, port)) if is_port(port) => name,
            Some(_) => return None,
            None => text,
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_name =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !name.split('.').all(is_name) {
            return None;
        }
        if name.parse::<core::net::Ipv4Addr>().is_ok() {
            return Some(Self::Literal);
        }
        Some(Self::Name(name.to_ascii_lowercase()))
    }
}

/// A port, or none after the colon (RFC 3986 allows that).
fn is_port(text: &str) -> bool {
    text.is_empty() || (text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

/// Which service a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved<'t> {
    /// The service.
    pub service: Service<'t>,
    /// Whether the host names it by a label that another owner's service may have had before: any but those that are
    /// made of the service's own names.
    pub by_alias: bool,
    /// Whether the path names it: then the host is shared with other services, and with their platform.
    pub by_path: bool,
}

/// Which service the request is for.
///
/// # Errors
/// The denial to reply with: no name, a malformed, repeated, incomplete or conflicting one, or one
/// that no service has.
pub fn resolve<'t>(request: &Request<'_>, domains: &Domains, table: &'t Table) -> Result<Resolved<'t>, Denial> {
    let mut found: Found<'t> = Found::default();
    let (mut by_alias, mut by_path) = (false, false);
    match host(request)? {
        Host::Name(name) => match domains.place(&name) {
            Place::Label(label) => {
                by_alias = !is_like_an_id(&label);
                found.add(table.service(label.as_str()));
            }
            Place::Nothing => found.add(None),
            Place::Elsewhere => {}
            Place::Paths => {
                if let Some(named) = single(request.path)?.map(path::Named::read).transpose()?.flatten() {
                    by_path = true;
                    found.add(named.find(table));
                }
            }
        },
        Host::Empty | Host::Literal => {}
    }
    if let Some(id) = single(request.id)? {
        let label = Label::parse(id).map_err(|_| Denial::MalformedAddress)?;
        found.add(table.service(label.as_str()));
    }
    for service in by_triple(request, table)? {
        found.add(service);
    }
    found.service(table.is_complete()).map(|service| Resolved { service, by_alias, by_path })
}

/// What the ways to name a service led to.
#[derive(Default)]
struct Found<'t> {
    service: Option<Service<'t>>,
    ways: usize,
    misses: usize,
    disagree: bool,
}

impl<'t> Found<'t> {
    fn add(&mut self, service: Option<Service<'t>>) {
        self.ways = self.ways.saturating_add(1);
        match (&self.service, service) {
            (_, None) => self.misses = self.misses.saturating_add(1),
            (None, Some(service)) => self.service = Some(service),
            (Some(first), Some(service)) => self.disagree |= first.id != service.id,
        }
    }

    fn service(self, complete: bool) -> Result<Service<'t>, Denial> {
        if self.disagree {
            return Err(Denial::ConflictingAddress);
        }
        if self.misses > 0 && !complete {
            return Err(Denial::TableLoading);
        }
        match self.service {
            Some(service) if self.misses == 0 => Ok(service),
            Some(_) => Err(Denial::ConflictingAddress),
            None if self.ways == 0 => Err(Denial::AddressMissing),
            None => Err(Denial::UnknownService),
        }
    }
}

/// The request's host: from `:authority`, `Host` and an absolute-form target, which must agree.
fn host(request: &Request<'_>) -> Result<Host, Denial> {
    let target = single(request.path)?.and_then(absolute_authority);
    let mut host = Host::Empty;
    for source in [request.authority, request.host, target.map_or(Field::Absent, Field::One)] {
        let Some(text) = single(source)? else { continue };
        let next = Host::parse(text).ok_or(Denial::MalformedAddress)?;
        if host != Host::Empty && host != next {
            return Err(Denial::ConflictingAddress);
        }
        host = next;
    }
    Ok(host)
}

/// The authority in a request target of absolute form (RFC 9112, section 3.2.2).
fn absolute_authority(path: &[u8]) -> Option<&[u8]> {
    let scheme = path.get(..8)?.to_ascii_lowercase();
    let rest = if scheme.starts_with(b"http://") {
        path.get(7..)?
    } else if scheme == b"https://" {
        path.get(8..)?
    } else {
        return None;
    };
    rest.split(|byte| matches!(byte, b'/' | b'?' | b'#')).next()
}

/// What the header triples lead to: by operation id, by alias, or both.
fn by_triple<'t>(request: &Request<'_>, table: &'t Table) -> Result<Vec<Option<Service<'t>>>, Denial> {
    let operation_id = name(request.operation_id)?;
    let alias = name(request.operation_alias)?;
    let (task, service) = match (name(request.task_name)?, name(request.service)?) {
        (Some(task), Some(service)) if operation_id.is_some() || alias.is_some() => (task, service),
        (None, None) if operation_id.is_none() && alias.is_none() => return Ok(Vec::new()),
        _ => return Err(Denial::IncompleteAddress),
    };
    let mut found = Vec::new();
    if let Some(operation) = operation_id {
        let is_it = |row: &Service<'_>| row.operation == operation && row.task == task && row.answers_to(service);
        let ids = ServiceDigest::of(operation, task, service);
        let row = ids.ids().find_map(|id| table.service(id.as_str()).filter(&is_it));
        found.push(row);
    }
    if let Some(alias) = alias {
        let alias = alias.strip_prefix('*').unwrap_or(alias);
        let is_it = |row: &Service<'_>| row.alias == Some(alias) && row.task == task && row.answers_to(service);
        let row = alias_label(alias, task, service).and_then(|label| table.service(label.as_str())).filter(is_it);
        found.push(row);
    }
    Ok(found)
}

fn single(field: Field<'_>) -> Result<Option<&[u8]>, Denial> {
    match field {
        Field::Absent => Ok(None),
        Field::One(value) => Ok(Some(value)),
        Field::Repeated => Err(Denial::DuplicateAddress),
    }
}

fn name(field: Field<'_>) -> Result<Option<&str>, Denial> {
    let Some(value) = single(field)? else { return Ok(None) };
    match core::str::from_utf8(value) {
        Ok(text) if !text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control) => Ok(Some(text)),
        _ => Err(Denial::MalformedAddress),
    }
}

#[cfg(test)]
mod tests;
