//! Where what is wanted of proxies meets what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::xds::ports::proxy::{Proxy, Standing};
use crate::xds::ports::secrets::Secrets;
use crate::xds::ports::{Kind, Port, Ports};

/// How long a proxy that is not connected counts as one that listens still.
pub const EXPECTED: Duration = Duration::from_secs(60);

/// What is wanted of proxies, and what they say.
#[derive(Debug, Default)]
pub struct Board {
    ports: watch::Sender<Arc<Ports>>,
    proxies: Mutex<Proxies>,
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Proxies {
    last: u64,
    by_stream: BTreeMap<u64, Proxy>,
    /// The ports at which proxies listen, as far as is known, that are not connected; and until when that counts.
    expected: BTreeMap<Arc<str>, Instant>,
}

/// One proxy's place at the board, while its stream lasts.
#[derive(Debug)]
pub struct Seat {
    board: Arc<Board>,
    stream: u64,
}

/// How all proxies together stand to a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is no proxy that takes listeners.
    Nobody,
    /// Every one has it.
    Holds,
    /// So many did not say yet.
    Pending(usize),
    /// One does not take it, for that reason.
    Refused(Arc<str>),
}

impl Board {
    /// Has proxies take a port, in place of what they had under its name. Nothing happens where it is the same.
    pub fn want(&self, port: Port) -> Arc<Port> {
        let known = self.ports.borrow().wanted.get(&port.name).cloned();
        if let Some(known) = known.filter(|known| **known == port) {
            return known;
        }
        let port = Arc::new(port);
        self.change(|ports| {
            ports.gone.remove(&port.name);
            ports.wanted.insert(Arc::clone(&port.name), Arc::clone(&port));
        });
        port
    }

    /// Has proxies give up the port of that name.
    pub fn drop_port(&self, name: &Arc<str>) {
        self.proxies().expected.remove(name);
        self.change(|ports| {
            ports.wanted.remove(name);
            if !ports.is_whole {
                ports.gone.insert(Arc::clone(name));
            }
        });
    }

    /// Has proxies whose listeners refer to secrets have these.
    pub fn want_secrets(&self, secrets: Secrets) {
        if self.secrets().is_none_or(|known| *known != secrets) {
            self.change(|ports| ports.secrets = Some(Arc::new(secrets)));
        }
    }

    /// The secrets that proxies should have, where one of them did not take them.
    #[must_use]
    pub fn refused_secrets(&self) -> Option<Arc<Secrets>> {
        let secrets = self.secrets()?;
        let refuses = |proxy: &Proxy| matches!(proxy.secrets.standing(&secrets), Standing::Refuses(_));
        let is_refused = self.proxies().by_stream.values().any(refuses);
        is_refused.then_some(secrets)
    }

    /// Says that everything that is wanted was said: what else proxies have of ours goes.
    pub fn settle(&self) {
        if !self.ports.borrow().is_whole {
            self.change(|ports| {
                ports.is_whole = true;
                ports.gone.clear();
            });
        }
    }

    /// What is wanted, and every change of it.
    #[must_use]
    pub fn ports(&self) -> watch::Receiver<Arc<Ports>> {
        self.ports.subscribe()
    }

    /// Changes whenever a proxy said something.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// How all proxies together stand to a port.
    #[must_use]
    pub fn verdict(&self, port: &Port) -> Verdict {
        let (mut count, mut pending) = (0_usize, 0_usize);
        for standing in self.standings(port) {
            count = count.saturating_add(1);
            match standing {
                Standing::Holds => {}
                Standing::Pending => pending = pending.saturating_add(1),
                Standing::Refuses(reason) => return Verdict::Refused(reason),
            }
        }
        match (count, pending) {
            (0, _) => Verdict::Nobody,
            (_, 0) => Verdict::Holds,
            (_, pending) => Verdict::Pending(pending),
        }
    }

    /// How each proxy that takes listeners stands to a port.
    #[must_use]
    pub fn standings(&self, port: &Port) -> Vec<Standing> {
        let secrets = self.secrets();
        let proxies = self.proxies();
        let listening = proxies.by_stream.values().filter(|proxy| proxy.listens);
        listening.map(|proxy| proxy.standing(port, secrets.as_deref())).collect()
    }

    /// Whether people get in at the port at any proxy, in whatever version it listens.
    #[must_use]
    pub fn is_served(&self, port: &Port) -> bool {
        let secrets = self.secrets();
        self.proxies().by_stream.values().any(|proxy| proxy.serves(port, secrets.as_deref()))
    }

    /// Says that a proxy may listen at the port of that name that is not connected yet.
    pub fn expect(&self, name: &Arc<str>) {
        self.proxies().expected.insert(Arc::clone(name), Instant::now() + EXPECTED);
    }

    /// Whether a proxy that is not connected may listen at the port of that name: it did until a moment ago.
    #[must_use]
    pub fn is_expected(&self, name: &str) -> bool {
        self.proxies().expected.get(name).is_some_and(|until| *until > Instant::now())
    }

    /// Which resources of a port any proxy did not take.
    #[must_use]
    pub fn refused_kinds(&self, port: &Port) -> BTreeSet<Kind> {
        let proxies = self.proxies();
        proxies.by_stream.values().flat_map(|proxy| proxy.refusals(port).map(|(kind, _)| kind)).collect()
    }

    /// Whether any proxy still listens at the port of that name.
    #[must_use]
    pub fn is_held(&self, name: &str) -> bool {
        self.proxies().by_stream.values().any(|proxy| proxy.has_listener(name))
    }

    /// The names of all ports at which proxies listen. None while there is no proxy.
    #[must_use]
    pub fn listeners(&self) -> Option<BTreeSet<Arc<str>>> {
        let proxies = self.proxies();
        let mut listening = proxies.by_stream.values().filter(|proxy| proxy.listens).peekable();
        listening.peek()?;
        Some(listening.flat_map(Proxy::listeners).cloned().collect())
    }

    /// Gives a proxy its place.
    #[must_use]
    pub fn sit(self: &Arc<Self>) -> Seat {
        let mut proxies = self.proxies();
        proxies.last = proxies.last.wrapping_add(1);
        let stream = proxies.last;
        proxies.by_stream.insert(stream, Proxy::default());
        Seat { board: Arc::clone(self), stream }
    }

    fn secrets(&self) -> Option<Arc<Secrets>> {
        self.ports.borrow().secrets.clone()
    }

    fn change(&self, change: impl FnOnce(&mut Ports)) {
        self.ports.send_modify(|ports| change(Arc::make_mut(ports)));
    }

    fn proxies(&self) -> MutexGuard<'_, Proxies> {
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Notes what the proxy said.
    pub fn note(&self, note: impl FnOnce(&mut Proxy)) {
        if let Some(proxy) = self.board.proxies().by_stream.get_mut(&self.stream) {
            note(proxy);
        }
        self.tell();
    }

    fn tell(&self) {
        self.board.news.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Proxies {
    /// A proxy's stream ended. It listens still, and most likely comes back.
    fn leave(&mut self, stream: u64, ports: &Ports) {
        let now = Instant::now();
        self.expected.retain(|_, until| *until > now);
        let Some(proxy) = self.by_stream.remove(&stream) else { return };
        let served = ports.wanted.values().filter(|port| proxy.serves(port, ports.secrets.as_deref()));
        self.expected.extend(served.map(|port| (Arc::clone(&port.name), now + EXPECTED)));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let ports = Arc::clone(&self.board.ports.borrow());
        self.board.proxies().leave(self.stream, &ports);
        self.tell();
    }
}
