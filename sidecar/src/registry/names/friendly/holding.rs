//! One name that is somebody's.

use std::collections::HashSet;
use std::sync::Arc;

use taskgate_core::time::UnixTime;

use crate::discovery::inventory::ServiceKey;
use crate::registry::names::friendly::name::FriendlyName;
use crate::registry::names::friendly::{Holder, Moment, Want};
use crate::registry::names::rules::NameRules;

/// A name that is somebody's.
///
/// Invariant: there is a claimant.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) name: FriendlyName,
    pub(super) holder: Holder,
    /// Who claims it. The last has it.
    pub(super) claimants: Vec<Arc<ServiceKey>>,
    pub(super) left_at: Option<UnixTime>,
}

impl Holding {
    /// Notes who claims it, or since when nobody does.
    pub(super) fn follow(&mut self, wants: &[Want], Moment { now, settled }: Moment, was_settled: bool) {
        let theirs: Vec<Arc<ServiceKey>> = self.theirs(wants).map(Arc::clone).collect();
        if theirs.is_empty() {
            if settled && self.left_at.is_none() {
                self.left_at = Some(now);
            }
            return;
        }
        self.left_at = None;
        let known: HashSet<&Arc<ServiceKey>> = self.claimants.iter().collect();
        let new = theirs.iter().rev().filter(|key| !known.contains(*key)).map(Arc::clone);
        let new: Vec<Arc<ServiceKey>> = new.collect();
        // Before every provider has published, who seems to be new may have been there for long.
        let place = if was_settled { self.claimants.len() } else { 0 };
        self.claimants.splice(place..place, new);
        if settled {
            let theirs: HashSet<&Arc<ServiceKey>> = theirs.iter().collect();
            self.claimants.retain(|key| theirs.contains(key));
        }
    }

    /// Who has it, of those who want it.
    pub(super) fn winner(&self, wants: &[Want]) -> Option<&Arc<ServiceKey>> {
        let wanting: HashSet<&Arc<ServiceKey>> = self.theirs(wants).collect();
        self.claimants.iter().rev().find(|key| wanting.contains(key))
    }

    fn theirs<'a>(&'a self, wants: &'a [Want]) -> impl Iterator<Item = &'a Arc<ServiceKey>> {
        wants.iter().filter(|want| Holder::of(&want.entry) == self.holder).map(|want| &want.entry.key)
    }

    /// Why it is not another's, without a word about whose it is.
    pub(super) fn refusal(&self, rules: &NameRules) -> String {
        match self.left_at.map(|left_at| date(left_at.after(rules.kept))) {
            Some(until) => format!("`{}` is kept for another owner until {until}", self.name),
            None => format!("`{}` is another owner's", self.name),
        }
    }
}

/// A day, for people.
fn date(time: UnixTime) -> String {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX).strftime("%Y-%m-%d").to_string()
}
