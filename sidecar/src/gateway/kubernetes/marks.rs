//! What marks an object as ours, and says whose reservation it belongs to.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use taskgate_core::label::Label;
use taskgate_core::time::UnixTime;

use crate::gateway::port::{Holder, Lease, Slot};

/// Says which program an object belongs to, as Kubernetes recommends it.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const TASKGATE: &str = "taskgate";
const PORT: &str = "taskgate/port";
const HOLDER: &str = "taskgate/holder";
/// An annotation, for ids of services may begin or end as no label may.
const SERVICE: &str = "taskgate/service";
const GENERATION: &str = "taskgate/generation";
/// Two sidecars may have Gateways of their own in one namespace.
const GATEWAY: &str = "taskgate/gateway";
/// Milliseconds since 1970.
const RESTING_UNTIL: &str = "taskgate/resting-until";

/// On a sidecar's `Lease`: the ports of the services that it sees.
const SEEN: &str = "taskgate/seen";
/// And when it said so: milliseconds since 1970, and a number.
const SAID: &str = "taskgate/said";

/// Finds everything of ours.
pub(super) fn all_of_ours() -> String {
    format!("{MANAGED_BY}={TASKGATE}")
}

/// Finds what a service holds.
pub(super) fn of_holder(holder: &Holder) -> String {
    format!("{MANAGED_BY}={TASKGATE},{HOLDER}={holder}")
}

/// Finds what is ours of one port.
pub(super) fn of_port(port: u16) -> String {
    format!("{MANAGED_BY}={TASKGATE},{PORT}={port}")
}

/// The name of all objects of a port; that of its `ListenerSet` is the lock.
pub(super) fn name(port: u16) -> String {
    format!("taskgate-p{port}")
}

/// The port of which an object of that name would be.
pub(super) fn port_of_name(text: &str) -> Option<u16> {
    let port = text.strip_prefix("taskgate-p")?.parse().ok()?;
    (name(port) == text).then_some(port)
}

