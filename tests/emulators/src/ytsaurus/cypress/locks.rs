//! Locks on nodes: who holds which, and who has to wait. Nobody waits here: a lock is had or refused.

use super::Cypress;
use crate::yson::{Yson, YsonMap};
use crate::ytsaurus::error::{ClusterError, codes};
use crate::ytsaurus::guid::{Guid, Kind};

/// How much a lock keeps others from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ytsaurus) enum LockMode {
    Exclusive,
    Shared,
    /// Keeps nobody from anything: the holder sees the node as it was.
    Snapshot,
}

/// Which part of a node is locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ytsaurus) enum LockKey {
    Whole,
    Child(String),
    Attribute(String),
}

/// The lock that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ytsaurus) struct LockRequest {
    pub(in crate::ytsaurus) mode: LockMode,
    pub(in crate::ytsaurus) key: LockKey,
}

/// A lock that a transaction holds.
#[derive(Clone, Debug)]
pub(super) struct Lock {
    pub(super) id: Guid,
    pub(super) node: Guid,
    pub(super) transaction: Guid,
    request: LockRequest,
    is_explicit: bool,
}

// === impl LockMode ===

impl LockMode {
    pub(in crate::ytsaurus) fn parse(name: &str) -> Result<Self, ClusterError> {
        match name {
            "exclusive" => Ok(Self::Exclusive),
            "shared" => Ok(Self::Shared),
            "snapshot" => Ok(Self::Snapshot),
            _ => Err(ClusterError::generic(format!("Error parsing lock mode \"{name}\""))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Exclusive => "exclusive",
            Self::Shared => "shared",
            Self::Snapshot => "snapshot",
        }
    }
}

// === impl LockRequest ===

impl LockRequest {
    pub(super) fn exclusive() -> Self {
        Self { mode: LockMode::Exclusive, key: LockKey::Whole }
    }

    pub(super) fn shared(key: LockKey) -> Self {
        Self { mode: LockMode::Shared, key }
    }

    /// Whether both can't be held by transactions that have nothing to do with each other.
    fn conflicts_with(&self, other: &Self) -> bool {
        match (self.mode, other.mode) {
            (LockMode::Snapshot, _) | (_, LockMode::Snapshot) => false,
            (LockMode::Shared, LockMode::Shared) => self.key != LockKey::Whole && self.key == other.key,
            _ => true,
        }
    }
}

// === impl Lock ===

impl Lock {
    pub(super) fn to_yson(&self) -> Yson {
        let mut fields = YsonMap::from([
            (b"id".to_vec(), self.id.into()),
            (b"state".to_vec(), "acquired".into()),
            (b"transaction_id".to_vec(), self.transaction.into()),
            (b"mode".to_vec(), self.request.mode.name().into()),
        ]);
        match &self.request.key {
            LockKey::Whole => {}
            LockKey::Child(name) => drop(fields.insert(b"child_key".to_vec(), name.into())),
            LockKey::Attribute(name) => drop(fields.insert(b"attribute_key".to_vec(), name.into())),
        }
        fields.into()
    }
}

// === impl Cypress ===

impl Cypress {
    /// The locks on a node.
    pub(super) fn locks_on(&self, node: Guid) -> impl Iterator<Item = &Lock> {
        self.locks.values().filter(move |lock| lock.node == node)
    }

    /// What is known about a lock.
    pub(in crate::ytsaurus) fn lock_attributes(&self, id: Guid) -> Option<Yson> {
        let lock = self.locks.get(&id)?;
        let mut shown = lock.to_yson();
        if let Some(fields) = shown.as_map_mut() {
            fields.insert(b"type".to_vec(), "lock".into());
            fields.insert(b"node_id".to_vec(), lock.node.into());
        }
        Some(shown)
    }

