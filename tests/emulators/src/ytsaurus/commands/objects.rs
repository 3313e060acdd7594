//! What can be read like nodes and is none: nodes of the cluster with their jobs, users, transactions, locks.

use crate::yson::{Yson, YsonMap};
use crate::ytsaurus::cluster::Cluster;
use crate::ytsaurus::cypress::Path;
use crate::ytsaurus::error::{ClusterError, codes};
use crate::ytsaurus::guid::Guid;
use crate::ytsaurus::jobs::NodeOutage;

/// What is at a path; none if the path has nothing to do with such things.
pub(super) fn find(cluster: &Cluster, path: &Path) -> Option<Result<Yson, ClusterError>> {
    if let Some(object) = path.object {
        let attributes = described(cluster, object)?;
        return Some(attribute(path, &attributes));
    }
    let names: Vec<&str> = path.names.iter().map(String::as_str).collect();
    let [first, second, rest @ ..] = names.as_slice() else { return None };
    match (*first, *second) {
        ("sys", "exec_nodes") => Some(exec_nodes(cluster, path, rest)),
        ("sys", "transactions") => Some(transactions(cluster, path, rest)),
        ("sys", "users") => Some(named(path, rest, cluster.access.users())),
        ("sys", "groups") => Some(named(path, rest, cluster.access.groups())),
        _ => None,
    }
}

fn described(cluster: &Cluster, object: Guid) -> Option<Yson> {
    cluster.cypress.transaction_attributes(object).or_else(|| cluster.cypress.lock_attributes(object))
}

fn transactions(cluster: &Cluster, path: &Path, rest: &[&str]) -> Result<Yson, ClusterError> {
    let Some((id, more)) = rest.split_first() else {
        let ids = cluster.cypress.transactions();
        return Ok(Yson::map(ids.into_iter().map(|id| (id.to_string(), Yson::entity()))));
    };
    let found = id.parse().ok().and_then(|id| cluster.cypress.transaction_attributes(id));
    match found {
        Some(attributes) if more.is_empty() => attribute(path, &attributes),
        _ => Err(missing(path, "//sys/transactions", id)),
    }
}

fn named<'a>(path: &Path, rest: &[&str], names: impl Iterator<Item = &'a str>) -> Result<Yson, ClusterError> {
    let all: YsonMap = names.map(|name| (name.into(), Yson::entity())).collect();
    match rest {
        [] => Ok(all.into()),
        [name] if all.contains_key(name.as_bytes()) => attribute(path, &Yson::map([("name", Yson::from(*name))])),
        [name, ..] => Err(missing(path, "//sys", name)),
    }
}

/// Nodes that run jobs, down to what they say about each.
fn exec_nodes(cluster: &Cluster, path: &Path, rest: &[&str]) -> Result<Yson, ClusterError> {
    let jobs = &cluster.jobs;
    let Some((address, inside)) = rest.split_first() else {
        return Ok(Yson::map(jobs.addresses().into_iter().map(|address| (address, Yson::entity()))));
    };
    let outage = jobs.outage(address);
    if outage == Some(NodeOutage::Gone) {
        return Err(missing(path, "//sys/exec_nodes", address));
    }
    if inside.is_empty() {
        if !jobs.addresses().contains(address) {
            return Err(missing(path, "//sys/exec_nodes", address));
        }
        let state = if outage.is_some() { "offline" } else { "online" };
        let attributes = Yson::map([("state", Yson::from(state)), ("address", Yson::from(*address))]);
        return match path.attribute {
            Some(_) => attribute(path, &attributes),
            None => Ok(Yson::map([("orchid", Yson::entity())])),
        };
    }
    if outage == Some(NodeOutage::Unreachable) {
        return Err(unreachable(path, address));
    }
    let Some(wanted) = inside.strip_prefix(&["orchid", "exec_node", "job_controller", "active_jobs"]) else {
        return Err(missing(path, &format!("//sys/exec_nodes/{address}"), inside[0]));
    };
    let Some((id, fields)) = wanted.split_first() else {
        let active = jobs.active_at(address).map(|(id, job)| (id.to_string(), job.orchid()));
        return Ok(Yson::map(active));
    };
    let job = id.parse().ok().and_then(|id| jobs.find(id));
    let job = job.filter(|job| job.is_active && job.address == *address);
    let job = job.ok_or_else(|| missing(path, "/exec_node/job_controller/active_jobs", id))?;
    let orchid = job.orchid();
    orchid.at(fields).cloned().ok_or_else(|| missing(path, id, fields.last().copied().unwrap_or_default()))
}

/// What the attribute part of a path leads to; all if it has none.
fn attribute(path: &Path, attributes: &Yson) -> Result<Yson, ClusterError> {
    let steps: Vec<&str> = match &path.attribute {
        None => return Ok(Yson::entity()),
        Some(steps) => steps.iter().map(String::as_str).collect(),
    };
    attributes.at(&steps).cloned().ok_or_else(|| {
        let name = steps.first().copied().unwrap_or_default();
        let reason = ClusterError::new(codes::RESOLVE, format!("Attribute \"{name}\" is not found"));
        ClusterError::resolve(&path.text, reason)
    })
}

fn missing(path: &Path, parent: &str, name: &str) -> ClusterError {
    let reason = ClusterError::new(codes::RESOLVE, format!("Node {parent} has no child with key \"{name}\""));
    ClusterError::resolve(&path.text, reason)
}

fn unreachable(path: &Path, address: &str) -> ClusterError {
    let refused = ClusterError::new(codes::TRANSPORT, format!("Connection to {address} refused"));
    let reason = ClusterError::new(codes::UNAVAILABLE, format!("Channel to {address} is unavailable")).because(refused);
    ClusterError::generic(format!("Error communicating with the orchid of node {address}"))
        .with("path", path.text.as_str())
        .because(reason)
}
