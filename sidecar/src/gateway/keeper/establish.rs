//! Having a port listen for a service: reserved, asked for, tried. And having it not.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::gateway::keeper::Keeper;
use crate::gateway::ledger::{LeaseError, ReserveError};
use crate::gateway::plane::{PlaneError, Wish};
use crate::gateway::port::{Holder, Lease};
use crate::gateway::standing::{Reason, Standing};
use crate::registry::published::Published;

/// How many ports are tried at once, where one after the other is somebody else's.
const MAX_TRIED: usize = 8;
/// How much longer than it says the data plane may take to say that it took too long.
const MARGIN: Duration = Duration::from_secs(5);
/// How long a port is tried at least, however long the data plane took to say that a part of it does not listen.
const TRIED: Duration = Duration::from_secs(2);

/// What is to be had.
#[derive(Debug)]
pub(super) struct Order {
    /// Who wants it.
    pub(super) holder: Holder,
    /// The service.
    pub(super) service: Arc<Published>,
    /// The port that it has, as far as is known.
    pub(super) lease: Option<Lease>,
    /// A port that it lost.
    pub(super) lost: Option<Lease>,
    /// Whether it listens there already, for how the service was before.
    pub(super) listens: bool,
    /// Ports that are somebody else's.
    pub(super) avoid: Vec<u16>,
    /// Whose turn it is to want something of the ledger.
    pub(super) ledger_turns: Arc<Semaphore>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Established {
    /// The service, as it listens for it.
    pub(super) service: Arc<Published>,
    /// The port that it has now.
    pub(super) lease: Option<Lease>,
    /// A port that it lost, at which something may listen still.
    pub(super) lost: Option<Lease>,
    /// Ports that turned out to be somebody else's.
    pub(super) taken: Vec<u16>,
    /// Whether it listens.
    pub(super) outcome: Result<(), Trouble>,
}

/// Why a port does not listen as it should.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Trouble {
    /// It could not be given back, or said to be in use.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The data plane did not do it.
    #[error(transparent)]
    Plane(#[from] PlaneError),
    /// There is none.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
}

impl Trouble {
    /// Whether people get in all the same.
    pub(super) const fn is_in_part(&self) -> bool {
        matches!(self, Self::Plane(PlaneError::InPart(_)))
    }

    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Lease(error) => error.into(),
            Self::Plane(error) => error.into(),
            Self::Reserve(error) => error.into(),
        }
    }
}

impl Keeper {
    /// Has a port listen for a service.
    pub(super) async fn establish(self, order: Order) -> Established {
        let Order { holder, service, lease, lost, listens, avoid, ledger_turns } = order;
        let taken = Vec::new();
        let mut attempt = Attempt { keeper: &self, holder, service, lease, lost, avoid, ledger_turns, taken };
        let outcome = attempt.run(listens).await;
        let Attempt { service, lease, lost, taken, .. } = attempt;
        Established { service, lease, lost, taken, outcome }
    }

    /// Has nothing listen at these ports.
    pub(super) async fn withdraw(&self, leases: impl IntoIterator<Item = Lease>) -> Result<(), PlaneError> {
        for lease in leases {
            let withdrawn = timeout(self.terms.program_timeout + MARGIN, self.plane.withdraw(&lease)).await;
            withdrawn.map_err(|_| PlaneError::Unavailable("it does not answer".to_owned()))??;
            tracing::info!(service.id = %lease.service, port = lease.port, "nothing listens for a service any more");
        }
        Ok(())
    }
}

impl Keeper {
    /// Has nothing listen for a service that is gone, or no more at a port that it lost. Whether nothing does. `is_sure`:
    /// nothing may listen, whatever other sidecars see.
    pub(super) async fn take_away(
        &self,
        lost: Option<Lease>,
        lease: Option<Lease>,
        is_sure: bool,
    ) -> Result<bool, PlaneError> {
        self.withdraw(lost).await?;
        let Some(lease) = lease else { return Ok(true) };
        if is_sure || !self.plane.is_shared() {
            return self.withdraw([lease]).await.map(|()| true);
        }
        let withdrawn = self.plane.withdraw_unseen(&lease, self.terms.unseen());
        let withdrawn = timeout(self.terms.program_timeout + MARGIN, withdrawn).await;
        let is_gone = withdrawn.map_err(|_| PlaneError::Unavailable("it does not answer".to_owned()))??;
        if is_gone {
            tracing::info!(service.id = %lease.service, port = lease.port, "nothing listens for a service any more");
        }
        Ok(is_gone)
    }
}

/// One attempt.
struct Attempt<'a> {
    keeper: &'a Keeper,
    holder: Holder,
    service: Arc<Published>,
    lease: Option<Lease>,
    lost: Option<Lease>,
    avoid: Vec<u16>,
    ledger_turns: Arc<Semaphore>,
    taken: Vec<u16>,
}

