//! Envoy as what listens: a listener for each port, told by xDS.
//!
//! A port is programmed when every Envoy that takes listeners said that it has it, in that very version. One that
//! can't listen says so at once, and then the listener is taken back everywhere: it never comes to be half there. Where
//! every Envoy had it once, it stays: the others go on, and are told where the jobs are; for a while also those that are not
//! connected just then.

pub mod chain;
pub mod cluster;
pub mod listener;
pub mod message;
pub mod name;
mod secret;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use taskgate_core::label::Label;
use taskgate_core::service::AccessLevel;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::gateway::envoy::chain::Chain;
use crate::gateway::plane::{Plane, PlaneError, Wish};
use crate::gateway::port::{Holder, Lease};
use crate::gateway::settings::EnvoyGatewaySettings;
use crate::secret::SecretText;
use crate::xds::ports::board::{Board, Verdict};
use crate::xds::ports::proxy::Standing;
use crate::xds::ports::{Kind, Port};

/// How Envoy says that a port is taken: the text of the system's error `EADDRINUSE`.
const TAKEN: &str = "Address already in use";
/// How Envoy says that another listener of its own has the address.
const DUPLICATE: &str = "duplicate address";

/// Envoy, told by xDS.
#[derive(Debug)]
pub struct EnvoyPlane {
    settings: EnvoyGatewaySettings,
    /// What the filter shows the sidecar. It may change.
    secrets: watch::Receiver<Option<SecretText>>,
    patience: Duration,
    board: Arc<Board>,
    /// How many times what belongs to each port was refused, by kind: what is sent anew must differ from what was refused.
    refusals: Mutex<HashMap<u16, [u32; 3]>>,
    /// What each port is programmed for, by name: at one port there may be two services for a moment.
    programmed: Mutex<HashMap<Arc<str>, Programmed>>,
}

/// What a port is programmed for.
#[derive(Clone, Debug)]
struct Programmed {
    /// Which reservation.
    generation: u64,
    /// Whether every Envoy had it once, in this life or an earlier one: then people may be connected to it.
    was_whole: bool,
    /// Whether an earlier life had it, and it was not asked for since.
    is_inherited: bool,
    /// What any Envoy took last, in this life.
    taken: Option<Arc<Port>>,
}

impl EnvoyPlane {
    /// Envoy with those settings, which may take so long to listen. `secrets`: the sidecar's `internal.secret`.
    #[must_use]
    pub fn new(
        settings: EnvoyGatewaySettings,
        secrets: watch::Receiver<Option<SecretText>>,
        patience: Duration,
    ) -> Self {
        let (board, refusals, programmed): (Arc<Board>, _, _) = Default::default();
        if let Some(files) = &settings.tls {
            board.want_secrets(secret::secrets(files));
        }
        Self { settings, secrets, patience, board, refusals, programmed }
    }

    /// Where proxies read what is wanted of them.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// What is wanted for a wish.
    fn port(&self, wish: &Wish) -> Result<Port, PlaneError> {
        let secret = self.secrets.borrow().clone();
        let secret = secret.as_ref();
        let chain = match (wish.service.entry.policy.access, &self.settings.tls) {
            (AccessLevel::Nobody, _) => {
                return Err(PlaneError::Refused("the access level of the service lets nobody in".to_owned()));
            }
            (AccessLevel::Public, _) => Chain::plain(&self.settings, secret),
            (_, Some(_)) => Chain::with_certificates(&self.settings, secret),
            (_, None) => {
                let reason = "only services with the access level `public` get ports without \
                              `internal_task_gateway.envoy.client_ca_file`";
                return Err(PlaneError::Refused(reason.to_owned()));
            }
        };
        let name = name::of(&wish.lease.service, wish.lease.port);
        let messages = [
            cluster::cluster(&name),
            cluster::endpoints(&name, &wish.service.entry.endpoints),
            listener::listener(&name, &wish.lease, self.settings.listen, &chain),
        ];
        let refusals = self.refusals(|refusals| refusals.get(&wish.lease.port).copied().unwrap_or_default());
        Ok(Port::new(name, messages, refusals, chain.is_secured()))
    }

    /// Has Envoys that could not use the files of the secrets look at them once more: they may be right by now.
    fn offer_secrets_again(&self) {
        if let Some(refused) = self.board.refused_secrets() {
            self.board.want_secrets(refused.again());
        }
    }

    /// Waits until every Envoy said that it listens.
    async fn listening(&self, port: &Port, number: u16) -> Result<(), PlaneError> {
        let mut news = self.board.news();
        let deadline = Instant::now() + self.patience;
        loop {
            news.mark_unchanged();
            let verdict = self.board.verdict(port);
            let reason = match verdict {
                Verdict::Holds => return Ok(()),
                Verdict::Refused(reason) => return Err(refused(number, &reason)),
                Verdict::Nobody => "no Envoy that takes listeners is connected".to_owned(),
                Verdict::Pending(count) => format!("{count} of the connected Envoys did not say that they listen"),
            };
            if !matches!(timeout_at(deadline, news.changed()).await, Ok(Ok(()))) {
                return Err(PlaneError::NotProgrammed { port: number, after: self.patience, reason });
            }
        }
    }

    /// Notes which reservation a port is programmed for.
    fn begin(&self, name: &Arc<str>, generation: u64) {
        // What listened before this life was whole, as far as anybody knows.
        let is_held = self.board.is_held(name);
        let is_inherited = self.programmed(|programmed| {
            let first = || Programmed { generation, was_whole: is_held, is_inherited: false, taken: None };
            let known = programmed.entry(Arc::clone(name)).or_insert_with(first);
            known.generation = generation;
            std::mem::take(&mut known.is_inherited)
        });
        if is_inherited {
            self.board.expect(name);
        }
    }

