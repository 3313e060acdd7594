//! What all steps of one copy have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskgate_core::task::{Progress, Unit};
use tokio::time::Instant;

use super::arguments::Arguments;
use super::checkpoint::{Checkpoint, Extra, Id, Saved};
use super::paths::{Domains, Found, Home};
use super::place::{Place, Spot};
use super::settings::Settings;
use crate::digest::Digest;
use crate::hsds::calls::ListOrder;
use crate::hsds::calls::incarnation::Incarnation;
use crate::hsds::calls::objects::Object;
use crate::hsds::client::Session;
use crate::hsds::id::{Collection, ObjectId};
use crate::tasks::operation::WorkError;
use crate::tasks::request::Location;
use crate::tasks::work::Work;

/// The shortest time between checkpoints: something must be done in between.
const MIN_PAUSE: Duration = Duration::from_millis(10);
/// The most objects of one copy: each takes memory.
const MAX_OBJECTS: usize = 1_000_000;
/// The most objects that no link leads to: each is in every checkpoint.
const MAX_EXTRAS: usize = 50_000;

/// One attempt at a copy.
pub(super) struct Job<'a> {
    pub(super) work: &'a Work,
    pub(super) session: &'a Session,
    pub(super) arguments: &'a Arguments,
    pub(super) settings: &'a Settings,
    pub(super) domains: &'a Domains,
    /// What is copied.
    pub(super) source: Found,
    /// Where to.
    pub(super) place: Place,
    /// The task's id: what copies' ids are made from.
    pub(super) task: String,
    /// The run of the server in which the attempt began.
    pub(super) incarnation: Incarnation,
    /// Where the copy can go on from, whatever happens to the server.
    pub(super) durable: Mutex<Checkpoint>,
    /// When the last checkpoint was kept.
    pub(super) saved: Mutex<Instant>,
    /// How many bytes of data are copied.
    pub(super) bytes: AtomicU64,
    /// How many there are.
    pub(super) total: AtomicU64,
}

/// The objects of a copy, by the originals' ids.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// All that are copied.
    objects: BTreeMap<ObjectId, Traits>,
    /// Those that links lead to and that are not there.
    pub(super) absent: BTreeSet<ObjectId>,
}

/// What is known of an object that is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    /// Whether it may have attributes.
    pub(super) may_have_attributes: bool,
    /// The order that its links and attributes have; none where it was not looked at.
    pub(super) order: Option<ListOrder>,
}

/// What turned up while attributes and data were copied, and no link leads to.
#[derive(Debug, Default)]
pub(super) struct Extras {
    all: Mutex<BTreeMap<ObjectId, Extra>>,
    round: u32,
}

