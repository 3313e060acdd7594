//! Friendly names as services want them: what can be wanted at all.

use std::collections::HashSet;
use std::sync::Arc;

use taskgate_core::label::Label;
use taskgate_core::service::MAX_LABELS;
use taskgate_core::time::UnixTime;

use crate::discovery::inventory::Entry;
use crate::registry::names::friendly::name::{FriendlyName, is_platform_label};
use crate::registry::names::friendly::{Moment, Want};
use crate::registry::names::{Assigned, Names};
use crate::registry::problems::Reasons;

/// The most characters of a name that a message quotes.
const MAX_SHOWN: usize = 80;

impl Names {
    /// Notes who claims friendly names, before anything is given to anybody.
    pub(super) fn follow_friendly(&mut self, entries: &[Arc<Entry>], now: UnixTime) {
        let claims = entries.iter().flat_map(|entry| {
            let names = entry.names.iter().filter_map(|name| FriendlyName::parse(name).ok());
            names.map(|name| Want { name, entry: Arc::clone(entry) })
        });
        let claims = claims.collect();
        self.friendly.follow(claims, Moment { now, settled: self.settled });
    }

    /// Adds friendly names to what services are called.
    pub(super) fn assign_friendly(
        &mut self,
        entries: &[Arc<Entry>],
        named: &mut [Option<Assigned>],
        problems: &mut Reasons,
    ) {
        let mut wants = Vec::new();
        for (entry, assigned) in entries.iter().zip(&*named).filter(|(entry, _)| !entry.names.is_empty()) {
            if let Some(assigned) = assigned {
                self.want(entry, &assigned.labels, &mut wants, problems);
            }
        }
        let (aliases, own) = (&self.aliases, &self.own);
        let is_used = |label: &Label| aliases.contains_key(label) || own.contains_key(label);
        let mut given = self.friendly.assign(wants, is_used, problems);
        if given.is_empty() {
            return;
        }
        for (entry, assigned) in entries.iter().zip(named) {
            if let (Some(assigned), Some(labels)) = (assigned, given.remove(&entry.key)) {
                assigned.labels.extend(labels);
            }
        }
    }

    /// The friendly names that a service may want, and what is wrong with the others.
    fn want(&self, entry: &Arc<Entry>, labels: &[Label], wants: &mut Vec<Want>, problems: &mut Reasons) {
        let is_used = |label: &Label| self.aliases.contains_key(label) || self.own.contains_key(label);
        let mut room = MAX_LABELS.saturating_sub(labels.len());
        let mut seen = HashSet::new();
        for text in entry.names.iter().filter(|text| !is_platform_label(text) && seen.insert(text.as_str())) {
            let reason = match FriendlyName::parse(text) {
                Ok(name) if labels.contains(name.label()) => continue,
                Ok(name) if self.friendly.rules.reserved.contains(text) || self.own.contains_key(name.label()) => {
                    "is reserved".to_owned()
                }
                Ok(name) if is_used(name.label()) => "is an alias of another service".to_owned(),
                Ok(_) if room == 0 => {
                    problems.add(&entry.key, format!("has more than {MAX_LABELS} labels; `{text}` is left out"));
                    continue;
                }
                Ok(name) => {
                    room -= 1;
                    wants.push(Want { name, entry: Arc::clone(entry) });
                    continue;
                }
                Err(invalid) => invalid.to_string(),
            };
            let shown: String = text.chars().filter(|character| !character.is_control()).take(MAX_SHOWN).collect();
            let would_do = self.friendly.suggestion(text, is_used);
            problems.add(&entry.key, format!("friendly name `{shown}` {reason}{would_do}"));
        }
    }
}
