//! A running job.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use taskgate_core::service::MAX_NAME;
use thiserror::Error;
use tokio::time::Instant;

use crate::ytsaurus::client::guid;
use crate::ytsaurus::discovery::address::HostPort;
use crate::ytsaurus::text;

/// A running job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its task.
    pub task: Arc<str>,
    /// Its node as the cluster names it, which is where its ports are looked up.
    pub node: String,
    /// Where it listens, and the node's own port.
    pub address: HostPort,
    /// Which of its task's jobs it is. A job that replaces another has its number.
    pub cookie: Option<u64>,
    /// Until when it counts without being listed again; none where it has just been listed.
    pub remembered_until: Option<Instant>,
}

/// Why a job can't be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JobError {
    /// Something about that one job.
    #[error("job {id}: {reason}")]
    Job {
        /// Its id, or what there is of it.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// Its task has a name that no service can have. It is not told: names may be as long as their users like,
    /// and a task may have thousands of jobs.
    #[error("tasks whose names are longer than {MAX_NAME} bytes, no UTF-8, or have control characters are left out")]
    TaskName,
}

/// Borrowed: there are tens of thousands in every round.
#[derive(Deserialize)]
struct WireJob<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    state: Option<Text<'a>>,
    #[serde(borrow)]
    task_name: Option<Text<'a>>,
    #[serde(borrow)]
    address: Option<Text<'a>>,
    #[serde(borrow)]
    addresses: Option<&'a RawValue>,
    job_cookie: Option<u64>,
    #[serde(default)]
    is_stale: Option<bool>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads a job out of a page; none where it does not run. `network` picks one of its addresses.
///
/// # Errors
/// [`JobError`].
pub fn read(raw: &RawValue, network: Option<&str>) -> Result<Option<Job>, JobError> {
    let unknown = |reason: String| JobError::Job { id: "of an unknown id".into(), reason };
    let wire: WireJob<'_> = serde_json::from_str(raw.get())
        .map_err(|error| unknown(format!("can't be read: {}", text::shown(&error.to_string()))))?;
    let Text(id) = wire.id;
    if !guid::is_guid(&id) {
        return Err(unknown("its id is none".into()));
    }
    if wire.state.is_some_and(|Text(state)| state != "running") {
        return Ok(None);
    }
    let fail = |reason: &str| JobError::Job { id: id.clone().into_owned(), reason: reason.to_owned() };
    if wire.is_stale == Some(true) {
        return Err(fail("is stale: the cluster lists it as running, but its node has not spoken of it for long"));
    }
    let Some(Text(task)) = wire.task_name.filter(|Text(task)| !task.is_empty()) else {
        return Err(fail("has no task name"));
    };
    let task = text::decode(&task).filter(|task| is_name(task)).ok_or(JobError::TaskName)?;
    let Some(Text(node)) = wire.address else { return Err(fail("has no address yet")) };
    let address = match network {
        None => HostPort::parse(&node),
        Some(network) => match wire.addresses.and_then(|addresses| in_network(addresses, network)) {
            Some(address) => HostPort::parse(&address),
            None => return Err(fail("has no address in the configured `network`")),
        },
    };
    let Some(address) = address else { return Err(fail("its address is no `host:port`")) };
    Ok(Some(Job {
        id: id.into_owned(),
        task: task.into(),
        node: node.into_owned(),
        address,
        cookie: wire.job_cookie,
        remembered_until: None,
    }))
}

fn is_name(task: &str) -> bool {
    task.len() <= MAX_NAME && !task.chars().any(char::is_control)
}

fn in_network(addresses: &RawValue, network: &str) -> Option<String> {
    let mut addresses: BTreeMap<String, String> = serde_json::from_str(addresses.get()).ok()?;
    addresses.remove(network)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_json(value: &Value, network: Option<&str>) -> Result<Option<Job>, JobError> {
        read(&serde_json::value::to_raw_value(value).expect("JSON"), network)
    }

    fn job() -> Value {
        json!({"id": "1-2-3-4", "state": "running", "task_name": "web", "address": "node-1.test:9012",
            "addresses": {"default": "node-1.test:9012", "fast": "[2001:db8::1]:9012"}, "job_cookie": 3})
    }

    #[test]
    fn reads_jobs() {
        let read = read_json(&job(), None).expect("no reason").expect("a job");
        assert_eq!((read.id.as_str(), &*read.task, read.cookie), ("1-2-3-4", "web", Some(3)));
        assert_eq!((read.node.as_str(), read.address.host.as_str()), ("node-1.test:9012", "node-1.test"));
        let read = read_json(&job(), Some("fast")).expect("no reason").expect("a job");
        assert_eq!((read.node.as_str(), read.address.host.as_str()), ("node-1.test:9012", "2001:db8::1"));
        // Old clusters say less.
        let little = json!({"id": "1-2-3-4", "task_name": "web", "address": "n:1"});
        assert!(read_json(&little, None).is_ok_and(|job| job.is_some()));
    }

    #[test]
    fn a_job_that_does_not_run_is_none_and_one_that_is_wrong_has_a_reason() {
        let with = |key: &str, value: Value| {
            let mut job = job();
            job[key] = value;
            job
        };
        assert_eq!(read_json(&with("state", json!("aborting")), None), Ok(None));
        for (key, value) in [
            ("is_stale", json!(true)),
            ("task_name", json!(null)),
            ("task_name", json!("")),
            ("address", json!(null)),
            ("address", json!("nowhere")),
            ("address", json!("a:99999")),
            ("id", json!("x/../y")),
            ("id", json!(7)),
        ] {
            assert!(read_json(&with(key, value.clone()), None).is_err(), "{key} {value}");
        }
        assert!(read_json(&job(), Some("slow")).is_err());
    }

    #[test]
    fn a_task_name_is_one_that_services_can_have() {
        let read = |name: &str| {
            let mut job = job();
            job["task_name"] = json!(name);
            read_json(&job, None)
        };
        assert!(read(&"a".repeat(MAX_NAME)).is_ok_and(|job| job.is_some()));
        for name in [&"a".repeat(MAX_NAME + 1), "\u{ff}", "a\nb", "a\u{1b}[2Jb", "a\u{c2}\u{85}"] {
            assert_eq!(read(name), Err(JobError::TaskName), "{name:?}");
        }
    }
}
