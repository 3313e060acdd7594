//! The names of one provider, and what is known of them.
//!
//! Each name is asked for once, however many services it stands at, and so many questions are under way at a time.
//! Whoever follows names lets [`Names::renew`] run and looks at [`Names::of`] when it returns.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::config::dns::DnsFamilies;
use crate::dns::lookup::{Answer, Family, Lookup, Servers};
use crate::dns::name::DnsName;
use crate::dns::record::Record;
use crate::dns::settings::DnsSettings;

/// The most names of one provider.
pub const MAX_NAMES: usize = 10_000;
/// How many questions are under way at once.
const CONCURRENT: usize = 32;
/// How long the first answers about names are waited for.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// For how long a name that never had an answer is one that can't be told of yet. Then it has no addresses.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long changes are gathered before they are told: many names change all the time, and each telling is of the whole.
const GATHER: Duration = Duration::from_secs(1);

/// What is asked.
type Question = (DnsName, Family);

/// The names of one provider.
pub struct Names {
    lookup: Arc<dyn Lookup>,
    settings: Arc<DnsSettings>,
    known: HashMap<DnsName, Known>,
    due: BTreeSet<(Instant, Question)>,
    under_way: FuturesUnordered<BoxFuture<'static, (Question, Answer)>>,
    /// Questions that nothing came of yet, not even trouble.
    unheard: HashSet<Question>,
    /// Since when there is a change that nobody was told.
    changed: Option<Instant>,
}

/// What is known of a name.
#[derive(Debug)]
struct Known {
    records: BTreeMap<Family, (Record, Option<Instant>)>,
    since: Instant,
    found: Found,
}

/// Where a name leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its addresses, in the order in which they count, and whether each is used only while others fail.
    pub addresses: Vec<(IpAddr, bool)>,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// Whether it is a matter of the moment that it has no addresses.
    pub is_pending: bool,
}

impl Names {
    /// No names yet.
    #[must_use]
    pub fn new(settings: Arc<DnsSettings>) -> Self {
        let lookup = Arc::new(Servers::new(settings.servers.clone()));
        Self::with(settings, lookup)
    }

    /// The same, where somebody else answers.
    #[must_use]
    pub fn with(settings: Arc<DnsSettings>, lookup: Arc<dyn Lookup>) -> Self {
        Self {
            lookup,
            settings,
            known: HashMap::new(),
            due: BTreeSet::new(),
            under_way: FuturesUnordered::new(),
            unheard: HashSet::new(),
            changed: None,
        }
    }

    /// Follows these names from now on, as far as there may be so many, and no others.
    pub fn follow<'a>(&mut self, names: impl Iterator<Item = &'a DnsName>) {
        let mut wanted: HashSet<&DnsName> = HashSet::new();
        for name in names {
            if wanted.len() < MAX_NAMES {
                wanted.insert(name);
            }
        }
        self.known.retain(|name, _| wanted.contains(name));
        self.due.retain(|(_, (name, _))| wanted.contains(name));
        self.unheard.retain(|(name, _)| wanted.contains(name));
        let now = Instant::now();
        for name in wanted {
            if self.known.contains_key(name) {
                continue;
            }
            let found = Found { is_pending: true, ..Found::default() };
            let known = Known { records: BTreeMap::new(), since: now, found };
            self.known.insert(name.clone(), known);
            for family in families(self.settings.families) {
                self.unheard.insert((name.clone(), *family));
                self.schedule((name.clone(), *family), now);
            }
        }
    }

    /// What is known of a name; none where it is not followed.
    #[must_use]
    pub fn of(&self, name: &DnsName) -> Option<&Found> {
        self.known.get(name).map(|known| &known.found)
    }

    /// Waits for first answers, shortly.
    pub async fn settle(&mut self) {
        let end = Instant::now() + FIRST_WAIT;
        while !self.unheard.is_empty() {
            if timeout_at(end, self.step(None)).await.is_err() {
                return;
            }
        }
    }

    /// Asks for what is due until what is known of some name has changed. It may be dropped at any time: what was
    /// learned stays, and so do questions that are under way.
    pub async fn renew(&mut self) {
        loop {
            let until = self.changed.map(|changed| changed + GATHER);
            if until.is_some_and(|until| until <= Instant::now()) {
                self.changed = None;
                return;
            }
            self.step(until).await;
        }
    }

    /// Waits for the next thing to do, or until then, and does it.
    async fn step(&mut self, until: Option<Instant>) {
        let now = Instant::now();
        while self.under_way.len() < CONCURRENT && self.due.first().is_some_and(|(at, _)| *at <= now) {
            self.ask();
        }
        let next = self.due.first().map(|(at, _)| *at).filter(|_| self.under_way.len() < CONCURRENT);
        let wake = next.into_iter().chain(until).min();
        let (is_asking, is_waking) = (!self.under_way.is_empty(), wake.is_some());
        tokio::select! {
            Some((question, answer)) = self.under_way.next(), if is_asking => self.take(question, answer),
            () = sleep_until(wake.unwrap_or(now)), if is_waking => {}
            else => std::future::pending().await,
        }
    }

    /// Asks what is due first.
    fn ask(&mut self) {
        let Some((_, question)) = self.due.pop_first() else { return };
        if let Some((_, due)) = self.known.get_mut(&question.0).and_then(|known| known.records.get_mut(&question.1)) {
            *due = None;
        }
        let lookup = Arc::clone(&self.lookup);
        let asked = async move {
            let answer = lookup.look_up(&question.0, question.1).await;
            (question, answer)
        };
        self.under_way.push(asked.boxed());
    }

    fn take(&mut self, question: Question, answer: Answer) {
        self.unheard.remove(&question);
        let now = Instant::now();
        let (name, family) = &question;
        let Some(known) = self.known.get_mut(name) else { return };
        let (record, _) = known.records.entry(*family).or_default();
        let again = record.take(answer, &self.settings);
        let found = known.found(name, self.settings.families, now);
        if found != known.found {
            tracing::debug!(dns.name = %name, addresses = ?found.addresses, problem = found.problem, "a name has other addresses");
            known.found = found;
            self.changed.get_or_insert(now);
        }
        self.schedule(question, now + again);
    }

    /// Asks a question at that time, and at no other one.
    fn schedule(&mut self, question: Question, at: Instant) {
        let Some(known) = self.known.get_mut(&question.0) else { return };
        let (_, due) = known.records.entry(question.1).or_default();
        let before = due.replace(at);
        if let Some(before) = before {
            self.due.remove(&(before, question.clone()));
        }
        self.due.insert((at, question));
    }
}

