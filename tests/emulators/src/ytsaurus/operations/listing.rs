//! `list_operations`: which operations, in which order, with which attributes and counters.

use std::collections::BTreeMap;

use super::{Operations, StoredOperation};
use crate::yson::{Yson, YsonMap};

/// Which way to go from the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ytsaurus) enum Direction {
    Past,
    Future,
}

/// What is asked for.
pub(in crate::ytsaurus) struct Query<'a> {
    pub(in crate::ytsaurus) state: Option<&'a str>,
    pub(in crate::ytsaurus) kind: Option<&'a str>,
    pub(in crate::ytsaurus) user: Option<&'a str>,
    pub(in crate::ytsaurus) pool: Option<&'a str>,
    /// In lower case.
    pub(in crate::ytsaurus) filter: Option<Vec<u8>>,
    pub(in crate::ytsaurus) from_micros: Option<i64>,
    pub(in crate::ytsaurus) to_micros: Option<i64>,
    pub(in crate::ytsaurus) cursor_micros: Option<i64>,
    /// Whether what started at the very moment of a cursor into the past is part of the answer.
    pub(in crate::ytsaurus) is_cursor_inclusive: bool,
    pub(in crate::ytsaurus) direction: Direction,
    pub(in crate::ytsaurus) limit: usize,
    pub(in crate::ytsaurus) attributes: Vec<&'a str>,
    pub(in crate::ytsaurus) with_counters: bool,
}

/// What there is.
pub(in crate::ytsaurus) struct Listing {
    pub(in crate::ytsaurus) operations: Vec<Yson>,
    /// Whether there is more.
    pub(in crate::ytsaurus) is_incomplete: bool,
    /// How many there are, by what; empty unless asked for.
    pub(in crate::ytsaurus) counters: Vec<(&'static str, Yson)>,
}

/// How many operations have what value; each filter counts what passed those before it.
#[derive(Default)]
struct Counters<'a> {
    users: BTreeMap<&'a str, i64>,
    pools: BTreeMap<&'a str, i64>,
    states: BTreeMap<&'a str, i64>,
    kinds: BTreeMap<&'a str, i64>,
}

// === impl Query ===

impl Query<'_> {
    fn finds(&self, operation: &StoredOperation) -> bool {
        let started = operation.start_micros;
        let is_in_time =
            self.from_micros.is_none_or(|from| started >= from) && self.to_micros.is_none_or(|to| started < to);
        is_in_time && self.filter.as_ref().is_none_or(|filter| contains(&operation.filter_text, filter))
    }

    fn passes_cursor(&self, operation: &StoredOperation) -> bool {
        let Some(cursor) = self.cursor_micros else { return true };
        match self.direction {
            Direction::Past if self.is_cursor_inclusive => operation.start_micros <= cursor,
            Direction::Past => operation.start_micros < cursor,
            Direction::Future => operation.start_micros > cursor,
        }
    }

    fn answer(&self, operation: &StoredOperation) -> Yson {
        let wanted = self.attributes.iter().filter_map(|name| {
            let value = operation.fields.get(name.as_bytes())?;
            Some((name.as_bytes().to_vec(), value.clone()))
        });
        wanted.collect::<YsonMap>().into()
    }
}

// === impl Counters ===

impl<'a> Counters<'a> {
    fn count(&mut self, query: &Query<'_>, operation: &'a StoredOperation) -> bool {
        *self.users.entry(&operation.user).or_default() += 1;
        if query.user.is_some_and(|user| user != operation.user) {
            return false;
        }
        *self.pools.entry(&operation.pool).or_default() += 1;
        if query.pool.is_some_and(|pool| pool != operation.pool) {
            return false;
        }
        let state = listed_state(&operation.state);
        *self.states.entry(state).or_default() += 1;
        if query.state.is_some_and(|wanted| wanted != state) {
            return false;
        }
        *self.kinds.entry(&operation.kind).or_default() += 1;
        query.kind.is_none_or(|kind| kind == operation.kind)
    }

    fn answer(self) -> Vec<(&'static str, Yson)> {
        let trees = Yson::map([("default", self.states.values().sum::<i64>())]);
        vec![
            ("user_counts", Yson::map(self.users)),
            ("pool_counts", Yson::map(self.pools)),
            ("state_counts", Yson::map(self.states)),
            ("type_counts", Yson::map(self.kinds)),
            ("pool_tree_counts", trees),
            ("failed_jobs_count", 0_i64.into()),
        ]
    }
}

// === impl Operations ===

impl Operations {
    /// Answers a query; `may_see` is asked last.
    pub(in crate::ytsaurus) fn list(&self, query: &Query<'_>, may_see: impl Fn(&StoredOperation) -> bool) -> Listing {
        let mut counters = Counters::default();
        let mut found: Vec<&StoredOperation> = Vec::new();
        let mut passed = 0_usize;
        for operation in self.newest_first().filter(|operation| query.finds(operation)) {
            if !may_see(operation) || !counters.count(query, operation) || !query.passes_cursor(operation) {
                continue;
            }
            passed += 1;
            // Into the future it is the oldest that are wanted, so all have to be seen.
            if query.direction == Direction::Future || passed <= query.limit {
                found.push(operation);
            } else if !query.with_counters {
                break;
            }
        }
        let surplus = found.len().saturating_sub(query.limit);
        Listing {
            operations: found.into_iter().skip(surplus).map(|operation| query.answer(operation)).collect(),
            is_incomplete: passed > query.limit,
            counters: if query.with_counters { counters.answer() } else { Vec::new() },
        }
    }
}

/// States on the way count as running.
fn listed_state(state: &str) -> &str {
    match state {
        "pending" | "completed" | "failed" | "aborted" => state,
        _ => "running",
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}
