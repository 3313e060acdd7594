//! What the controller's words mean: whether something listens.
//!
//! A condition counts where it is about what is there now: a controller that has not looked yet has said nothing.

use kube::api::DynamicObject;
use serde::de::DeserializeOwned;

use crate::gateway::kubernetes::wire::{Condition, LISTENER, ListenersStatus, ParentRef, RouteStatus};
use crate::kubernetes::plain;

/// Whether something listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It does.
    Ready,
    /// Somebody else listens there.
    Conflicted,
    /// The Gateway takes no more.
    Full,
    /// It never will until somebody does something about it.
    Refused(String),
    /// Not yet, and what is missing.
    Waiting(String),
}

/// How a `ListenerSet` does.
pub(super) fn of_set(set: &DynamicObject) -> Progress {
    let seen = set.metadata.generation;
    let status: ListenersStatus = status(set);
    let listener = status.listeners.iter().find(|listener| listener.name == LISTENER);
    let own = listener.map(|listener| listener.conditions.as_slice()).unwrap_or_default();
    if is_conflicted(&status.conditions, seen) || is_conflicted(own, seen) {
        return Progress::Conflicted;
    }
    match find(&status.conditions, "Accepted", seen) {
        Some(accepted) if accepted.status == "False" && accepted.reason == "NotAllowed" => {
            return Progress::Refused(format!(
                "the Gateway takes no ListenerSet of this namespace: set its `spec.allowedListeners`{}",
                said(accepted)
            ));
        }
        Some(accepted) if accepted.status == "False" && accepted.reason == "TooManyListeners" => {
            return Progress::Full;
        }
        _ => {}
    }
    let wanted = [("the set", status.conditions.as_slice(), "Accepted"), ("the set", &status.conditions, "Programmed")];
    let more = listener.map(|_| [("its listener", own, "Accepted"), ("its listener", own, "Programmed")]);
    all(wanted.into_iter().chain(more.into_iter().flatten()), seen)
}

/// Whether the Gateway took a `ListenerSet`.
pub(super) fn is_accepted(set: &DynamicObject) -> bool {
    let status: ListenersStatus = status(set);
    find(&status.conditions, "Accepted", None).is_some_and(|accepted| accepted.status == "True")
}

/// How a listener of a Gateway does, which was in it at the generation `since`.
pub(super) fn of_listener(gateway: &DynamicObject, name: &str, since: Option<i64>) -> Progress {
    let status: ListenersStatus = status(gateway);
    let Some(listener) = status.listeners.iter().find(|listener| listener.name == name) else {
        return Progress::Waiting(format!("the controller says nothing of listener {name}"));
    };
    let own = listener.conditions.as_slice();
    if is_conflicted(own, since) {
        return Progress::Conflicted;
    }
    all([("the listener", own, "Accepted"), ("the listener", own, "Programmed")].into_iter(), since)
}

/// How a route does at its parent. Several controllers may speak; one that takes it is enough.
pub(super) fn of_route(route: &DynamicObject, parent: &ParentRef) -> Progress {
    let seen = route.metadata.generation;
    let status: RouteStatus = status(route);
    let is_ours = |found: &ParentRef| {
        found.name == parent.name
            && found.kind.as_deref().unwrap_or("Gateway") == parent.kind.as_deref().unwrap_or("Gateway")
            && (found.section_name.is_none() || found.section_name == parent.section_name)
    };
    let mut best = Progress::Waiting("no controller says anything of the TCPRoute".to_owned());
    for parent in status.parents.iter().filter(|status| is_ours(&status.parent_ref)) {
        let own = parent.conditions.as_slice();
        let refused = find(own, "ResolvedRefs", seen).filter(|condition| condition.status == "False");
        match (refused, all([("the TCPRoute", own, "Accepted")].into_iter(), seen)) {
            (None, Progress::Ready) => return Progress::Ready,
            (Some(condition), Progress::Ready) => {
                best = Progress::Waiting(format!("the TCPRoute leads nowhere{}", said(condition)));
            }
            (_, other) => best = other,
        }
    }
    best
}

fn status<T: DeserializeOwned + Default>(object: &DynamicObject) -> T {
    // What makes no sense says nothing.
    object.data.get("status").and_then(|status| T::deserialize(status).ok()).unwrap_or_default()
}

/// The condition of that kind, where it is about that generation or a later one.
fn find<'a>(conditions: &'a [Condition], kind: &str, since: Option<i64>) -> Option<&'a Condition> {
    let found = conditions.iter().find(|condition| condition.kind == kind)?;
    let is_old = matches!((found.observed_generation, since), (Some(seen), Some(since)) if seen < since);
    (!is_old).then_some(found)
}

fn is_conflicted(conditions: &[Condition], since: Option<i64>) -> bool {
    find(conditions, "Conflicted", since).is_some_and(|condition| condition.status == "True")
}

fn all<'a>(wanted: impl Iterator<Item = (&'a str, &'a [Condition], &'a str)>, since: Option<i64>) -> Progress {
    for (what, conditions, kind) in wanted {
        match find(conditions, kind, since) {
            Some(condition) if condition.status == "True" => {}
            Some(condition) => return Progress::Waiting(format!("{what} is not {kind}{}", said(condition))),
            None => return Progress::Waiting(format!("the controller has not said that {what} is {kind}")),
        }
    }
    Progress::Ready
}

fn said(condition: &Condition) -> String {
    plain(&format!(" ({}: {})", condition.reason, condition.message))
}

#[cfg(test)]
mod tests;