impl Attempt<'_> {
    async fn run(&mut self, listens: bool) -> Result<(), Trouble> {
        self.let_go_of_lost().await?;
        let range = self.keeper.terms.range;
        let is_same = |lease: &Lease| listens && lease.service == self.service.id && range.has(lease.port);
        let same = self.lease.clone().filter(is_same);
        if let Some(lease) = same {
            match self.program(&lease).await {
                Err(PlaneError::PortTaken(_)) => self.give_up(lease).await?,
                outcome => return Ok(outcome?),
            }
        }
        for _ in 0..MAX_TRIED {
            let lease = self.reserve().await?;
            if !range.has(lease.port) && self.leave(&lease).await? {
                continue;
            }
            let until = Instant::now() + self.keeper.terms.program_timeout;
            match self.program(&lease).await {
                Err(PlaneError::PortTaken(_)) => self.give_up(lease).await?,
                Ok(()) => return Ok(self.try_port(lease.port, until).await?),
                Err(error @ PlaneError::InPart(_)) => {
                    self.try_port(lease.port, until.max(Instant::now() + TRIED)).await?;
                    return Err(error.into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(PlaneError::PortTaken(self.taken.last().copied().unwrap_or_default()).into())
    }

    /// The ledger says which port it is, even where one is known: it may have been lost meanwhile.
    async fn reserve(&mut self) -> Result<Lease, Trouble> {
        let Keeper { ledger, terms, .. } = self.keeper;
        let lease = {
            let _turn = self.ledger_turns.acquire().await;
            ledger.reserve(terms.range, &self.holder, &self.service.id, &self.avoid).await?
        };
        // Under its other name it would be in the way.
        if let Some(before) = self
            .lease
            .replace(lease.clone())
            .filter(|before| (before.port, &before.service) != (lease.port, &lease.service))
        {
            self.lost = Some(before);
            self.let_go_of_lost().await?;
        }
        Ok(lease)
    }

    async fn let_go_of_lost(&mut self) -> Result<(), Trouble> {
        if self.lost.is_some() {
            self.keeper.board.say(&self.holder, Standing::Pending(None));
            self.keeper.withdraw(self.lost.clone()).await?;
            self.lost = None;
        }
        Ok(())
    }

    async fn program(&self, lease: &Lease) -> Result<(), PlaneError> {
        let wish = Wish { lease: lease.clone(), service: Arc::clone(&self.service) };
        let after = self.keeper.terms.program_timeout;
        timeout(after + MARGIN, self.keeper.plane.program(&wish)).await.unwrap_or_else(|_| {
            let reason = "the gateway does not answer".to_owned();
            Err(PlaneError::NotProgrammed { port: lease.port, after, reason })
        })
    }

    async fn try_port(&self, port: u16, until: Instant) -> Result<(), PlaneError> {
        let after = self.keeper.terms.program_timeout;
        let tried = self.keeper.probe.answers(port, until).await;
        tried.map_err(|reason| PlaneError::NotProgrammed { port, after, reason })
    }

    /// Gives back a port that is of another range than ours: that of before a restart, or of another sidecar. Where one
    /// says that it uses it (we never say so of such a port), it stays, and everybody listens there: two that disagree
    /// would else take it from each other for ever. Whether it was given back.
    async fn leave(&mut self, lease: &Lease) -> Result<bool, Trouble> {
        let Keeper { ledger, terms, .. } = self.keeper;
        let left = {
            let _turn = self.ledger_turns.acquire().await;
            ledger.release_unseen(lease, terms.unseen(), terms.rest).await
        };
        match left {
            Ok(false) => return Ok(false),
            Ok(true) | Err(LeaseError::Lost) => {}
            Err(error @ LeaseError::Unavailable(_)) => return Err(error.into()),
        }
        tracing::info!(service.id = %lease.service, port = lease.port, "a port outside the range was given back");
        // It rests, for longer than this takes.
        self.lost = self.lease.take();
        self.let_go_of_lost().await?;
        Ok(true)
    }

    /// Gives a port back at which nothing of ours listens; whoever listens there is left alone.
    async fn give_up(&mut self, lease: Lease) -> Result<(), Trouble> {
        self.keeper.board.say(&self.holder, Standing::Pending(None));
        tracing::warn!(service.id = %self.service.id, port = lease.port, "a port is taken by somebody else");
        self.avoid.push(lease.port);
        self.taken.push(lease.port);
        self.keeper.withdraw([lease.clone()]).await?;
        let released = {
            let _turn = self.ledger_turns.acquire().await;
            self.keeper.ledger.release(&lease, self.keeper.terms.rest).await
        };
        match released {
            // What another one holds is not ours to give back.
            Ok(()) | Err(LeaseError::Lost) => {}
            Err(error @ LeaseError::Unavailable(_)) => return Err(error.into()),
        }
        self.lease = None;
        Ok(())
    }
}
