//! The ports of jobs. A job's ports never change, so each job is asked about once. Jobs that are remembered
//! and not listed are asked about again: where their node does not know them any more, they are over.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::time::Instant;

use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::{CallError, code};
use crate::ytsaurus::commands::jobs::{JobPorts, PortsAnswer};
use crate::ytsaurus::discovery::compose::Ports;
use crate::ytsaurus::discovery::job::Job;
use crate::ytsaurus::settings::YtsaurusSettings;

/// The most ports of a job that are looked at.
const MAX_PORTS: usize = 1_000;

/// The ports of jobs that run.
#[derive(Debug, Default)]
pub struct KnownPorts {
    /// By job, with the node that it was asked at.
    known: HashMap<String, (String, Ports)>,
    failed: HashMap<String, String>,
    /// Those of them of which it may be otherwise a moment later.
    unanswered: HashSet<String>,
}

impl KnownPorts {
    /// Asks about jobs that are not known yet, and forgets those that are not among these.
    pub async fn learn(
        &mut self,
        client: &Client,
        jobs: impl Iterator<Item = &Job>,
        settings: &YtsaurusSettings,
        deadline: Instant,
    ) {
        let jobs: Vec<&Job> = jobs.collect();
        let running: HashSet<(&str, &str)> = jobs.iter().map(|job| (job.id.as_str(), job.node.as_str())).collect();
        self.known.retain(|job, (node, _)| running.contains(&(job.as_str(), node.as_str())));
        let failed = std::mem::take(&mut self.failed);
        self.unanswered.clear();
        let unknown = jobs.iter().filter(|job| job.remembered_until.is_some() || !self.known.contains_key(&job.id));
        // Jobs of one node beside each other: one that does not answer spoils few parts of a batch.
        let mut asked: Vec<JobPorts> =
            unknown.map(|job| JobPorts { node: job.node.clone(), job: job.id.clone() }).collect();
        asked.sort_by(|left, right| (&left.node, &left.job).cmp(&(&right.node, &right.job)));
        // Those that failed before apart from the others, and after them: they may take long again.
        let (again, new): (Vec<_>, Vec<_>) = asked.into_iter().partition(|ports| failed.contains_key(&ports.job));
        self.ask(client, &new, settings, deadline).await;
        let brief = deadline.min(Instant::now() + client.timeout() * 2);
        self.ask(client, &again, settings, brief).await;
    }

    async fn ask(&mut self, client: &Client, asked: &[JobPorts], settings: &YtsaurusSettings, deadline: Instant) {
        let answers = client.batches(asked, settings.batch_commands, deadline);
        futures_util::pin_mut!(answers);
        while let Some((batch, answer)) = answers.next().await {
            match answer {
                Ok(ports) => {
                    for (command, ports) in batch.iter().zip(ports) {
                        self.take(command, ports);
                    }
                }
                Err(error) => {
                    for command in batch {
                        self.take(command, Err(error.clone()));
                    }
                }
            }
        }
    }

    /// The ports of a job.
    ///
    /// # Errors
    /// Why they are not known; none where nobody asked.
    pub fn of(&self, job: &str) -> Result<Ports, Option<&str>> {
        self.known.get(job).map(|(_, ports)| Arc::clone(ports)).ok_or_else(|| self.failed.get(job).map(String::as_str))
    }

    /// Whether it is a matter of the moment that they are not known.
    #[must_use]
    pub fn is_unanswered(&self, job: &str) -> bool {
        self.unanswered.contains(job) && !self.known.contains_key(job)
    }

    fn take(&mut self, JobPorts { node, job }: &JobPorts, answer: Result<PortsAnswer, CallError>) {
        match answer {
            Ok(PortsAnswer { value }) => {
                let ports: Ports = value.iter().take(MAX_PORTS).map(port).collect();
                self.known.insert(job.clone(), (node.clone(), ports));
            }
            Err(error) => {
                let reason = if error.has(code::RESOLVE) {
                    self.known.remove(job);
                    "its node does not know it: it has just ended, or the node is away".to_owned()
                } else {
                    if error.is_passing() {
                        self.unanswered.insert(job.clone());
                    }
                    format!("its ports can't be looked up: {error}")
                };
                self.failed.insert(job.clone(), reason);
            }
        }
    }
}

fn port(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0)
}
