//! Whose friendly names are.
//!
//! Who claims a name first gets it, and it stays that owner's: while a workload of theirs claims it, and for a while
//! after the last one ended, so that links live when a workload is started anew and nobody inherits its visitors. Among
//! workloads of one owner the one that claimed it last has it, until it ends. A workload that nobody owns has its names
//! for itself.
//!
//! Names are never taken from somebody for another. What grows is bounded, by owner and in all: those that were left
//! longest ago go first.

mod holding;
pub mod name;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use taskgate_core::label::Label;
use taskgate_core::time::UnixTime;

use crate::discovery::inventory::{Entry, ServiceKey};
use crate::registry::names::friendly::holding::Holding;
use crate::registry::names::friendly::name::{FriendlyName, suggestions};
use crate::registry::names::rules::NameRules;
use crate::registry::problems::{Reasons, subject};

/// How many names one owner has at most, those that are kept included.
pub const MAX_OF_ONE: usize = 20;
/// How many names there are in all.
pub const MAX_NAMES: usize = 20_000;

/// Whose a name is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// A workload that nobody owns.
    Operation(String),
    /// A person.
    Owner(String),
}

/// A name that is somebody's, in force or kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldName {
    /// The name.
    pub name: FriendlyName,
    /// Whose it is.
    pub holder: Holder,
    /// What has it, or had it last.
    pub key: Arc<ServiceKey>,
    /// Since when nothing claims it; none where something does.
    pub left_at: Option<UnixTime>,
}

/// A name that a service wants.
#[derive(Clone, Debug)]
pub(super) struct Want {
    pub(super) name: FriendlyName,
    pub(super) entry: Arc<Entry>,
}

/// What an assignment goes by, beside what is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: UnixTime,
    /// Whether every provider has published: what is not wanted now is not there.
    pub(super) settled: bool,
}

/// Whose friendly names are.
///
/// Invariant: `counts` has the holders of `held`.
#[derive(Debug, Default)]
pub(super) struct Friendly {
    held: BTreeMap<Label, Holding>,
    /// How many of them each has.
    counts: HashMap<Holder, usize>,
    pub(super) rules: NameRules,
    was_settled: bool,
    changes: u64,
}

impl Holder {
    /// Whose the names of a service are.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        match &entry.policy.owner {
            Some(owner) => Self::Owner(owner.clone()),
            None => Self::Operation(entry.key.operation.clone()),
        }
    }
}

impl Friendly {
    /// Takes names that were held in an earlier life. How many were left out because they are there already.
    pub(super) fn restore(&mut self, names: Vec<HeldName>) -> usize {
        let mut left_out = 0;
        for HeldName { name, holder, key, left_at } in names {
            if self.held.contains_key(name.label()) || self.held.len() >= MAX_NAMES {
                left_out += 1;
                continue;
            }
            self.hold(Holding { name, holder, claimants: vec![key], left_at });
        }
        left_out
    }

