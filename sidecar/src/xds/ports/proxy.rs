//! What one proxy said of ports.

use std::collections::HashMap;
use std::sync::Arc;

use crate::xds::ports::secrets::{Said, Secrets};
use crate::xds::ports::{Kind, Port};

/// What one proxy said, on one stream.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    /// Whether it asked for listeners: only then does it count.
    pub listens: bool,
    /// What it said of the secrets.
    pub secrets: Said,
    known: HashMap<Arc<str>, Known>,
}

/// What it said of one port.
#[derive(Clone, Debug, Default)]
struct Known {
    held: [Option<Arc<str>>; 3],
    refused: [Option<Refusal>; 3],
}

/// What it did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    version: Arc<str>,
    reason: Arc<str>,
}

/// How a proxy stands to a port that it should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has it.
    Holds,
    /// It did not say yet.
    Pending,
    /// It does not take it, for that reason.
    Refuses(Arc<str>),
}

impl Proxy {
    /// It has a resource in that version.
    pub fn took(&mut self, name: &Arc<str>, kind: Kind, version: &Arc<str>) {
        let known = self.known.entry(Arc::clone(name)).or_default();
        if let (Some(held), Some(refused)) = (known.held.get_mut(kind.index()), known.refused.get_mut(kind.index())) {
            *held = Some(Arc::clone(version));
            *refused = None;
        }
    }

    /// It did not take a resource in that version.
    pub fn refused(&mut self, name: &Arc<str>, kind: Kind, version: &Arc<str>, reason: &str) {
        let known = self.known.entry(Arc::clone(name)).or_default();
        if let Some(refused) = known.refused.get_mut(kind.index()) {
            *refused = Some(Refusal { version: Arc::clone(version), reason: reason.into() });
        }
    }

    /// It has a resource no more.
    pub fn lost(&mut self, name: &Arc<str>, kind: Kind) {
        let Some(known) = self.known.get_mut(name) else { return };
        if let Some(held) = known.held.get_mut(kind.index()) {
            *held = None;
        }
        if known.held.iter().all(Option::is_none) {
            self.known.remove(name);
        }
    }

    /// Nobody wants the port any more, and it has nothing of it.
    pub fn forget(&mut self, name: &str) {
        self.known.remove(name);
    }

    /// Whether it listens at a port, in whatever version.
    #[must_use]
    pub fn has_listener(&self, name: &str) -> bool {
        self.known.get(name).is_some_and(|known| known.held(Kind::Listener).is_some())
    }

    /// Whether people get in at it, in whatever version it listens. A listener without the secrets that it refers to
    /// ends every connection.
    #[must_use]
    pub fn serves(&self, port: &Port, secrets: Option<&Secrets>) -> bool {
        let lacks = |secrets: &Secrets| port.is_secured && self.secrets.standing(secrets) != Standing::Holds;
        self.listens && self.has_listener(&port.name) && !secrets.is_some_and(lacks)
    }

    /// Which resources of a port it did not take, and why.
    pub fn refusals(&self, port: &Port) -> impl Iterator<Item = (Kind, &Arc<str>)> {
        let known = self.known.get(&port.name);
        Kind::ALL.into_iter().filter_map(move |kind| {
            let refusal = known?.refused.get(kind.index())?.as_ref()?;
            (refusal.version == *port.body(kind).version()).then_some((kind, &refusal.reason))
        })
    }

    /// The names of the ports at which it listens.
    pub fn listeners(&self) -> impl Iterator<Item = &Arc<str>> {
        self.known.iter().filter(|(_, known)| known.held(Kind::Listener).is_some()).map(|(name, _)| name)
    }

    /// How it stands to a port, which may refer to these secrets.
    #[must_use]
    pub fn standing(&self, port: &Port, secrets: Option<&Secrets>) -> Standing {
        match (self.listening(port), secrets) {
            // A listener without them ends every connection.
            (Standing::Holds, Some(secrets)) if port.is_secured => self.secrets.standing(secrets),
            (standing, _) => standing,
        }
    }

    fn listening(&self, port: &Port) -> Standing {
        let Some(known) = self.known.get(&port.name) else { return Standing::Pending };
        if let Some((_, reason)) = self.refusals(port).next() {
            return Standing::Refuses(Arc::clone(reason));
        }
        let holds = |kind: Kind| known.held(kind) == Some(port.body(kind).version());
        if Kind::ALL.into_iter().all(holds) { Standing::Holds } else { Standing::Pending }
    }
}

impl Known {
    fn held(&self, kind: Kind) -> Option<&Arc<str>> {
        self.held.get(kind.index())?.as_ref()
    }
}
