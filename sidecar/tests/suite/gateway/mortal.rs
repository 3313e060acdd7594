//! A ledger and a data plane that die with the process: at one step, before it or after it, and for good.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use taskgate::gateway::ledger::{LeaseError, Ledger, ReserveError};
use taskgate::gateway::plane::{Plane, PlaneError, Wish};
use taskgate::gateway::port::{Holder, Lease, PortRange, Slot};
use taskgate_core::label::Label;

/// When it dies.
#[derive(Debug)]
pub(super) struct Fate {
    steps: AtomicUsize,
    /// At which step, from 1.
    last: usize,
    /// Whether that step is done still, and only its answer is lost.
    is_done: bool,
    is_dead: AtomicBool,
}

/// What dies.
#[derive(Debug)]
pub(super) struct Mortal<T: ?Sized> {
    inner: Arc<T>,
    fate: Arc<Fate>,
}

impl Fate {
    pub(super) fn at(last: usize, is_done: bool) -> Arc<Self> {
        Arc::new(Self { steps: AtomicUsize::new(0), last, is_done, is_dead: AtomicBool::new(false) })
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst)
    }

    pub(super) fn steps(&self) -> usize {
        self.steps.load(Ordering::SeqCst)
    }

    async fn step<T>(&self, work: impl Future<Output = T>) -> T {
        let step = self.steps.fetch_add(1, Ordering::SeqCst) + 1;
        if step < self.last {
            return work.await;
        }
        if step == self.last && self.is_done {
            work.await;
        }
        if step == self.last {
            self.is_dead.store(true, Ordering::SeqCst);
        }
        pending().await
    }
}

impl<T: ?Sized> Mortal<T> {
    pub(super) fn new(inner: Arc<T>, fate: &Arc<Fate>) -> Arc<Self> {
        Arc::new(Self { inner, fate: Arc::clone(fate) })
    }
}

#[async_trait]
impl<T: Ledger + ?Sized> Ledger for Mortal<T> {
    async fn list(&self) -> Result<Vec<Slot>, LeaseError> {
        self.fate.step(self.inner.list()).await
    }

    async fn reserve(
        &self,
        range: PortRange,
        holder: &Holder,
        service: &Label,
        avoid: &[u16],
    ) -> Result<Lease, ReserveError> {
        self.fate.step(self.inner.reserve(range, holder, service, avoid)).await
    }

    async fn release(&self, lease: &Lease, rest: Duration) -> Result<(), LeaseError> {
        self.fate.step(self.inner.release(lease, rest)).await
    }

    async fn release_unseen(&self, lease: &Lease, unseen: Duration, rest: Duration) -> Result<bool, LeaseError> {
        self.fate.step(self.inner.release_unseen(lease, unseen, rest)).await
    }

    async fn remember(
        &self,
        port: u16,
        service: &Label,
        holder: Option<&Holder>,
        rest: Duration,
    ) -> Result<bool, LeaseError> {
        self.fate.step(self.inner.remember(port, service, holder, rest)).await
    }

    fn expires(&self) -> bool {
        self.inner.expires()
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>, LeaseError> {
        self.fate.step(self.inner.renew(leases)).await
    }
}

#[async_trait]
impl<T: Plane + ?Sized> Plane for Mortal<T> {
    async fn program(&self, wish: &Wish) -> Result<(), PlaneError> {
        self.fate.step(self.inner.program(wish)).await
    }

    async fn withdraw(&self, lease: &Lease) -> Result<(), PlaneError> {
        self.fate.step(self.inner.withdraw(lease)).await
    }

    async fn observe(&self) -> Result<Vec<(u16, Label)>, PlaneError> {
        self.fate.step(self.inner.observe()).await
    }
}