    /// All names that are somebody's, in their order.
    pub(super) fn held(&self) -> impl Iterator<Item = HeldName> + '_ {
        self.held.values().filter_map(|Holding { name, holder, claimants, left_at }| {
            let key = Arc::clone(claimants.last()?);
            Some(HeldName { name: name.clone(), holder: holder.clone(), key, left_at: *left_at })
        })
    }

    /// How often what is to be remembered changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Why somebody who wants a label for something else does not get it.
    pub(super) fn refusal(&self, label: &Label, holder: &Holder) -> Option<String> {
        let holding = self.held.get(label).filter(|holding| holding.holder != *holder)?;
        Some(holding.refusal(&self.rules))
    }

    /// When the next name that is kept is free.
    pub(super) fn lapses_at(&self) -> Option<UnixTime> {
        self.held.values().filter_map(|holding| holding.left_at).min().map(|left_at| left_at.after(self.rules.kept))
    }

    /// Lets a name go that is kept for somebody. Whether it was; none where it is nobody's.
    pub(super) fn release(&mut self, label: &Label) -> Option<bool> {
        let is_kept = self.held.get(label)?.left_at.is_some();
        if is_kept {
            self.free(label);
        }
        Some(is_kept)
    }

    /// Notes who claims the names that are somebody's, and since when nobody does; frees those that were kept for long
    /// enough.
    pub(super) fn follow(&mut self, claims: Vec<Want>, moment: Moment) {
        let by_name = by_name(claims);
        for (label, holding) in &mut self.held {
            let claims = by_name.get(label).map_or(&[][..], Vec::as_slice);
            let before = (holding.claimants.last().map(Arc::clone), holding.left_at);
            holding.follow(claims, moment, self.was_settled);
            if (holding.claimants.last().map(Arc::clone), holding.left_at) != before {
                self.changes = self.changes.wrapping_add(1);
            }
        }
        self.was_settled = moment.settled;
        let lapsed = |holding: &Holding| holding.left_at.is_some_and(|at| at.after(self.rules.kept) <= moment.now);
        let over: Vec<Label> =
            self.held.iter().filter(|(_, holding)| lapsed(holding)).map(|(label, _)| label.clone()).collect();
        over.iter().for_each(|label| self.free(label));
    }

    /// Gives names to who wants them: the services that got any, each with its own. Wants are in the order in which they
    /// count where they are new at the same time. `is_used` says whether a label is something else's.
    pub(super) fn assign(
        &mut self,
        wants: Vec<Want>,
        is_used: impl Fn(&Label) -> bool,
        problems: &mut Reasons,
    ) -> HashMap<Arc<ServiceKey>, Vec<Label>> {
        let mut given: HashMap<Arc<ServiceKey>, Vec<Label>> = HashMap::new();
        for (label, wants) in &by_name(wants) {
            if !self.held.contains_key(label) {
                self.give(label, wants, problems);
            }
            let Some(holding) = self.held.get(label) else { continue };
            let winner = holding.winner(wants);
            for want in wants {
                let is_theirs = Holder::of(&want.entry) == holding.holder;
                if winner.is_some_and(|winner| *winner == want.entry.key) {
                    given.entry(Arc::clone(&want.entry.key)).or_default().push(label.clone());
                } else if let Some(winner) = winner.filter(|_| is_theirs) {
                    let other = subject(winner);
                    problems
                        .add(&want.entry.key, format!("friendly name `{label}` is that of {other} of the same owner"));
                } else {
                    let would_do = self.suggestion(label.as_str(), &is_used);
                    let reason = format!("friendly name {}{would_do}", holding.refusal(&self.rules));
                    problems.add(&want.entry.key, reason);
                }
            }
        }
        given
    }

    /// The end of a message: a name that would do in place of a text.
    pub(super) fn suggestion(&self, text: &str, is_used: impl Fn(&Label) -> bool) -> String {
        let free = |name: &FriendlyName| {
            let label = name.label();
            !self.held.contains_key(label) && !self.rules.reserved.contains(label.as_str()) && !is_used(label)
        };
        suggestions(text).find(free).map_or_else(String::new, |name| format!("; `{name}` would do"))
    }

    /// Gives a name that is nobody's to the first who wants it and may have one more.
    fn give(&mut self, label: &Label, wants: &[Want], problems: &mut Reasons) {
        for want in wants {
            let holder = Holder::of(&want.entry);
            if !self.make_room(&holder) {
                let reason = format!(
                    "friendly name `{label}`: its owner has {MAX_OF_ONE} names, or there are {MAX_NAMES} in all; let \
                     one go first"
                );
                problems.add(&want.entry.key, reason);
                continue;
            }
            let theirs = wants.iter().filter(|want| Holder::of(&want.entry) == holder);
            // The first of those that are new at one time counts: it comes last.
            let mut claimants: Vec<_> = theirs.map(|want| Arc::clone(&want.entry.key)).collect();
            claimants.reverse();
            tracing::info!(
                audit = true,
                event = "name-given",
                name = label.as_str(),
                service.owner = want.entry.policy.owner,
                operation = want.entry.key.operation,
                "a friendly name is somebody's"
            );
            self.hold(Holding { name: want.name.clone(), holder, claimants, left_at: None });
            self.changes = self.changes.wrapping_add(1);
            return;
        }
    }

    /// Makes room for one more name of somebody's, where there can be: what was left longest ago goes.
    fn make_room(&mut self, holder: &Holder) -> bool {
        let of_one = self.counts.get(holder).copied().unwrap_or_default();
        let oldest = |is: &dyn Fn(&Holding) -> bool| {
            let left = self.held.iter().filter(|(_, holding)| is(holding));
            left.filter_map(|(label, holding)| Some((holding.left_at?, label))).min().map(|(_, label)| label.clone())
        };
        let oldest = match (of_one >= MAX_OF_ONE, self.held.len() >= MAX_NAMES) {
            (true, _) => oldest(&|holding| holding.holder == *holder),
            (false, true) => oldest(&|_| true),
            (false, false) => return true,
        };
        oldest.inspect(|label| self.free(label)).is_some()
    }

    fn hold(&mut self, holding: Holding) {
        *self.counts.entry(holding.holder.clone()).or_default() += 1;
        self.held.insert(holding.name.label().clone(), holding);
    }

    fn free(&mut self, label: &Label) {
        if let Some(holding) = self.held.remove(label) {
            self.changes = self.changes.wrapping_add(1);
            if let Some(count) = self.counts.get_mut(&holding.holder) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&holding.holder);
                }
            }
            let owner = match &holding.holder {
                Holder::Owner(owner) => Some(owner),
                Holder::Operation(_) => None,
            };
            let name = label.as_str();
            tracing::info!(
                audit = true,
                event = "name-freed",
                name,
                service.owner = owner,
                "a friendly name is nobody's"
            );
        }
    }
}

fn by_name(wants: Vec<Want>) -> BTreeMap<Label, Vec<Want>> {
    let mut by_name: BTreeMap<Label, Vec<Want>> = BTreeMap::new();
    for want in wants {
        by_name.entry(want.name.label().clone()).or_default().push(want);
    }
    by_name
}