    /// Takes a lock that a user asked for; the lock's id.
    pub(in crate::ytsaurus) fn lock(
        &mut self,
        node: Guid,
        transaction: Guid,
        request: &LockRequest,
    ) -> Result<Guid, ClusterError> {
        let lock = self.take_lock(node, Some(transaction), request, true)?;
        if request.mode == LockMode::Snapshot {
            let state = self.state(node, Some(transaction));
            if let Some(transaction) = self.transactions.get_mut(&transaction) {
                transaction.snapshots.entry(node).or_insert(state);
            }
        }
        lock.ok_or_else(|| ClusterError::generic("A valid master transaction is required"))
    }

    /// Gives up what a transaction locked itself on a node.
    pub(in crate::ytsaurus) fn unlock(&mut self, node: Guid, transaction: Guid) {
        self.locks.retain(|_, lock| lock.node != node || lock.transaction != transaction || !lock.is_explicit);
        if let Some(transaction) = self.transactions.get_mut(&transaction) {
            transaction.snapshots.remove(&node);
        }
    }

    /// The revision that a lock answers with.
    pub(in crate::ytsaurus) fn content_revision(&self, node: Guid) -> u64 {
        self.nodes.get(&node).map_or(0, |node| node.content_revision)
    }

    /// Takes a lock, or checks that one could be had if there is no transaction to hold it.
    pub(super) fn take_lock(
        &mut self,
        node: Guid,
        transaction: Option<Guid>,
        request: &LockRequest,
        is_explicit: bool,
    ) -> Result<Option<Guid>, ClusterError> {
        let kin: Vec<Guid> = self.chain(transaction).map(|transaction| transaction.id).collect();
        for lock in self.locks_on(node) {
            if Some(lock.transaction) == transaction {
                let is_snapshot = lock.request.mode == LockMode::Snapshot;
                if is_snapshot != (request.mode == LockMode::Snapshot) {
                    return Err(self.refused(codes::SAME_TRANSACTION_LOCK, node, lock, request));
                }
                if !is_explicit && lock.request.mode == LockMode::Exclusive {
                    return Ok(Some(lock.id));
                }
                if lock.request == *request && lock.is_explicit == is_explicit {
                    return Ok(Some(lock.id));
                }
            } else if !kin.contains(&lock.transaction) && request.conflicts_with(&lock.request) {
                return Err(self.refused(codes::LOCK_CONFLICT, node, lock, request));
            }
        }
        let Some(transaction) = transaction else { return Ok(None) };
        let id = self.guids.next(Kind::Lock);
        let lock = Lock { id, node, transaction, request: request.clone(), is_explicit };
        self.locks.insert(id, lock);
        Ok(Some(id))
    }

    fn refused(&self, code: i64, node: Guid, held: &Lock, request: &LockRequest) -> ClusterError {
        let path = self.path_of(node);
        let holder = held.transaction;
        let message = match &request.key {
            _ if code == codes::SAME_TRANSACTION_LOCK => format!(
                "Cannot take \"{}\" lock for node {path} since \"{}\" lock is already taken by same transaction {holder}",
                request.mode.name(),
                held.request.mode.name(),
            ),
            LockKey::Child(name) if held.request.key == request.key => format!(
                "Cannot take lock for child \"{name}\" of node {path} since this child is locked by concurrent \
                 transaction {holder}"
            ),
            LockKey::Attribute(name) if held.request.key == request.key => format!(
                "Cannot take lock for attribute \"{name}\" of node {path} since this attribute is locked by \
                 concurrent transaction {holder}"
            ),
            _ => format!(
                "Cannot take \"{}\" lock for node {path} since \"{}\" lock is taken by concurrent transaction {holder}",
                request.mode.name(),
                held.request.mode.name(),
            ),
        };
        let winner = self.transactions.get(&holder).map(|holder| holder.description()).unwrap_or_default();
        ClusterError::new(code, message).with("winner_transaction", winner)
    }

    /// A nested transaction's locks go to its parent, and end with the outermost one.
    pub(super) fn hand_on_locks(&mut self, transaction: Guid, parent: Option<Guid>) {
        self.locks.retain(|_, lock| {
            if lock.transaction != transaction {
                return true;
            }
            match parent {
                Some(parent) if lock.request.mode != LockMode::Snapshot => {
                    lock.transaction = parent;
                    true
                }
                _ => false,
            }
        });
    }
}