/// The labels of whatever belongs to a lease.
pub(super) fn labels(lease: &Lease) -> BTreeMap<String, String> {
    let pairs = [(MANAGED_BY, TASKGATE.to_owned()), (PORT, lease.port.to_string()), (HOLDER, lease.holder.to_string())];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The annotations of whatever belongs to a lease.
pub(super) fn annotations(lease: &Lease, gateway: &str) -> BTreeMap<String, String> {
    let generation = lease.generation.to_string();
    let pairs = [(SERVICE, lease.service.to_string()), (GENERATION, generation), (GATEWAY, gateway.to_owned())];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The label of what belongs to no lease.
pub(super) fn own_label() -> BTreeMap<String, String> {
    BTreeMap::from([(MANAGED_BY.to_owned(), TASKGATE.to_owned())])
}

/// The annotations of what a sidecar says that it sees.
pub(super) fn sighting_annotations(ports: &str, said: &str, gateway: &str) -> BTreeMap<String, String> {
    let pairs = [(SEEN, ports), (SAID, said), (GATEWAY, gateway)];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What a sidecar says that it sees, and what tells that from what it said before.
pub(super) fn sighting(metadata: &ObjectMeta) -> Option<(&str, &str)> {
    annotation(metadata, SEEN).zip(annotation(metadata, SAID))
}

/// What a merge patch says of a port that is given back: nobody's until then.
pub(super) fn resting(until: UnixTime) -> serde_json::Value {
    serde_json::json!({"metadata": {
        "labels": {HOLDER: null},
        "annotations": {RESTING_UNTIL: until.as_millis().to_string()},
    }})
}

/// Whether an object is ours, for that Gateway: nothing else is ever changed.
pub(super) fn is_ours(metadata: &ObjectMeta, gateway: &str) -> bool {
    label(metadata, MANAGED_BY) == Some(TASKGATE) && annotation(metadata, GATEWAY) == Some(gateway)
}

/// The port that an object of ours belongs to.
pub(super) fn port(metadata: &ObjectMeta, gateway: &str) -> Option<u16> {
    is_ours(metadata, gateway).then(|| label(metadata, PORT)?.parse().ok())?
}

/// The reservation that an object of ours belongs to.
pub(super) fn generation(metadata: &ObjectMeta) -> Option<u64> {
    annotation(metadata, GENERATION)?.parse().ok()
}

/// What a lock of ours says. None where it says nothing that makes sense: then its port is taken, and not by us.
pub(super) fn slot(metadata: &ObjectMeta, gateway: &str) -> Option<Slot> {
    let port = port(metadata, gateway)?;
    if metadata.name.as_deref() != Some(name(port).as_str()) {
        return None;
    }
    if let Some(until) = annotation(metadata, RESTING_UNTIL) {
        return Some(Slot::Resting { port, until: UnixTime::from_millis(until.parse().ok()?) });
    }
    Some(Slot::Held(Lease {
        port,
        holder: Holder::parse(label(metadata, HOLDER)?)?,
        service: Label::parse(annotation(metadata, SERVICE)?.as_bytes()).ok()?,
        generation: generation(metadata)?,
    }))
}

/// Whether two are one reservation, whatever its service is called by now.
pub(super) fn is_same(one: &Lease, other: &Lease) -> bool {
    one.port == other.port && one.holder == other.holder && one.generation == other.generation
}

fn label<'a>(metadata: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(name).map(String::as_str)
}

fn annotation<'a>(metadata: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> Lease {
        Lease {
            port: 20_000,
            holder: Holder::parse(&"ab".repeat(16)).expect("a holder"),
            service: Label::parse(b"_db_").expect("a label"),
            generation: u64::MAX,
        }
    }

    fn marked() -> ObjectMeta {
        ObjectMeta {
            name: Some(name(20_000)),
            labels: Some(labels(&lease())),
            annotations: Some(annotations(&lease(), "edge")),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn a_lock_says_whose_port_it_is() {
        assert_eq!(slot(&marked(), "edge"), Some(Slot::Held(lease())));
        assert_eq!((port(&marked(), "edge"), generation(&marked())), (Some(20_000), Some(u64::MAX)));
        let mut resting = marked();
        resting.annotations.as_mut().expect("some").insert(RESTING_UNTIL.into(), "7".into());
        assert_eq!(slot(&resting, "edge"), Some(Slot::Resting { port: 20_000, until: UnixTime::from_millis(7) }));
    }

    #[test]
    fn what_is_somebody_elses_or_was_written_over_is_nobody_of_ours() {
        let mut foreign = marked();
        foreign.labels.as_mut().expect("some").insert(MANAGED_BY.into(), "Helm".into());
        assert_eq!((slot(&foreign, "edge"), port(&foreign, "edge")), (None, None));
        assert_eq!((slot(&marked(), "other"), port(&marked(), "other")), (None, None), "of another Gateway");
        let mut renamed = marked();
        renamed.name = Some(name(20_001));
        assert_eq!(slot(&renamed, "edge"), None);
        for (key, value) in [(GENERATION, "-1"), (SERVICE, "a.b"), (RESTING_UNTIL, "soon")] {
            let mut broken = marked();
            broken.annotations.as_mut().expect("some").insert(key.into(), value.into());
            assert_eq!(slot(&broken, "edge"), None, "{key}");
        }
        assert_eq!(slot(&ObjectMeta::default(), "edge"), None);
    }

    #[test]
    fn names_and_ports_are_one_to_one() {
        assert_eq!(port_of_name("taskgate-p1025"), Some(1025));
        for text in ["taskgate-p", "taskgate-p01025", "taskgate-p+1", "taskgate-p70000", "p1", "taskgate-p1-v4"] {
            assert_eq!(port_of_name(text), None, "{text}");
        }
    }
}
