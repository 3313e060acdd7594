//! Transactions.

use std::time::Duration;

use super::{Output, Request, done};
use crate::yson::{Yson, YsonMap};
use crate::ytsaurus::cypress::NewTransaction;
use crate::ytsaurus::error::ClusterError;
use crate::ytsaurus::state::State;

pub(in crate::ytsaurus) fn start(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let prerequisites = request.prerequisites()?;
    let attributes = request.parameters.find("attributes").and_then(Yson::as_map).cloned();
    let new = NewTransaction {
        parent: request.parameters.transaction()?,
        timeout: request.parameters.number("timeout")?.map(Duration::from_millis),
        attributes: attributes.unwrap_or_else(YsonMap::new),
        prerequisites: prerequisites.clone(),
        user: request.user.to_owned(),
    };
    let mut cluster = state.cluster();
    cluster.cypress.check_prerequisites(&prerequisites)?;
    let id = cluster.cypress.start(new, request.now)?;
    Ok(Output::Value(Yson::map([("transaction_id", id)])))
}

pub(in crate::ytsaurus) fn ping(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let with_ancestors = request.parameters.flag("ping_ancestor_transactions", false)?;
    state.cluster().cypress.ping(request.named_transaction()?, with_ancestors, request.now)?;
    Ok(done())
}

pub(in crate::ytsaurus) fn commit(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let mut cluster = state.cluster();
    cluster.cypress.check_prerequisites(&request.prerequisites()?)?;
    cluster.cypress.commit(request.named_transaction()?)?;
    Ok(done())
}

pub(in crate::ytsaurus) fn abort(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    state.cluster().cypress.abort(request.named_transaction()?);
    Ok(done())
}