impl Known {
    fn found(&self, name: &DnsName, wanted: DnsFamilies, now: Instant) -> Found {
        let records = || self.records.values().map(|(record, _)| record);
        let of = |family: Family| self.records.get(&family).map_or(&[][..], |(record, _)| record.addresses());
        let addresses = in_order(of(Family::Ipv4), of(Family::Ipv6), wanted);
        let is_early = now.saturating_duration_since(self.since) < PATIENCE;
        let is_pending = addresses.is_empty() && is_early && records().any(|record| !record.is_answered());
        let trouble = |record: &Record| record.trouble().map(ToOwned::to_owned);
        let problem = if addresses.is_empty() {
            let refused = records().find_map(Record::refused);
            let refused = refused.map(|address| format!("leads to {address}, which `dns.addresses` does not permit"));
            let trouble = records().find_map(trouble).map(|trouble| format!("can't be looked up: {trouble}"));
            Some(refused.or(trouble).unwrap_or_else(|| "has no addresses".to_owned()))
        } else {
            // Of a family that the name never had, trouble is none.
            let stale = records().filter(|record| !record.addresses().is_empty()).find_map(trouble);
            stale.map(|trouble| format!("can't be looked up again: {trouble}; the addresses that it had stay in force"))
        };
        let problem = problem.filter(|_| !is_pending).map(|problem| format!("`{name}` {problem}"));
        Found { addresses, problem, is_pending }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Names").field("known", &self.known).finish_non_exhaustive()
    }
}

const fn families(wanted: DnsFamilies) -> &'static [Family] {
    match wanted {
        DnsFamilies::Both | DnsFamilies::PreferIpv4 | DnsFamilies::PreferIpv6 => &[Family::Ipv4, Family::Ipv6],
        DnsFamilies::Ipv4 => &[Family::Ipv4],
        DnsFamilies::Ipv6 => &[Family::Ipv6],
    }
}

/// Addresses of both families in the order in which they count, and which are a reserve.
fn in_order(v4: &[IpAddr], v6: &[IpAddr], wanted: DnsFamilies) -> Vec<(IpAddr, bool)> {
    let preferring = |first: &[IpAddr], second: &[IpAddr]| {
        let reserve = second.iter().map(|address| (*address, !first.is_empty()));
        first.iter().map(|address| (*address, false)).chain(reserve).collect()
    };
    match wanted {
        DnsFamilies::PreferIpv6 => preferring(v6, v4),
        DnsFamilies::PreferIpv4 => preferring(v4, v6),
        DnsFamilies::Both | DnsFamilies::Ipv4 | DnsFamilies::Ipv6 => {
            let turns = (0..v4.len().max(v6.len())).flat_map(|turn| [v4.get(turn), v6.get(turn)]);
            turns.flatten().map(|address| (*address, false)).collect()
        }
    }
}

#[cfg(test)]
mod tests;
