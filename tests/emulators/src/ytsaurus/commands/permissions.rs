//! Who is who, and who may do what.

use super::{Output, Request, operations};
use crate::yson::{Yson, YsonMap};
use crate::ytsaurus::access::Ruling;
use crate::ytsaurus::error::ClusterError;
use crate::ytsaurus::state::State;

/// Permissions that there are.
const PERMISSIONS: [&str; 12] = [
    "read",
    "write",
    "use",
    "administer",
    "create",
    "remove",
    "mount",
    "manage",
    "modify_children",
    "register_queue_consumer",
    "full_read",
    "get_job_spec",
];

pub(in crate::ytsaurus) fn current_user(_: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    Ok(Output::Value(Yson::map([("user", request.user)])))
}

pub(in crate::ytsaurus) fn of_operation(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let (user, permission) = asked(request)?;
    let cluster = state.cluster();
    let operation = operations::named(&cluster, request)?;
    cluster.access.known(user)?;
    let ruling = cluster.access.check(&operation.acl(), user, permission);
    Ok(Output::Value(Yson::map([("action", action(&ruling))])))
}

pub(in crate::ytsaurus) fn by_acl(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let (user, permission) = asked(request)?;
    let acl = request.parameters.required("acl")?;
    let cluster = state.cluster();
    cluster.access.known(user)?;
    let ruling = cluster.access.check(acl, user, permission);
    Ok(Output::Value(with_subject(action(&ruling), ruling.subject)))
}

pub(in crate::ytsaurus) fn of_node(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let (user, permission) = asked(request)?;
    let path = request.path()?;
    let cluster = state.cluster();
    cluster.access.known(user)?;
    let node = cluster.cypress.resolve(&path, request.parameters.transaction()?)?;
    let denied = cluster.access.denial(user, permission, &cluster.cypress.path_of(node)).map(str::to_owned);
    Ok(Output::Value(with_subject(if denied.is_some() { "deny" } else { "allow" }, denied.map(|_| user.to_owned()))))
}

fn asked<'a>(request: &Request<'a>) -> Result<(&'a str, &'a str), ClusterError> {
    let user = request.parameters.required_text("user")?;
    let permission = request.parameters.required_text("permission")?;
    if PERMISSIONS.contains(&permission) {
        return Ok((user, permission));
    }
    Err(ClusterError::generic("Error reading parameter /permission")
        .because(ClusterError::generic(format!("Error parsing EPermission value \"{permission}\""))))
}

fn action(ruling: &Ruling) -> &'static str {
    if ruling.is_allowed { "allow" } else { "deny" }
}

fn with_subject(action: &str, subject: Option<String>) -> Yson {
    let mut fields = YsonMap::from([(b"action".to_vec(), action.into())]);
    if let Some(subject) = subject {
        fields.insert(b"subject_name".to_vec(), subject.into());
    }
    fields.into()
}
