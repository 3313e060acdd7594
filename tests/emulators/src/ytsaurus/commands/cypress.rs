//! Nodes and attributes.

use super::{Output, Request, done, objects, single};
use crate::yson::{Yson, YsonMap};
use crate::ytsaurus::cluster::Cluster;
use crate::ytsaurus::cypress::{CreateOptions, LockKey, LockMode, LockRequest, NodeKind, Path};
use crate::ytsaurus::error::ClusterError;
use crate::ytsaurus::state::State;

pub(in crate::ytsaurus) fn create(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let parameters = request.parameters;
    let path = request.path()?;
    let kind = NodeKind::parse(parameters.required_text("type")?)?;
    let attributes = parameters.find("attributes").and_then(Yson::as_map).cloned();
    let options = CreateOptions {
        is_recursive: parameters.flag("recursive", false)?,
        ignores_existing: parameters.flag("ignore_existing", false)?,
        ignores_type: parameters.flag("ignore_type_mismatch", false)?,
        is_forced: parameters.flag("force", false)?,
        attributes: attributes.unwrap_or_else(YsonMap::new),
    };
    let mut cluster = state.cluster();
    permit(&cluster, request, "write", &path)?;
    request.check_transactions(&cluster, &path)?;
    let node = cluster.cypress.create(&path, kind, options, request.actor()?)?;
    Ok(Output::Value(Yson::map([("node_id", node)])))
}

pub(in crate::ytsaurus) fn set(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let path = request.path()?;
    let value = request.input_value()?;
    let is_recursive = request.parameters.flag("recursive", false)?;
    let is_forced = request.parameters.flag("force", false)?;
    let mut cluster = state.cluster();
    permit(&cluster, request, "write", &path)?;
    request.check_transactions(&cluster, &path)?;
    cluster.cypress.set(&path, value, is_recursive, is_forced, request.actor()?)?;
    Ok(done())
}

pub(in crate::ytsaurus) fn remove(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let path = request.path()?;
    let is_recursive = request.parameters.flag("recursive", true)?;
    let is_forced = request.parameters.flag("force", false)?;
    let mut cluster = state.cluster();
    permit(&cluster, request, "remove", &path)?;
    request.check_transactions(&cluster, &path)?;
    cluster.cypress.remove(&path, is_recursive, is_forced, request.actor()?)?;
    Ok(done())
}

pub(in crate::ytsaurus) fn get(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let path = request.path()?;
    let wanted = request.parameters.texts("attributes")?;
    let cluster = state.cluster();
    permit(&cluster, request, "read", &path)?;
    request.check_transactions(&cluster, &path)?;
    let value = match objects::find(&cluster, &path) {
        Some(found) => found?,
        None => cluster.cypress.get(&path, request.parameters.transaction()?, wanted.as_deref())?,
    };
    drop(cluster);
    single(request, "value", value)
}

pub(in crate::ytsaurus) fn list(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let path = request.path()?;
    let wanted = request.parameters.texts("attributes")?.unwrap_or_default();
    let limit = request.parameters.number("max_size")?;
    let cluster = state.cluster();
    permit(&cluster, request, "read", &path)?;
    request.check_transactions(&cluster, &path)?;
    let names = match objects::find(&cluster, &path) {
        Some(found) => Yson::list(found?.as_map().into_iter().flat_map(YsonMap::keys).map(Vec::as_slice)),
        None => cluster.cypress.list(&path, request.parameters.transaction()?, &wanted, limit)?,
    };
    drop(cluster);
    single(request, "value", names)
}

pub(in crate::ytsaurus) fn exists(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let path = request.path()?;
    let cluster = state.cluster();
    request.check_transactions(&cluster, &path)?;
    let exists = match objects::find(&cluster, &path) {
        Some(found) => found.is_ok(),
        None => cluster.cypress.exists(&path, request.parameters.transaction()?),
    };
    Ok(Output::Value(Yson::map([("value", exists)])))
}

pub(in crate::ytsaurus) fn lock(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let parameters = request.parameters;
    let path = request.path()?;
    let mode = LockMode::parse(parameters.text("mode")?.unwrap_or("exclusive"))?;
    let key = match (parameters.text("child_key")?, parameters.text("attribute_key")?) {
        (None, None) => LockKey::Whole,
        _ if mode != LockMode::Shared => {
            return Err(ClusterError::generic("Keys can only be specified for shared locks"));
        }
        (Some(name), None) => LockKey::Child(name.to_owned()),
        (None, Some(name)) => LockKey::Attribute(name.to_owned()),
        (Some(_), Some(_)) => {
            return Err(ClusterError::generic("Cannot specify both \"child_key\" and \"attribute_key\""));
        }
    };
    if parameters.flag("waitable", false)? {
        return Err(ClusterError::generic("Waitable locks are not emulated"));
    }
    let transaction = parameters.transaction()?;
    let transaction = transaction.ok_or_else(|| ClusterError::generic("A valid master transaction is required"))?;
    let mut cluster = state.cluster();
    permit(&cluster, request, if mode == LockMode::Snapshot { "read" } else { "write" }, &path)?;
    request.check_transactions(&cluster, &path)?;
    let node = cluster.cypress.resolve(&path, Some(transaction))?;
    let lock = cluster.cypress.lock(node, transaction, &LockRequest { mode, key })?;
    let revision = cluster.cypress.content_revision(node);
    Ok(Output::Value(Yson::map([
        ("lock_id", Yson::from(lock)),
        ("node_id", node.into()),
        ("revision", revision.into()),
    ])))
}

pub(in crate::ytsaurus) fn unlock(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let path = request.path()?;
    let transaction = request.named_transaction()?;
    let mut cluster = state.cluster();
    request.check_transactions(&cluster, &path)?;
    let node = cluster.cypress.resolve(&path, Some(transaction))?;
    cluster.cypress.unlock(node, transaction);
    Ok(done())
}

/// Fails if the user may not do that there.
pub(super) fn permit(
    cluster: &Cluster,
    request: &Request<'_>,
    permission: &str,
    path: &Path,
) -> Result<(), ClusterError> {
    let shown = match path.object {
        Some(object) => std::iter::once(cluster.cypress.path_of(object)).chain(path.names.iter().cloned()).collect(),
        None => path.names.clone(),
    };
    let shown = shown.join("/");
    let shown = if path.object.is_some() { shown } else { format!("//{shown}") };
    cluster.access.permit(request.user, permission, &shown)
}
