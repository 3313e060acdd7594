//! Whose turn it is to write to an upload, and what is remembered of uploads to save work.
//!
//! A client whose connection broke comes back before this side has noticed. So whoever asks how far an upload is has
//! the request that still writes to it ended, instead of being told to wait until that one's time is up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::data::store::local::resume::state::State;
use crate::data::store::local::resume::ticket::ResumeId;
use crate::data::store::local::write::Hashes;

/// How long somebody waits for a request that was asked to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of how many uploads digests are remembered. Those of others are made anew, of what is on the disk.
const REMEMBERED: usize = 4096;

/// The uploads that this process writes to, or wrote to.
#[derive(Clone, Debug, Default)]
pub(in crate::data::store::local) struct Registry(Arc<Mutex<Uploads>>);

#[derive(Debug, Default)]
struct Uploads {
    going: HashMap<ResumeId, Signals>,
    hashes: HashMap<ResumeId, (u64, Hashes)>,
}

#[derive(Clone, Debug, Default)]
struct Signals {
    /// It should end.
    stop: CancellationToken,
    /// It has ended.
    over: CancellationToken,
}

/// The right of one request to write to an upload. It ends when this and all its clones are gone.
#[derive(Clone, Debug)]
pub struct Turn(Arc<Held>);

#[derive(Debug)]
struct Held {
    registry: Registry,
    id: ResumeId,
    signals: Signals,
}

impl Registry {
    /// The right to write to an upload, where nobody has it.
    pub(in crate::data::store::local) fn try_take(&self, id: ResumeId) -> Option<Turn> {
        self.request(id).ok()
    }

    /// The right to write to an upload. Whoever has it is asked to end; none where that takes too long.
    pub(in crate::data::store::local) async fn take(&self, id: ResumeId) -> Option<Turn> {
        let taken = async {
            loop {
                match self.request(id) {
                    Ok(turn) => return turn,
                    Err(other) => {
                        other.stop.cancel();
                        other.over.cancelled().await;
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, taken).await.ok()
    }

    fn request(&self, id: ResumeId) -> Result<Turn, Signals> {
        let mut uploads = self.lock();
        if let Some(other) = uploads.going.get(&id) {
            return Err(other.clone());
        }
        let signals = Signals::default();
        uploads.going.insert(id, signals.clone());
        Ok(Turn(Arc::new(Held { registry: self.clone(), id, signals })))
    }

    fn lock(&self) -> MutexGuard<'_, Uploads> {
        // Nothing is left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Cancelled when somebody else asks for the upload.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.0.signals.stop.clone()
    }

    /// The digests that were remembered of this upload. What they are of does not change any more: the client was
    /// told that it is there.
    pub(super) fn hashes(&self, state: &State) -> Option<Hashes> {
        let uploads = self.0.registry.lock();
        uploads.hashes.get(&self.0.id).filter(|(life, _)| *life == state.life).map(|(_, hashes)| hashes.clone())
    }

    /// Remembers digests.
    pub(super) fn remember(&self, state: &State, hashes: Hashes) {
        let mut uploads = self.0.registry.lock();
        if uploads.hashes.len() >= REMEMBERED && !uploads.hashes.contains_key(&self.0.id) {
            uploads.hashes.clear();
        }
        uploads.hashes.insert(self.0.id, (state.life, hashes));
    }

    /// Remembers nothing of an upload that is over.
    pub(super) fn forget(&self) {
        self.0.registry.lock().hashes.remove(&self.0.id);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.registry.lock().going.remove(&self.id);
        self.signals.over.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: char) -> ResumeId {
        ResumeId::parse(&text.to_string().repeat(32)).expect("an id")
    }

    #[tokio::test]
    async fn one_has_the_turn_until_it_is_asked_to_end() {
        let registry = Registry::default();
        let first = registry.try_take(id('a')).expect("is free");
        assert!(registry.try_take(id('a')).is_none());
        assert!(registry.try_take(id('b')).is_some(), "another upload");
        let stop = first.stop();
        let clone = first.clone();
        let other = tokio::spawn(async move {
            stop.cancelled().await;
            drop(first);
            drop(clone);
        });
        assert!(registry.take(id('a')).await.is_some());
        other.await.expect("ends");
        assert!(registry.try_take(id('a')).is_some(), "turns end");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let registry = Registry::default();
        let turn = registry.try_take(id('a')).expect("is free");
        assert!(registry.take(id('a')).await.is_none());
        assert!(turn.stop().is_cancelled());
    }
}
