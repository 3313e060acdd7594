//! One attempt at a task, without a worker: what an operation sees, and what it leaves.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use taskgate::config::resolve::Files;
use taskgate::hsds::client::Hsds;
use taskgate::hsds::client::settings::HsdsSettings;
use taskgate::secret::SecretText;
use taskgate::tasks::operation::{Operation, WorkError};
use taskgate::tasks::operations::configured::resolve_operations;
use taskgate::tasks::queue::QueueError;
use taskgate::tasks::request::Request;
use taskgate::tasks::row::Task;
use taskgate::tasks::store::Renewed;
use taskgate::tasks::work::{Budget, Keep, Setup, Stop, Work};
use taskgate::yaml;
use taskgate_core::task::Progress;

use crate::tasks::held;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// The credential of whoever asked for the task.
pub(super) const CREDENTIAL: &str = "Basic c2VjcmV0LXdvcmQ=";
/// The part of it that must not show.
pub(super) const SECRET_WORD: &str = "c2VjcmV0LXdvcmQ=";

/// One attempt at a task.
pub(super) struct Attempt {
    pub(super) stop: Stop,
    pub(super) task: Task,
    kept: Arc<Kept>,
    checkpoint: Option<Value>,
}

/// Where an attempt's checkpoints go.
#[derive(Debug, Default)]
struct Kept {
    checkpoints: Mutex<Vec<Value>>,
    progress: Mutex<Progress>,
}

/// An operation as an operator configures it.
pub(super) fn operation(config: &Value) -> Arc<dyn Operation> {
    // JSON is YAML.
    let configs = yaml::parse(&json!([config]).to_string()).expect("a configuration");
    let (mut operations, _) = resolve_operations(configs, &mut Files::new(Path::new("/"))).expect("it holds");
    operations.pop().expect("an operation").build().expect("a client")
}

impl Attempt {
    pub(super) fn new(args: Value) -> Self {
        let mut request = json!({"operation": "foreign"});
        request["args"] = args;
        let request: Request = serde_json::from_value(request).expect("a request");
        let task = Task { attempts: 2, epoch: 9, ..held("alice", request, 7) };
        Self { stop: Stop::new(), task, kept: Arc::default(), checkpoint: None }
    }

    /// The same from a checkpoint.
    pub(super) fn from(mut self, checkpoint: Value) -> Self {
        self.checkpoint = Some(checkpoint);
        self
    }

    /// Makes the attempt.
    pub(super) async fn run(&self, operation: &dyn Operation) -> Result<Value, WorkError> {
        let mut work = self.work();
        let outcome = tokio::time::timeout(PATIENCE, operation.run(&mut work)).await.expect("ends in time");
        *self.kept.progress.lock().expect("a lock") = work.progress();
        outcome
    }

    /// Gives the task up before the attempt is begun.
    pub(super) async fn abandon(&self, operation: &dyn Operation) {
        tokio::time::timeout(PATIENCE, operation.abandon(&self.work())).await.expect("ends in time");
    }

    fn work(&self) -> Work {
        // Nobody is asked there: there are no locations.
        let server = Hsds::new(HsdsSettings::new("http://127.0.0.1:1/hsds".parse().expect("a URL"))).expect("a client");
        let credential = SecretText::from(CREDENTIAL.to_owned());
        Work::new(Setup {
            task: self.task.clone(),
            checkpoint: self.checkpoint.as_ref().map(|value| value.to_string().into_bytes()),
            session: Some(server.with(&credential).expect("a session")),
            credential,
            deadline: None,
            keep: Arc::clone(&self.kept) as Arc<dyn Keep>,
            budget: Budget::new(1 << 20),
            stop: self.stop.clone(),
        })
    }

    /// The checkpoints that were kept.
    pub(super) fn kept(&self) -> Vec<Value> {
        self.kept.checkpoints.lock().expect("a lock").clone()
    }

    /// How far it said that it is at the end.
    pub(super) fn progress(&self) -> Progress {
        *self.kept.progress.lock().expect("a lock")
    }
}

#[async_trait]
impl Keep for Kept {
    async fn keep(&self, checkpoint: Vec<u8>, _: Progress) -> Result<Renewed, QueueError> {
        self.checkpoints.lock().expect("a lock").push(serde_json::from_slice(&checkpoint).expect("JSON"));
        Ok(Renewed::Held)
    }
}

/// The code and the words of what is not worth another attempt.
pub(super) fn permanent(outcome: Result<Value, WorkError>) -> (&'static str, String) {
    match outcome {
        Err(WorkError::Permanent { code, detail }) => (code, detail),
        other => panic!("not permanent: {other:?}"),
    }
}

/// The words of what is worth another attempt.
pub(super) fn transient(outcome: Result<Value, WorkError>) -> String {
    match outcome {
        Err(WorkError::Transient(detail)) => detail,
        other => panic!("not transient: {other:?}"),
    }
}
