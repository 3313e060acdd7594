//! A server with trees to copy, and attempts at copies without a worker.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use taskgate::hsds::client::settings::HsdsSettings;
use taskgate::hsds::client::{Hsds, Session};
use taskgate::hsds::domain::DomainName;
use taskgate::secret::SecretText;
use taskgate::tasks::operation::{Operation as _, Preview, Rejection, WorkError};
use taskgate::tasks::operations::copy::Copy;
use taskgate::tasks::operations::copy::settings::Settings;
use taskgate::tasks::queue::QueueError;
use taskgate::tasks::request::Request;
use taskgate::tasks::row::Task;
use taskgate::tasks::store::Renewed;
use taskgate::tasks::work::{Budget, Keep, Setup, Stop, StopReason, Work};
use taskgate_core::task::Progress;
use taskgate_test_kit::HsdsUser;
use tokio::sync::Notify;

use crate::tasks::held;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(200);
/// The program that makes trees and writes down what they look like.
pub(super) const TREE: &str = include_str!("tree.py");
/// The domain that has the tree.
pub(super) const SOURCE: &str = "/home/test_user1/tree.h5";
/// The domain that its links lead to.
pub(super) const OTHER: &str = "/home/test_user1/other.h5";

/// A server, asked by the user that has the trees.
pub(super) struct Stage {
    pub(super) server: taskgate_test_kit::Hsds,
    pub(super) session: Session,
    tasks: AtomicUsize,
}

/// A task, and what is kept of it from one attempt to the next.
pub(super) struct Copying {
    task: Task,
    session: Session,
    settings: Settings,
    pub(super) kept: Arc<Kept>,
}

/// Where checkpoints go.
#[derive(Debug, Default)]
pub(super) struct Kept {
    last: Mutex<Option<Vec<u8>>>,
    /// How many were kept.
    pub(super) count: AtomicUsize,
    /// Told of each.
    pub(super) news: Notify,
    ending: Mutex<Option<(Stop, bool)>>,
}

impl Stage {
    /// A server with nothing on it.
    pub(super) async fn empty() -> Self {
        let server = taskgate_test_kit::Hsds::start().await.expect("HSDS starts");
        let settings = HsdsSettings::new(server.url().parse().expect("a URL"));
        let credential = SecretText::from(HsdsUser::One.authorization());
        let session = Hsds::new(settings).expect("a client").with(&credential).expect("a session");
        Self { server, session, tasks: AtomicUsize::new(0) }
    }

    /// A server with the tree.
    pub(super) async fn planted() -> Self {
        let stage = Self::empty().await;
        stage.python(&["build", "h5pyd", SOURCE, OTHER]).await;
        stage
    }

    /// Runs the program with the trees.
    pub(super) async fn python(&self, arguments: &[&str]) -> String {
        self.server.python(HsdsUser::One, TREE, arguments).await.expect("the program runs")
    }

    /// What trees of a domain look like.
    pub(super) async fn dump(&self, domain: &str, paths: &[String]) -> Vec<Value> {
        let paths = paths.iter().map(String::as_str);
        let arguments: Vec<&str> = ["dump", "h5pyd", domain].into_iter().chain(paths).collect();
        trees(&self.python(&arguments).await)
    }

    /// A new domain.
    pub(super) async fn domain(&self, path: &str) -> DomainName {
        let domain = DomainName::new(path);
        self.session.create_domain(&domain).await.expect("a domain");
        domain
    }

    /// Copies, and gives the result.
    pub(super) async fn copy(&self, src: Value, args: Value, des: Value) -> Result<Value, WorkError> {
        self.copying(&src, &args, &des, Settings::default()).attempt().await
    }

    /// A task that copies.
    pub(super) fn copying(&self, src: &Value, args: &Value, des: &Value, settings: Settings) -> Copying {
        let number = u8::try_from(self.tasks.fetch_add(1, Ordering::SeqCst)).expect("few tasks");
        let task = held(HsdsUser::One.name(), request(src, args, des), number);
        Copying { task, session: self.session.clone(), settings, kept: Arc::default() }
    }

    /// Whether a request would be accepted.
    pub(super) async fn check(&self, src: Value, args: Value, des: Value) -> Result<(), Rejection> {
        let request = request(&src, &args, &des);
        Copy::new().check(&Preview { request: &request, session: Some(&self.session) }).await
    }
}

impl Copying {
    /// Makes an attempt, from the last checkpoint that was kept.
    pub(super) async fn attempt(&self) -> Result<Value, WorkError> {
        self.run(Stop::new()).await
    }

    /// Makes an attempt that is stopped when it keeps its next checkpoint, which is kept or not.
    pub(super) async fn attempt_to_next(&self, is_kept: bool) -> Result<Value, WorkError> {
        let stop = Stop::new();
        *self.kept.ending.lock().expect("a lock") = Some((stop.clone(), is_kept));
        self.run(stop).await
    }

    async fn run(&self, stop: Stop) -> Result<Value, WorkError> {
        let checkpoint = self.kept.last.lock().expect("a lock").clone();
        let mut work = Work::new(Setup {
            task: self.task.clone(),
            checkpoint,
            credential: SecretText::from(HsdsUser::One.authorization()),
            session: Some(self.session.clone()),
            deadline: None,
            keep: Arc::clone(&self.kept) as Arc<dyn Keep>,
            budget: Budget::new(64 << 20),
            stop,
        });
        let copy = Copy::with(self.settings.clone());
        tokio::time::timeout(PATIENCE, copy.run(&mut work)).await.expect("ends in time")
    }
}

#[async_trait]
impl Keep for Kept {
    async fn keep(&self, checkpoint: Vec<u8>, _: Progress) -> Result<Renewed, QueueError> {
        let ending = self.ending.lock().expect("a lock").take();
        if ending.as_ref().is_none_or(|(_, is_kept)| *is_kept) {
            *self.last.lock().expect("a lock") = Some(checkpoint);
            self.count.fetch_add(1, Ordering::SeqCst);
        }
        if let Some((stop, _)) = ending {
            stop.now(StopReason::Draining);
            // The attempt ends here, and nothing of it goes on.
            std::future::pending::<()>().await;
        }
        self.news.notify_one();
        Ok(Renewed::Held)
    }
}

/// What trees look like, as the program writes it.
pub(super) fn trees(text: &str) -> Vec<Value> {
    serde_json::from_str(text).expect("JSON")
}

/// A location by its path.
pub(super) fn at(domain: &str, path: &str) -> Value {
    json!({"domain": domain, "h5path": path})
}

/// The code of what is not worth another attempt; other outcomes as they print.
pub(super) fn code(outcome: Result<Value, WorkError>) -> String {
    match outcome {
        Err(WorkError::Permanent { code, .. }) => code.to_owned(),
        other => format!("{other:?}"),
    }
}

fn request(src: &Value, args: &Value, des: &Value) -> Request {
    let request = json!({"operation": "copy", "src": [src], "args": args, "des": [des]});
    serde_json::from_value(request).expect("a request")
}
