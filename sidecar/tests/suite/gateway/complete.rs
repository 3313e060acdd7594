//! The moment in which the last provider says what it sees.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use taskgate::gateway::ledger::{LeaseError, Ledger, ReserveError};
use taskgate::gateway::port::{Holder, Lease, PortRange, Slot};
use taskgate::gateway::store::SqlLedger;
use taskgate_core::label::Label;

use super::stage::{FIRST, Life, Pretend, file_in, held, ledger, terms, until};

/// A ledger in whose next answer something happens.
struct Eventful {
    inner: Arc<SqlLedger>,
    event: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    lists: AtomicUsize,
}

impl Eventful {
    fn event(&self) -> Option<Box<dyn FnOnce() + Send>> {
        self.event.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Eventful {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Eventful")
    }
}

#[async_trait]
impl Ledger for Eventful {
    async fn list(&self) -> Result<Vec<Slot>, LeaseError> {
        let slots = self.inner.list().await;
        self.lists.fetch_add(1, Ordering::SeqCst);
        if let Some(event) = self.event() {
            event();
        }
        slots
    }

    async fn reserve(&self, range: PortRange, to: &Holder, id: &Label, no: &[u16]) -> Result<Lease, ReserveError> {
        self.inner.reserve(range, to, id, no).await
    }

    async fn release(&self, lease: &Lease, rest: Duration) -> Result<(), LeaseError> {
        self.inner.release(lease, rest).await
    }

    async fn release_unseen(&self, lease: &Lease, unseen: Duration, rest: Duration) -> Result<bool, LeaseError> {
        self.inner.release_unseen(lease, unseen, rest).await
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>, LeaseError> {
        self.inner.renew(leases).await
    }
}

#[tokio::test]
async fn nobody_is_cut_off_whatever_happens_when_the_last_provider_says_what_it_sees() {
    let directory = tempfile::tempdir().expect("a directory");
    let (ledger, pretend) = (ledger(&file_in(directory.path())).await, Arc::new(Pretend::default()));
    let first = Life::begin(Arc::<SqlLedger>::clone(&ledger), Arc::<Pretend>::clone(&pretend), &pretend, terms(3));
    first.see(&["a"]);
    until("it is told", async || first.port("a") == Some(FIRST)).await;
    drop(first);
    let eventful =
        Arc::new(Eventful { inner: Arc::clone(&ledger), event: Mutex::default(), lists: AtomicUsize::new(0) });
    let plane = Arc::<Pretend>::clone(&pretend);
    let life = Arc::new(Life::begin(Arc::<Eventful>::clone(&eventful), plane, &pretend, terms(3)));
    // It has looked at what listens then as well.
    until("it listed often", async || eventful.lists.load(Ordering::SeqCst) > 6).await;
    let sees = Arc::clone(&life);
    *eventful.event.lock().expect("a lock") = Some(Box::new(move || sees.see(&["a"])));
    until("it is told", async || life.port("a").is_some()).await;
    assert_eq!((life.port("a"), held(&*ledger).await.0.len()), (Some(FIRST), 1));
    assert_eq!(pretend.state().withdrawn, Vec::<u16>::new());
}
