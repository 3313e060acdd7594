//! Transactions: started, kept alive, ended, and ended by time.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::change::Change;
use super::{Cypress, State};
use crate::yson::{Yson, YsonMap};
use crate::ytsaurus::error::{ClusterError, codes};
use crate::ytsaurus::guid::{Guid, Kind};
use crate::ytsaurus::time;

/// How long a transaction lives that does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A transaction to start.
#[derive(Clone, Debug, Default)]
pub(in crate::ytsaurus) struct NewTransaction {
    pub(in crate::ytsaurus) parent: Option<Guid>,
    pub(in crate::ytsaurus) timeout: Option<Duration>,
    pub(in crate::ytsaurus) attributes: YsonMap,
    /// With any of these it ends.
    pub(in crate::ytsaurus) prerequisites: Vec<Guid>,
    pub(in crate::ytsaurus) user: String,
}

/// A transaction that is under way.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) id: Guid,
    parent: Option<Guid>,
    timeout: Duration,
    deadline: Instant,
    started_micros: i64,
    attributes: YsonMap,
    prerequisites: Vec<Guid>,
    owner: String,
    pub(super) changes: BTreeMap<Guid, Change>,
    /// Nodes as they were when a snapshot lock was taken.
    pub(super) snapshots: HashMap<Guid, State>,
    /// Nodes that were made in it.
    pub(super) created: Vec<Guid>,
}

// === impl Transaction ===

impl Transaction {
    /// What errors say about it.
    pub(super) fn description(&self) -> Yson {
        let mut fields = YsonMap::from([
            (b"id".to_vec(), self.id.into()),
            (b"start_time".to_vec(), time::text(self.started_micros).into()),
            (b"owner".to_vec(), self.owner.as_str().into()),
        ]);
        if let Some(title) = self.attributes.get(b"title".as_slice()) {
            fields.insert(b"title".to_vec(), title.clone());
        }
        fields.into()
    }
}

// === impl Cypress ===

impl Cypress {
    /// A transaction, its parent, and so on.
    pub(super) fn chain(&self, transaction: Option<Guid>) -> impl Iterator<Item = &Transaction> {
        let find = |id: Option<Guid>| id.and_then(|id| self.transactions.get(&id));
        std::iter::successors(find(transaction), move |transaction| find(transaction.parent))
    }

    /// Starts a transaction.
    pub(in crate::ytsaurus) fn start(&mut self, new: NewTransaction, now: Instant) -> Result<Guid, ClusterError> {
        if let Some(parent) = new.parent {
            self.alive(parent)?;
        }
        let id = self.guids.next(Kind::Transaction);
        let timeout = new.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let transaction = Transaction {
            id,
            parent: new.parent,
            timeout,
            deadline: now + timeout,
            started_micros: time::now_micros(),
            attributes: new.attributes,
            prerequisites: new.prerequisites,
            owner: new.user,
            changes: BTreeMap::new(),
            snapshots: HashMap::new(),
            created: Vec::new(),
        };
        self.transactions.insert(id, transaction);
        Ok(id)
    }

    /// Fails unless the transaction is under way.
    pub(in crate::ytsaurus) fn alive(&self, id: Guid) -> Result<(), ClusterError> {
        if self.transactions.contains_key(&id) {
            return Ok(());
        }
        Err(ClusterError::new(codes::NO_SUCH_TRANSACTION, format!("No such transaction {id}")))
    }

    /// Fails unless all these are under way.
    pub(in crate::ytsaurus) fn check_prerequisites(&self, ids: &[Guid]) -> Result<(), ClusterError> {
        match ids.iter().find(|id| !self.transactions.contains_key(id)) {
            None => Ok(()),
            Some(id) => Err(ClusterError::new(
                codes::PREREQUISITE,
                format!("Prerequisite check failed: transaction {id} is missing"),
            )),
        }
    }

    /// Keeps a transaction alive, and those it is in if wanted.
    pub(in crate::ytsaurus) fn ping(
        &mut self,
        id: Guid,
        with_ancestors: bool,
        now: Instant,
    ) -> Result<(), ClusterError> {
        self.alive(id)?;
        let chain: Vec<Guid> = self.chain(Some(id)).map(|transaction| transaction.id).collect();
        for id in chain.into_iter().take(if with_ancestors { usize::MAX } else { 1 }) {
            if let Some(transaction) = self.transactions.get_mut(&id) {
                transaction.deadline = now + transaction.timeout;
            }
        }
        Ok(())
    }

    /// Makes what a transaction did visible to its parent, or to all.
    pub(in crate::ytsaurus) fn commit(&mut self, id: Guid) -> Result<(), ClusterError> {
        self.alive(id)?;
        self.abort_nested(id);
        let Some(transaction) = self.transactions.remove(&id) else { return Ok(()) };
        let parent = transaction.parent;
        for (node, change) in transaction.changes {
            if parent.is_none() && change.rows.is_some() {
                *self.writes.entry(self.path_of(node)).or_default() += 1;
            }
            self.apply(node, parent, change);
        }
        if let Some(parent) = parent.and_then(|parent| self.transactions.get_mut(&parent)) {
            parent.created.extend(transaction.created);
        }
        self.hand_on_locks(id, parent);
        self.abort_dependent(id);
        Ok(())
    }

    /// Undoes what a transaction did. One that is gone already is none the worse for it.
    pub(in crate::ytsaurus) fn abort(&mut self, id: Guid) {
        self.abort_nested(id);
        let Some(transaction) = self.transactions.remove(&id) else { return };
        self.hand_on_locks(id, None);
        for node in transaction.created {
            self.forget(node);
        }
        self.abort_dependent(id);
    }

    fn abort_nested(&mut self, id: Guid) {
        for nested in self.matching(|transaction| transaction.parent == Some(id)) {
            self.abort(nested);
        }
    }

    fn abort_dependent(&mut self, id: Guid) {
        for dependent in self.matching(|transaction| transaction.prerequisites.contains(&id)) {
            self.abort(dependent);
        }
    }

    fn matching(&self, matches: impl Fn(&Transaction) -> bool) -> Vec<Guid> {
        self.transactions
            .values()
            .filter(|transaction| matches(transaction))
            .map(|transaction| transaction.id)
            .collect()
    }

    /// Ends the transactions whose time is over.
    pub(in crate::ytsaurus) fn expire(&mut self, now: Instant) {
        for expired in self.matching(|transaction| transaction.deadline <= now) {
            self.abort(expired);
        }
    }

    /// The transactions that are under way.
    pub(in crate::ytsaurus) fn transactions(&self) -> Vec<Guid> {
        self.transactions.keys().copied().collect()
    }

    /// What is known about a transaction.
    pub(in crate::ytsaurus) fn transaction_attributes(&self, id: Guid) -> Option<Yson> {
        let transaction = self.transactions.get(&id)?;
        let locks = self.locks.values().filter(|lock| lock.transaction == id).map(|lock| Yson::from(lock.id));
        let mut fields = transaction.attributes.clone();
        let named = [
            ("id", Yson::from(id)),
            ("type", "transaction".into()),
            ("parent_id", transaction.parent.unwrap_or(Guid::NULL).into()),
            ("owner", transaction.owner.as_str().into()),
            ("start_time", time::text(transaction.started_micros).into()),
            ("timeout", i64::try_from(transaction.timeout.as_millis()).unwrap_or(i64::MAX).into()),
            ("lock_ids", locks.collect::<Vec<_>>().into()),
        ];
        fields.extend(named.into_iter().map(|(name, value)| (name.into(), value)));
        Some(fields.into())
    }
}
