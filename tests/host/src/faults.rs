//! Faults that a test puts into host functions.
//!
//! Why: a filter must survive a host that refuses or answers garbage, and real proxies do so too
//! rarely to test with. Never changes the effect of a call that is not faulted.

use crate::{HostFunction, Status};

/// Which calls of a function a fault hits, counted from the moment the fault is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Every call.
    Every,
    /// Every call from the n-th on; the first call is 1.
    From(u64),
    /// Only the n-th call; the first call is 1.
    Nth(u64),
}

/// What is wrong with the bytes that a host function hands to the filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Corruption {
    /// Other bytes altogether.
    Replace(Vec<u8>),
    /// Only so many bytes from the start.
    Truncate(usize),
}

impl Corruption {
    pub(crate) fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Replace(other) => other.clone(),
            Self::Truncate(length) => bytes.iter().take(*length).copied().collect(),
        }
    }
}

/// What one call has to suffer.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Corrupt(Corruption),
    Fail(Status),
    Trap,
}

#[derive(Debug)]
struct Rule {
    function: HostFunction,
    calls: Calls,
    seen: u64,
    fault: Fault,
}

/// The faults of one host, in the order they were set; the first that matches a call wins.
#[derive(Debug, Default)]
pub(crate) struct FaultPlan(Vec<Rule>);

impl FaultPlan {
    pub(crate) fn add(&mut self, function: HostFunction, calls: Calls, fault: Fault) {
        self.0.push(Rule { function, calls, seen: 0, fault });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts one call of `function` and says what it has to suffer.
    pub(crate) fn hit(&mut self, function: HostFunction) -> Option<Fault> {
        let mut hit = None;
        for rule in self.0.iter_mut().filter(|rule| rule.function == function) {
            rule.seen += 1;
            let matches = match rule.calls {
                Calls::Every => true,
                Calls::From(first) => rule.seen >= first,
                Calls::Nth(number) => rule.seen == number,
            };
            if matches && hit.is_none() {
                hit = Some(rule.fault.clone());
            }
        }
        hit
    }
}
