//! What processes logged of tasks.

use std::collections::BTreeMap;

use serde_json::Value;

/// The lines of logs that are JSON: one that was being written when its process was killed is not.
pub(super) struct Logs(Vec<Value>);

impl Logs {
    pub(super) fn read(text: &str) -> Self {
        Self(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// How many transitions of that kind there are of each task.
    pub(super) fn transitions(&self, event: &str) -> BTreeMap<&str, usize> {
        count(self.0.iter().filter(|line| line["target"] == "taskgate::audit" && line["task.event"] == event))
    }

    /// How many writes of that kind were refused of each task.
    pub(super) fn refused(&self, what: &str) -> BTreeMap<&str, usize> {
        let refused = |line: &&Value| line["message"].as_str().is_some_and(|text| text.starts_with("refused a write"));
        count(self.0.iter().filter(refused).filter(|line| line["what"] == what))
    }
}

fn count<'a>(lines: impl Iterator<Item = &'a Value>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry(line["task.id"].as_str().unwrap_or("nameless")).or_default() += 1;
    }
    counts
}
