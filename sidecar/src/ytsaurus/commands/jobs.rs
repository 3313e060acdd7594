//! `list_jobs`, and the ports that nodes gave to jobs.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::ytsaurus::commands::Read;

/// The most jobs of one answer.
pub const PAGE: usize = 1_000;

/// The running jobs of an operation.
#[derive(Clone, Debug)]
pub struct ListJobs {
    /// The operation.
    pub operation: String,
    /// How many jobs to skip.
    pub offset: usize,
}

/// A page of jobs as it came.
#[derive(Debug, Deserialize)]
pub struct JobsPage {
    /// The jobs.
    pub jobs: Vec<Box<RawValue>>,
    /// What could not be looked at: then the page is not the whole truth.
    #[serde(default)]
    pub errors: Vec<Box<RawValue>>,
}

/// The ports that a node gave to a job.
#[derive(Clone, Debug)]
pub struct JobPorts {
    /// The node, `host:port` as the cluster names it.
    pub node: String,
    /// The job.
    pub job: String,
}

/// Ports as they came.
#[derive(Debug, Deserialize)]
pub struct PortsAnswer {
    /// The list.
    pub value: Vec<Value>,
}

impl Read for ListJobs {
    type Output = JobsPage;
    const COMMAND: &'static str = "list_jobs";

    fn parameters(&self) -> Value {
        json!({
            "operation_id": self.operation,
            "state": "running",
            "limit": PAGE,
            "offset": self.offset,
        })
    }
}

impl Read for JobPorts {
    type Output = PortsAnswer;
    const COMMAND: &'static str = "get";

    fn parameters(&self) -> Value {
        let Self { node, job } = self;
        let node = crate::ytsaurus::path::escape(node);
        json!({ "path": format!("//sys/exec_nodes/{node}/orchid/exec_node/job_controller/active_jobs/{job}/job_ports") })
    }
}
