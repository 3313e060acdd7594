//! What the emulator was asked, so that tests can look.

use std::collections::{BTreeMap, VecDeque};

use http::HeaderMap;

use super::parameters::Parameters;

/// How many requests are remembered.
const REMEMBERED: usize = 1024;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Call {
    /// The command, or `whoami`, `hosts`, `api`, `ping`, `version`.
    pub command: String,
    /// The method of HTTP.
    pub method: http::Method,
    /// All its headers.
    pub headers: HeaderMap,
    /// Who it was found to be, once that was known.
    pub user: Option<String>,
    /// The parameters of the command, once they were read.
    pub parameters: Parameters,
}

/// All that came.
#[derive(Debug, Default)]
pub(super) struct Calls {
    counts: BTreeMap<String, u64>,
    current: u64,
    peak: u64,
    remembered: VecDeque<Call>,
    /// How many were forgotten.
    forgotten: usize,
}

// === impl Calls ===

impl Calls {
    /// A request came; what to name it by.
    pub(super) fn begin(&mut self, command: &str, method: &http::Method, headers: &HeaderMap) -> usize {
        self.count(command);
        self.current += 1;
        self.peak = self.peak.max(self.current);
        if self.remembered.len() == REMEMBERED {
            self.remembered.pop_front();
            self.forgotten += 1;
        }
        self.remembered.push_back(Call {
            command: command.to_owned(),
            method: method.clone(),
            headers: headers.clone(),
            user: None,
            parameters: Parameters::default(),
        });
        self.forgotten + self.remembered.len() - 1
    }

    /// It is done with.
    pub(super) fn end(&mut self) {
        self.current = self.current.saturating_sub(1);
    }

    /// Counts something that is no request of its own.
    pub(super) fn count(&mut self, command: &str) {
        match self.counts.get_mut(command) {
            Some(count) => *count += 1,
            None => drop(self.counts.insert(command.to_owned(), 1)),
        }
    }

    /// More is known about a request.
    pub(super) fn learn(&mut self, call: usize, learn: impl FnOnce(&mut Call)) {
        let index = call.checked_sub(self.forgotten);
        if let Some(call) = index.and_then(|index| self.remembered.get_mut(index)) {
            learn(call);
        }
    }

    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.clone()
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak
    }

    /// Requests with that command, oldest first.
    pub(super) fn of(&self, command: &str) -> Vec<Call> {
        self.remembered.iter().filter(|call| call.command == command).cloned().collect()
    }

    /// Starts anew; what is under way still counts as such.
    pub(super) fn reset(&mut self) {
        self.counts.clear();
        self.peak = self.current;
        self.forgotten += self.remembered.len();
        self.remembered.clear();
    }
}
