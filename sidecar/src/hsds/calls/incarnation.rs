//! Which run of the server it is that answers.
//!
//! What was written and not flushed is lost when a data node dies, and nothing that the server answers later
//! says so. Whoever writes much remembers the run in which they began, and after a flush asks whether it is
//! still the same: only then all that they wrote is in the server's storage.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;

/// How often the server is asked: behind one address there may be several service nodes, whose starts differ.
const SAMPLES: usize = 3;

/// A run of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incarnation {
    /// Its data nodes.
    nodes: Vec<String>,
    /// When its service node started, in seconds of UNIX time; none where there is more than one.
    since: Option<u64>,
}

impl Incarnation {
    /// Whether both are of one run, as far as can be seen.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let is_one_start = match (self.since, other.since) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        is_one_start && self.nodes == other.nodes
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
            let answer = self.json(self.server_call(Method::GET, &["about"])).await?;
            let next = read(&answer);
            match &mut seen {
                None => seen = Some(next),
                Some(seen) if seen.since == next.since => {}
                Some(seen) => seen.since = None,
            }
        }
        seen.ok_or_else(|| HsdsError::malformed("no answer"))
    }
}

fn read(answer: &Value) -> Incarnation {
    let nodes = answer.get("dn_ids").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut nodes: Vec<String> = nodes.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    nodes.sort_unstable();
    Incarnation { nodes, since: answer.get("start_time").and_then(Value::as_u64) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_start_or_another_node_is_another_run() {
        let run = |since: u64, nodes: &[&str]| read(&json!({"start_time": since, "dn_ids": nodes}));
        let first = run(1, &["dn-001", "dn-002"]);
        assert!(first.is_same(&run(1, &["dn-002", "dn-001"])));
        assert!(!first.is_same(&run(2, &["dn-001", "dn-002"])));
        assert!(!first.is_same(&run(1, &["dn-001", "dn-003"])));
        assert!(first.is_same(&Incarnation { since: None, ..first.clone() }));
    }
}
