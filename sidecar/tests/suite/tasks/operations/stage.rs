//! A server with a domain, operations with small pieces, and a keep of checkpoints that can fail.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use taskgate::hsds::calls::create::{NewKind, NewObject};
use taskgate::hsds::client::settings::HsdsSettings;
use taskgate::hsds::client::{Hsds, Session};
use taskgate::hsds::dataspace::Dataspace;
use taskgate::hsds::datatype::{Datatype, Order};
use taskgate::hsds::domain::DomainName;
use taskgate::secret::SecretText;
use taskgate::tasks::operation::{Preview, Rejection, WorkError};
use taskgate::tasks::operations::Operations;
use taskgate::tasks::operations::element_wise::Pace;
use taskgate::tasks::queue::QueueError;
use taskgate::tasks::request::Request;
use taskgate::tasks::store::Renewed;
use taskgate::tasks::work::{Budget, Keep, Setup, Stop, Work};
use taskgate_core::task::Progress;
use taskgate_test_kit::HsdsUser;

use crate::tasks::held;

/// The domain that everything is in.
pub(super) const DOMAIN: &str = "/home/test_user1/numbers.h5";

/// A server and a session with it.
pub(super) struct Stage {
    pub(super) server: taskgate_test_kit::Hsds,
    session: Session,
}

/// A keep of one checkpoint.
#[derive(Debug, Default)]
pub(super) struct Memory {
    last: Mutex<Option<Vec<u8>>>,
    left: Mutex<Option<Left>>,
    pub(super) kept: AtomicU32,
}

/// How many checkpoints are kept before the lease is lost.
#[derive(Clone, Copy, Debug)]
pub(super) enum Left {
    /// The one after these is not kept.
    Before(u32),
    /// The last of these is kept, but the attempt is not told so.
    After(u32),
}

#[async_trait]
impl Keep for Memory {
    async fn keep(&self, checkpoint: Vec<u8>, _: Progress) -> Result<Renewed, QueueError> {
        let number = self.kept.load(Ordering::SeqCst) + 1;
        let left = *self.left.lock().expect("no panic");
        if matches!(left, Some(Left::Before(count)) if number > count) {
            return Ok(Renewed::Lost);
        }
        self.kept.store(number, Ordering::SeqCst);
        *self.last.lock().expect("no panic") = Some(checkpoint);
        Ok(if matches!(left, Some(Left::After(count)) if number >= count) { Renewed::Lost } else { Renewed::Held })
    }
}

impl Memory {
    /// The next attempt loses its lease there.
    pub(super) fn losing(&self, left: Option<Left>) {
        *self.left.lock().expect("no panic") = left;
        self.kept.store(0, Ordering::SeqCst);
    }
}

/// Pieces of 4 KiB, and no checkpoint but those that must be.
pub(super) fn small() -> Pace {
    Pace { slab_bytes: 4 << 10, segment: 2, concurrent: 3, save_every: Duration::from_secs(3_600) }
}

/// A dataset of the domain.
pub(super) fn at(path: &str) -> Value {
    json!({"domain": DOMAIN, "h5path": path})
}

/// Part of a dataset of the domain.
pub(super) fn part(path: &str, select: &str) -> Value {
    json!({"domain": DOMAIN, "h5path": path, "select": select})
}

pub(super) fn request(operation: &str, src: &[Value], args: Value, des: &[Value]) -> Request {
    let mut request = json!({"operation": operation, "src": src, "des": des});
    request["args"] = args;
    serde_json::from_value(request).expect("a request")
}

impl Stage {
    pub(super) async fn new() -> Self {
        let server = taskgate_test_kit::Hsds::start().await.expect("HSDS starts");
        let settings = HsdsSettings::new(server.url().parse().expect("a URL"));
        let credential = SecretText::from(HsdsUser::One.authorization());
        let session = Hsds::new(settings).expect("a client").with(&credential).expect("a session");
        Self { server, session }
    }

    /// Runs a Python program with `f`, the domain, open for changes, and gives what it prints.
    pub(super) async fn python(&self, program: &str, arguments: &[&str]) -> String {
        let head = format!("import json, sys\nimport h5pyd, numpy as np\nf = h5pyd.File('hdf5:/{DOMAIN}', 'a')\n");
        let program = format!("{head}{program}\nf.close()\n");
        self.server.python(HsdsUser::One, &program, arguments).await.expect("a Python program")
    }

    /// Makes a dataset without elements, which h5pyd can't.
    pub(super) async fn make_null(&self, name: &str) {
        let domain = DomainName::new(DOMAIN);
        let root = self.session.domain(&domain).await.expect("a domain").root.expect("a root");
        let datatype = Datatype::float(8, Order::Little);
        let kind = NewKind::Dataset { datatype, dataspace: Dataspace::Null, creation: Map::new() };
        let wanted = NewObject { link: Some((root, name.to_owned())), ..NewObject::new(kind) };
        self.session.create(&domain, &wanted).await.expect("a dataset");
    }

    pub(super) async fn check(&self, request: &Request) -> Result<(), Rejection> {
        let operations = Operations::of_datasets(small());
        let operation = operations.named(&request.operation).expect("an operation");
        operation.check(&Preview { request, session: Some(&self.session) }).await
    }

    /// Runs an attempt at a task, from where the last came to.
    pub(super) async fn attempt(
        &self,
        request: &Request,
        pace: Pace,
        memory: &Arc<Memory>,
    ) -> Result<Value, WorkError> {
        attempt(self.session.clone(), request, pace, memory, Budget::new(16 << 20)).await
    }

    /// Runs an attempt with a budget that others have too.
    pub(super) async fn attempt_with(&self, request: &Request, pace: Pace, budget: Budget) -> Result<Value, WorkError> {
        attempt(self.session.clone(), request, pace, &Arc::default(), budget).await
    }

    /// Runs an attempt during which the server is killed and started again, after the first checkpoint.
    pub(super) async fn attempt_with_deaths(
        &mut self,
        request: &Request,
        pace: Pace,
        memory: &Arc<Memory>,
    ) -> Result<Value, WorkError> {
        let (session, server) = (self.session.clone(), &mut self.server);
        let deaths = async {
            while memory.kept.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            server.restart().await.expect("HSDS starts");
            std::future::pending::<()>().await;
        };
        tokio::select! {
            result = attempt(session, request, pace, memory, Budget::new(16 << 20)) => result,
            () = deaths => Err(WorkError::Stopped),
        }
    }

    /// Checks a request and does it.
    pub(super) async fn run(&self, request: &Request) -> Result<Value, WorkError> {
        assert_eq!(self.check(request).await, Ok(()), "{request:?}");
        self.attempt(request, small(), &Arc::default()).await
    }
}

async fn attempt(
    session: Session,
    request: &Request,
    pace: Pace,
    memory: &Arc<Memory>,
    budget: Budget,
) -> Result<Value, WorkError> {
    let operations = Operations::of_datasets(pace);
    let operation = operations.named(&request.operation).expect("an operation");
    let mut work = Work::new(Setup {
        task: held(HsdsUser::One.name(), request.clone(), 7),
        checkpoint: memory.last.lock().expect("no panic").clone(),
        credential: SecretText::from(HsdsUser::One.authorization()),
        session: Some(session),
        deadline: None,
        keep: Arc::<Memory>::clone(memory),
        budget,
        stop: Stop::new(),
    });
    let result = operation.run(&mut work).await;
    if result.is_ok() {
        let progress = work.progress();
        assert_eq!(Some(progress.done), progress.total.or(Some(progress.done)), "{}", request.operation);
    }
    result
}