    fn note(&self, port: &Arc<Port>, is_whole: bool) {
        self.programmed(|programmed| {
            if let Some(known) = programmed.get_mut(&port.name) {
                (known.was_whole, known.taken) = (known.was_whole || is_whole, Some(Arc::clone(port)));
            }
        });
    }

    /// What is sent anew must differ from what was refused.
    fn count_refusals(&self, number: u16, kinds: impl IntoIterator<Item = Kind>) {
        self.refusals(|refusals| {
            let counts = refusals.entry(number).or_default();
            for kind in kinds {
                if let Some(count) = counts.get_mut(kind.index()) {
                    *count = count.wrapping_add(1);
                }
            }
        });
    }

    /// Sees to a port that not every Envoy has, and says what that means.
    fn failed(&self, port: &Arc<Port>, number: u16, error: PlaneError) -> PlaneError {
        let is_refused = matches!(error, PlaneError::PortTaken(_) | PlaneError::Refused(_));
        let mut kinds = self.board.refused_kinds(port);
        let known = self.programmed(|programmed| programmed.get(&port.name).cloned());
        let known = known.filter(|known| known.was_whole);
        let Some(known) = known.clone().filter(|_| self.board.is_served(port)) else {
            if is_refused && known.is_some() && self.board.is_expected(&port.name) {
                self.count_refusals(number, kinds);
                return kept(error);
            }
            if is_refused {
                // It goes, and must not be taken for what comes then.
                kinds.insert(Kind::Listener);
                self.count_refusals(number, kinds);
                self.board.drop_port(&port.name);
            }
            return error;
        };
        self.count_refusals(number, kinds);
        let standings = self.board.standings(port);
        if standings.contains(&Standing::Holds) {
            self.note(port, false);
        } else if let Some(taken) = known.taken.filter(|_| !standings.contains(&Standing::Pending)) {
            // Who did not take a listener has its former one, and so should who comes next. The jobs are where they are.
            self.board.want(port.behind(&taken));
        }
        PlaneError::InPart(error.to_string())
    }

    fn refusals<T>(&self, read: impl FnOnce(&mut HashMap<u16, [u32; 3]>) -> T) -> T {
        read(&mut self.refusals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn programmed<T>(&self, read: impl FnOnce(&mut HashMap<Arc<str>, Programmed>) -> T) -> T {
        read(&mut self.programmed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is said where an Envoy that is not connected may listen at the port, so that it must not be given up.
fn kept(error: PlaneError) -> PlaneError {
    match error {
        PlaneError::PortTaken(_) => {
            PlaneError::Unavailable(format!("{error}, and an Envoy that may listen there is not connected"))
        }
        error => error,
    }
}

fn refused(port: u16, reason: &str) -> PlaneError {
    if reason.contains(TAKEN) || reason.contains(DUPLICATE) {
        PlaneError::PortTaken(port)
    } else {
        PlaneError::Refused(reason.to_owned())
    }
}

#[async_trait]
impl Plane for EnvoyPlane {
    async fn program(&self, wish: &Wish) -> Result<(), PlaneError> {
        let number = wish.lease.port;
        let port = match self.port(wish) {
            Ok(port) => port,
            Err(error) => {
                // What listened until now let people in by rules that do not hold any more.
                self.board.drop_port(&name::of(&wish.lease.service, number));
                return Err(error);
            }
        };
        self.begin(&port.name, wish.lease.generation);
        if port.is_secured {
            self.offer_secrets_again();
        }
        let port = self.board.want(port);
        match self.listening(&port, number).await {
            Ok(()) => {
                self.note(&port, true);
                Ok(())
            }
            // One Envoy that can't must not take it from those that can.
            Err(error) => Err(self.failed(&port, number, error)),
        }
    }

    fn inherit(&self, leases: &[Lease]) {
        self.programmed(|programmed| {
            for lease in leases {
                let known =
                    Programmed { generation: lease.generation, was_whole: true, is_inherited: true, taken: None };
                programmed.entry(name::of(&lease.service, lease.port)).or_insert(known);
            }
        });
    }

    async fn withdraw(&self, lease: &Lease) -> Result<(), PlaneError> {
        let name = name::of(&lease.service, lease.port);
        // What nobody holds goes, whatever it was programmed for.
        let is_newer = |known: &Programmed| known.generation > lease.generation && lease.holder != Holder::nobody();
        if self.programmed(|programmed| programmed.get(&name).is_some_and(is_newer)) {
            return Ok(());
        }
        self.programmed(|programmed| programmed.remove(&name));
        let mut news = self.board.news();
        self.board.drop_port(&name);
        let deadline = Instant::now() + self.patience;
        while self.board.is_held(&name) {
            if !matches!(timeout_at(deadline, news.changed()).await, Ok(Ok(()))) {
                let reason = format!("an Envoy did not say that it listens no more at port {}", lease.port);
                return Err(PlaneError::Unavailable(reason));
            }
        }
        Ok(())
    }

    async fn observe(&self) -> Result<Vec<(u16, Label)>, PlaneError> {
        let mut news = self.board.news();
        let deadline = Instant::now() + self.patience;
        loop {
            news.mark_unchanged();
            if let Some(listeners) = self.board.listeners() {
                return Ok(listeners.iter().filter_map(|name| name::read(name)).collect());
            }
            if !matches!(timeout_at(deadline, news.changed()).await, Ok(Ok(()))) {
                return Err(PlaneError::Unavailable("no Envoy that takes listeners is connected".to_owned()));
            }
        }
    }

    async fn settle(&self) {
        self.board.settle();
    }
}

#[cfg(test)]
mod tests;
