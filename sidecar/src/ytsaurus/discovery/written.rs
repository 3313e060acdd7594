//! What the parts of SPYT clusters wrote into Cypress: where they are, and which operation is the
//! cluster's own.

use std::collections::{BTreeMap, HashMap};

use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::{CallError, code};
use crate::ytsaurus::commands::cypress::{Answer, List};
use crate::ytsaurus::discovery::operation::{Offer, Operation};
use crate::ytsaurus::discovery::spark::{CLUSTER_SERVICES, Spark};
use crate::ytsaurus::settings::YtsaurusSettings;
use crate::ytsaurus::text;

/// The directory whose one name is the cluster's own operation.
const OPERATION: &str = "operation";
/// The most names of a directory that are looked at.
const MAX_NAMES: usize = 100;

/// What the parts of SPYT clusters wrote, by operation.
#[derive(Debug, Default)]
pub struct Written {
    operations: HashMap<String, OperationWritten>,
}

/// What was written for one operation.
#[derive(Debug, Default)]
pub struct OperationWritten {
    /// Names as they are written, by directory, in order.
    names: BTreeMap<&'static str, Vec<String>>,
    /// The directories that could not be listed.
    failed: Vec<&'static str>,
    /// Why not.
    failure: Option<String>,
    /// Whether that may have been otherwise a moment later.
    is_unanswered: bool,
}

/// Reads what the parts of SPYT clusters wrote. That something is not there is no failure: not every
/// cluster has everything.
pub async fn read_written(
    client: &Client,
    operations: &[Operation],
    settings: &YtsaurusSettings,
    deadline: Instant,
) -> Written {
    let mut whose = Vec::new();
    let mut asked = Vec::new();
    for operation in operations {
        let Offer::Spark(Spark::Cluster(cluster)) = &operation.offer else { continue };
        let Some(directory) = &cluster.directory else { continue };
        for name in CLUSTER_SERVICES.iter().map(|service| service.directory).chain([OPERATION]) {
            whose.push((operation.id.as_str(), name));
            asked.push(List { path: format!("{directory}/discovery/{name}"), limit: MAX_NAMES });
        }
    }
    let mut written = Written::default();
    let mut whose = whose.into_iter();
    let answers = client.batches(&asked, settings.batch_commands, deadline);
    futures_util::pin_mut!(answers);
    while let Some((batch, answer)) = answers.next().await {
        let mut answers = match answer {
            Ok(answers) => answers,
            Err(error) => batch.iter().map(|_| Err(error.clone())).collect(),
        }
        .into_iter();
        for List { path, .. } in batch {
            if let (Some((operation, name)), Some(answer)) = (whose.next(), answers.next()) {
                written.take(operation, name, path, answer);
            }
        }
    }
    written
}

impl Written {
    /// The addresses that were written for an operation, by directory. None unless its directory says that
    /// it is the cluster's own.
    #[must_use]
    pub fn of(&self, operation: &str) -> Option<&BTreeMap<&'static str, Vec<String>>> {
        let names = &self.operations.get(operation)?.names;
        let is_own = names.get(OPERATION)?.iter().any(|id| id == operation);
        is_own.then_some(names)
    }

    /// Why something that was written for an operation could not be read.
    #[must_use]
    pub fn failure(&self, operation: &str) -> Option<&str> {
        self.operations.get(operation)?.failure.as_deref()
    }

    /// Whether that is a matter of the moment.
    #[must_use]
    pub fn is_unanswered(&self, operation: &str) -> bool {
        self.operations.get(operation).is_some_and(|of_operation| of_operation.is_unanswered)
    }

    /// Where something could not be read, what was there before stays.
    pub fn fall_back(&mut self, before: &Self) {
        for (operation, now) in &mut self.operations {
            let Some(before) = before.operations.get(operation) else { continue };
            let left = now.failed.iter().filter_map(|name| Some((*name, before.names.get(name)?.clone())));
            now.names.extend(left);
        }
    }

    fn take(
        &mut self,
        operation: &str,
        name: &'static str,
        path: &str,
        answer: Result<Answer<Vec<String>>, CallError>,
    ) {
        match answer {
            Ok(answer) => {
                let mut names: Vec<String> = answer.value.iter().filter_map(|name| text::decode(name)).collect();
                names.sort();
                self.operations.entry(operation.to_owned()).or_default().names.insert(name, names);
            }
            Err(error) if error.has(code::RESOLVE) => {}
            Err(error) => {
                let of_operation = self.operations.entry(operation.to_owned()).or_default();
                of_operation.failed.push(name);
                of_operation.is_unanswered |= error.is_passing();
                of_operation.failure.get_or_insert_with(|| failure(path, &error));
            }
        }
    }
}

fn failure(path: &str, error: &CallError) -> String {
    if error.has(code::AUTHORIZATION) {
        format!("the robot may not list `{path}`; give it `read` there")
    } else {
        format!("`{path}` can't be listed: {error}")
    }
}
