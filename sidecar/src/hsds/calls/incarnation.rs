//! Which run of the server it is that answers.
//!
//! What was written and not flushed is lost when a data node dies, and nothing that the server answers later
//! says so. Whoever writes much remembers the run in which they began, and after a flush asks whether it is
//! still the same: only then all that they wrote is in the server's storage.
//!
//! Behind one address there may be several service nodes, which started at different times; whose answer comes is
//! for the connection to say. So another start is no other run: only one after the run was noted is.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::{Clock as _, SystemClock};
use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;

/// How often the server is asked: a balancer may have another service node answer each time.
const SAMPLES: usize = 3;

/// A run of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incarnation {
    /// Its data nodes.
    nodes: Vec<String>,
    /// The latest start of a service node that was seen, in seconds of UNIX time.
    since: Option<u64>,
    /// When it was noted, in seconds of UNIX time, by the server's clock; none where a former release noted it.
    #[serde(default)]
    noted: Option<u64>,
}

impl Incarnation {
    /// Whether what was seen later is of this run, as far as can be seen. What a former release noted never is.
    #[must_use]
    pub fn goes_on_in(&self, later: &Self) -> bool {
        let Some(noted) = self.noted else { return false };
        // Starts and the server's clock have whole seconds: one in the same second may have been after it.
        let is_another_start = later.since != self.since && later.since.is_some_and(|since| since >= noted);
        !is_another_start && self.nodes == later.nodes
    }
}

impl Session {
    /// The server's present run. A data node that starts again alone, under the same id, is not seen.
    ///
    /// # Errors
    /// [`HsdsError`].
    pub async fn incarnation(&self) -> Result<Incarnation, HsdsError> {
        let mut seen: Option<Incarnation> = None;
        for _ in 0..SAMPLES {
            let (answer, date) = self.dated_json(self.server_call(Method::GET, &["about"])).await?;
            let next = read(&answer, date.unwrap_or_else(|| SystemClock.now().as_millis() / 1_000));
            match &mut seen {
                None => seen = Some(next),
                // The first moment counts: what starts after it is another run.
                Some(seen) => seen.since = seen.since.max(next.since),
            }
        }
        seen.ok_or_else(|| HsdsError::malformed("no answer"))
    }
}

fn read(answer: &Value, noted: u64) -> Incarnation {
    let nodes = answer.get("dn_ids").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut nodes: Vec<String> = nodes.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    nodes.sort_unstable();
    Incarnation { nodes, since: answer.get("start_time").and_then(Value::as_u64), noted: Some(noted) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(since: u64, nodes: &[&str], noted: u64) -> Incarnation {
        read(&json!({"start_time": since, "dn_ids": nodes}), noted)
    }

    #[test]
    fn a_later_start_or_another_node_is_another_run() {
        let first = run(10, &["dn-001", "dn-002"], 20);
        assert!(first.goes_on_in(&first));
        assert!(first.goes_on_in(&run(10, &["dn-002", "dn-001"], 30)));
        assert!(!first.goes_on_in(&run(21, &["dn-001", "dn-002"], 30)));
        assert!(!first.goes_on_in(&run(20, &["dn-001", "dn-002"], 30)), "it may have been a moment later");
        assert!(!first.goes_on_in(&run(10, &["dn-001", "dn-003"], 30)));
        assert!(first.goes_on_in(&Incarnation { since: None, ..first.clone() }));
    }

    #[test]
    fn service_nodes_that_started_at_different_times_are_one_run() {
        let (old, young) = (run(10, &["dn-001"], 20), run(15, &["dn-001"], 20));
        assert!(old.goes_on_in(&young) && young.goes_on_in(&old));
        // One that has only just started is known by its start.
        let just = run(20, &["dn-001"], 20);
        assert!(just.goes_on_in(&just) && just.goes_on_in(&old));
    }

    #[test]
    fn what_a_former_release_noted_is_another_run() {
        let former: Incarnation =
            serde_json::from_value(json!({"nodes": ["dn-001"], "since": 10})).expect("it can be read");
        assert!(!former.goes_on_in(&run(10, &["dn-001"], 20)));
        let kept = serde_json::to_value(run(10, &["dn-001"], 20)).expect("JSON");
        let kept: Incarnation = serde_json::from_value(kept).expect("it can be read");
        assert!(kept.goes_on_in(&run(10, &["dn-001"], 30)));
    }
}
