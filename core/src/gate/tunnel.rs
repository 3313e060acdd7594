//! Tunnels: how a service that speaks raw TCP is reached by a WebSocket.
//!
//! A tunnel is a request like any other, with the same addresses, credentials and verdicts; but it goes to the sidecar,
//! which is told by a vouch ([`crate::visitor`]) which service it was permitted for, and speaks TCP to that one's jobs.
//! Nothing but a WebSocket gets there: to everything else such a service is none of HTTP.

use crate::denial::Denial;
use crate::edit::Upstream;
use crate::naming::ServiceDigest;
use crate::permit::OWN_PATHS;
use crate::request::Request;
use crate::service::{Protocol, Service};
use crate::table::Table;
use crate::visitor::{OWN_PROVIDER, TUNNEL_NAMES};

/// Where a request to a TCP service goes: the sidecar, where there are tunnels.
///
/// # Errors
/// [`Denial::ProtocolMismatch`]: it wants no WebSocket, or there are none.
pub(super) fn way<'t>(request: &Request<'_>, table: &'t Table) -> Result<Service<'t>, Denial> {
    let is_upgrade = request.upgrade.one().is_some_and(|to| to.eq_ignore_ascii_case(b"websocket"));
    let is_own_path = request.path.one().is_none_or(|path| path.starts_with(OWN_PATHS));
    if !is_upgrade || is_own_path || request.method.one() != Some(b"GET") {
        return Err(Denial::ProtocolMismatch);
    }
    let [operation, task, name] = TUNNEL_NAMES;
    let is_it = |row: &Service<'_>| row.provider == OWN_PROVIDER && row.task == task && row.answers_to(name);
    let digest = ServiceDigest::of(operation, task, name);
    let own = digest.ids().find_map(|id| table.service(id.as_str()).filter(&is_it));
    own.ok_or(Denial::ProtocolMismatch)
}

/// The same, spoken to in HTTP/1.1: that is where `Upgrade` is.
pub(super) fn upgradable(upstream: Upstream) -> Upstream {
    Upstream { protocol: Protocol::Http, ..upstream }
}
