//! A Gateway as a document: its listeners and our notes about them, as functions of values.
//!
//! It is kept as the JSON that it came as, for whoever puts it back must not lose what others wrote, in fields that are
//! unknown here.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use taskgate_core::label::Label;
use taskgate_core::time::UnixTime;

use crate::gateway::kubernetes::wire::{Listener, Namespaces};
use crate::gateway::port::{Holder, Lease, PortRange, Slot};

/// What our annotations begin with; then comes a port.
const NOTE: &str = "taskgate/port-";

/// A Gateway, as it was read.
#[derive(Clone, Debug)]
pub(super) struct Document(Value);

/// What an annotation says about a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Note {
    /// Who holds it. The number is text, for JSON's numbers are not that long everywhere.
    Held { holder: String, service: String, generation: String },
    /// Nobody, until then: milliseconds since 1970.
    Resting { resting_until: u64 },
}

/// All ports of a range, from one that is the holder's own: so that sidecars that want a port for the same service try
/// the same ones, and those of other services others.
pub(super) fn ports(range: PortRange, holder: &Holder) -> impl Iterator<Item = u16> {
    let digits = holder.as_str().get(..8).unwrap_or_default();
    let number = usize::try_from(u32::from_str_radix(digits, 16).unwrap_or_default()).unwrap_or_default();
    let start = number.checked_rem(range.ports().count()).unwrap_or_default();
    range.ports().skip(start).chain(range.ports().take(start))
}

/// How many listeners may be in a Gateway, as its definition says.
pub(super) fn limit_of(definition: &Value) -> Option<usize> {
    let versions = definition.pointer("/spec/versions")?.as_array()?;
    let version = versions.iter().find(|version| version["name"] == "v1" && version["served"] == true)?;
    let path = "/schema/openAPIV3Schema/properties/spec/properties/listeners/maxItems";
    usize::try_from(version.pointer(path)?.as_u64()?).ok()
}

/// How many listeners may be in a Gateway, as a refusal says: `must have at most 64 items`.
pub(super) fn limit_of_refusal(text: &str) -> Option<usize> {
    let (_, rest) = text.split_once("spec.listeners: Too many")?;
    let (_, rest) = rest.split_once("must have at most ")?;
    rest.split_once(' ')?.0.parse().ok()
}

/// How the listener of a port is called.
pub(super) fn listener_name(port: u16) -> String {
    format!("taskgate-{port}")
}

impl Document {
    pub(super) fn new(gateway: Value) -> Self {
        Self(gateway)
    }

    pub(super) fn as_value(&self) -> &Value {
        &self.0
    }

    /// How often what was wanted of it changed.
    pub(super) fn generation(&self) -> Option<i64> {
        self.0.pointer("/metadata/generation")?.as_i64()
    }

    /// The ports of all its listeners, whoever made them and whatever they speak.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.listeners().iter().filter_map(|listener| u16::try_from(listener.port).ok()).collect()
    }

    /// Whether it takes sets of listeners of its own namespace.
    pub(super) fn takes_sets(&self) -> bool {
        let namespaces = self.0.pointer("/spec/allowedListeners/namespaces").cloned().unwrap_or_default();
        let namespaces: Namespaces = serde_json::from_value(namespaces).unwrap_or_default();
        // The standard's default is none.
        namespaces.from.is_some_and(|from| from != "None")
    }

    /// What our notes say.
    pub(super) fn slots(&self) -> Vec<Slot> {
        let notes = self.annotations().into_iter().flatten();
        notes.filter_map(|(key, text)| self.slot_of(key.strip_prefix(NOTE)?.parse().ok()?, text)).collect()
    }

    /// What our note on one port says.
    pub(super) fn slot(&self, port: u16) -> Option<Slot> {
        self.slot_of(port, self.annotations()?.get(&format!("{NOTE}{port}"))?)
    }

    /// Whether a port is held here, or rests, or listens.
    pub(super) fn is_used(&self, now: UnixTime) -> bool {
        self.slots().iter().any(|slot| match slot {
            Slot::Held(_) => true,
            Slot::Resting { port, until } => *until > now || self.has_listener(*port),
        })
    }

    pub(super) fn has_listener(&self, port: u16) -> bool {
        self.listeners().iter().any(|listener| is_of(listener, port))
    }

    /// Notes that a port is held, and has the Gateway listen.
    pub(super) fn hold(&mut self, lease: &Lease) {
        let (holder, service) = (lease.holder.to_string(), lease.service.to_string());
        self.note(lease.port, &Note::Held { holder, service, generation: lease.generation.to_string() });
        self.listen(lease.port);
    }

    /// Has the Gateway listen at a port.
    pub(super) fn listen(&mut self, port: u16) {
        if self.has_listener(port) {
            return;
        }
        let listener = serde_json::to_value(Listener::tcp(listener_name(port), port)).unwrap_or_default();
        if let Some(listeners) = self.0.pointer_mut("/spec/listeners").and_then(Value::as_array_mut) {
            listeners.push(listener);
        }
    }

    /// Notes that nobody gets a port until then.
    pub(super) fn rest(&mut self, port: u16, until: UnixTime) {
        self.note(port, &Note::Resting { resting_until: until.as_millis() });
    }

    /// Takes the listener of a port away, where it is ours. The last one of a Gateway stays: it must have one.
    pub(super) fn unlisten(&mut self, port: u16) {
        let is_ours = self.slot(port).is_some();
        let Some(listeners) = self.0.pointer_mut("/spec/listeners").and_then(Value::as_array_mut) else { return };
        if is_ours && listeners.len() > 1 {
            listeners.retain(|listener| !Listener::deserialize(listener).is_ok_and(|listener| is_of(&listener, port)));
        }
    }

    /// Takes away what is over: notes on ports that have rested, and listeners of ports that nobody holds.
    pub(super) fn tidy(&mut self, now: UnixTime) {
        for slot in self.slots() {
            let Slot::Resting { port, until } = slot else { continue };
            self.unlisten(port);
            // While its listener is there, the note is what says that it is ours.
            if until <= now
                && !self.has_listener(port)
                && let Some(annotations) = self.0.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)
            {
                annotations.remove(&format!("{NOTE}{port}"));
            }
        }
    }

    fn listeners(&self) -> Vec<Listener> {
        let listeners = self.0.pointer("/spec/listeners").and_then(Value::as_array);
        listeners.into_iter().flatten().filter_map(|listener| Listener::deserialize(listener).ok()).collect()
    }

    fn annotations(&self) -> Option<&Map<String, Value>> {
        self.0.pointer("/metadata/annotations")?.as_object()
    }

    fn slot_of(&self, port: u16, text: &Value) -> Option<Slot> {
        match serde_json::from_str(text.as_str()?).ok()? {
            Note::Held { holder, service, generation } => Some(Slot::Held(Lease {
                port,
                holder: Holder::parse(&holder)?,
                service: Label::parse(service.as_bytes()).ok()?,
                generation: generation.parse().ok()?,
            })),
            Note::Resting { resting_until } => {
                Some(Slot::Resting { port, until: UnixTime::from_millis(resting_until) })
            }
        }
    }

    fn note(&mut self, port: u16, note: &Note) {
        let text = serde_json::to_string(note).unwrap_or_default();
        let Some(metadata) = self.0.get_mut("metadata").and_then(Value::as_object_mut) else { return };
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(format!("{NOTE}{port}"), json!(text));
        }
    }
}

fn is_of(listener: &Listener, port: u16) -> bool {
    listener.name == listener_name(port) && listener.port == u32::from(port)
}

#[cfg(test)]
mod tests;