impl Job<'_> {
    /// Where the copy can go on from, whatever happens to the server.
    pub(super) fn into_durable(self) -> Checkpoint {
        self.durable.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of an object's copy.
    pub(super) fn copied(&self, id: ObjectId) -> ObjectId {
        let home = &self.place.home;
        if self.place.spot == Spot::Root && id == self.source.id {
            return home.root;
        }
        ObjectId::derived(id.collection(), home.root, &[b"copy", self.task.as_bytes(), id.to_string().as_bytes()])
    }

    /// The group whose links are those of a group's copy: the copy itself, unless that is the root group, which gets
    /// its links when all else is done.
    pub(super) fn links_of(&self, id: ObjectId) -> ObjectId {
        let copied = self.copied(id);
        if copied == self.place.home.root { self.made("links") } else { copied }
    }

    /// The id of a group that has no original.
    pub(super) fn made(&self, what: &str) -> ObjectId {
        ObjectId::derived(Collection::Groups, self.place.home.root, &[b"made", self.task.as_bytes(), what.as_bytes()])
    }

    /// The domain of an original.
    pub(super) fn home_of(&self, id: ObjectId) -> Arc<Home> {
        // An id that is of no domain that was met is asked for where the source is, which knows nothing of it.
        self.domains.of(id).unwrap_or_else(|| Arc::clone(&self.source.home))
    }

    /// Whether an original is in the domain that it is copied to.
    pub(super) fn is_at_home(&self, id: ObjectId) -> bool {
        self.place.home.root.is_beside(id)
    }

    /// The destination, as it was asked for.
    pub(super) fn destination(&self) -> Result<&Location, WorkError> {
        let destination = self.work.request().des.first();
        destination.ok_or_else(|| WorkError::permanent("malformed-arguments", "there is no destination"))
    }

    /// Counts data that is copied, and says so.
    pub(super) fn count(&self, bytes: u64) {
        let done = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let total = self.total.load(Ordering::Relaxed).max(done);
        self.work.report(Progress { done, total: Some(total), unit: Unit::Bytes });
    }

    /// Whether the last checkpoint is old.
    pub(super) fn is_due(&self) -> bool {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
            >= self.settings.checkpoint_every.max(MIN_PAUSE)
    }

    /// Keeps a checkpoint, once all before it is in the server's storage.
    pub(super) async fn save(&self, checkpoint: Checkpoint) -> Result<(), WorkError> {
        let before = self.durable.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let saved = Saved { incarnation: self.incarnation.clone(), newest: checkpoint, before };
        self.work.save(&saved).await?;
        self.confirm().await?;
        *self.durable.lock().unwrap_or_else(PoisonError::into_inner) = saved.newest;
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(())
    }

    /// Makes sure that the server did not start again since the attempt began: what was flushed is all there.
    pub(super) async fn confirm(&self) -> Result<(), WorkError> {
        if self.incarnation.goes_on_in(&self.session.incarnation().await?) {
            return Ok(());
        }
        Err(WorkError::Transient("the server started again while it was written to".to_owned()))
    }
}

impl Default for Traits {
    fn default() -> Self {
        Self { may_have_attributes: true, order: None }
    }
}

impl Traits {
    /// Those of an object.
    pub(super) fn of(object: &Object) -> Self {
        Self { may_have_attributes: object.attribute_count != Some(0), order: Some(object.order()) }
    }
}

impl Known {
    /// None yet, but those that are not there.
    pub(super) fn new(absent: BTreeSet<ObjectId>) -> Self {
        Self { absent, ..Self::default() }
    }

    /// Whether it is copied.
    pub(super) fn has(&self, id: ObjectId) -> bool {
        self.objects.contains_key(&id)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Adds an object.
    pub(super) fn add(&mut self, id: ObjectId, traits: Traits) -> Result<(), WorkError> {
        if self.objects.len() >= MAX_OBJECTS {
            let detail = format!("there are more than {MAX_OBJECTS} objects to copy");
            return Err(WorkError::permanent("too-many-objects", detail));
        }
        self.objects.insert(id, traits);
        Ok(())
    }

    /// What is known of it.
    pub(super) fn traits(&self, id: ObjectId) -> Traits {
        self.objects.get(&id).copied().unwrap_or_default()
    }

    /// What tells these objects from others.
    pub(super) fn digest(&self) -> String {
        Digest::of_pieces(self.objects.keys().map(ToString::to_string)).to_string()
    }
}

impl Extras {
    /// Those of earlier rounds, to which more are added in this one.
    pub(super) fn new(all: Vec<Extra>, round: u32) -> Self {
        Self { all: Mutex::new(all.into_iter().map(|extra| (extra.id.0, extra)).collect()), round }
    }

    /// Whether it is among them.
    pub(super) fn has(&self, id: ObjectId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Adds one.
    pub(super) fn add(&self, id: ObjectId, is_named: bool) -> Result<(), WorkError> {
        let mut all = self.lock();
        if all.len() >= MAX_EXTRAS && !all.contains_key(&id) {
            let detail = format!("there are more than {MAX_EXTRAS} objects to copy that only references lead to");
            return Err(WorkError::permanent("too-many-objects", detail));
        }
        let extra = all.entry(id).or_insert(Extra { id: Id(id), round: self.round, is_named });
        extra.is_named |= is_named;
        Ok(())
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Extra> {
        self.lock().values().copied().collect()
    }

    /// Those that turned up in one round.
    pub(super) fn of_round(&self, round: u32) -> Vec<ObjectId> {
        self.all().into_iter().filter(|extra| extra.round == round).map(|extra| extra.id.0).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ObjectId, Extra>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
