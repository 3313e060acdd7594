//! Tasks, with everything around them that is real.

mod api;
mod attempt;
mod cli;
mod command_operation;
mod copy;
mod http_operation;
mod operations;
mod store;
mod worker;

use taskgate::clock::{Clock as _, SystemClock};
use taskgate::tasks::request::Request;
use taskgate::tasks::row::{Owner, Task, TaskId};
use taskgate::tasks::store::Claimant;
use taskgate_core::task::{Progress, Status};

/// A worker that does the operations of these tests.
fn claimant(name: &str) -> Claimant {
    let operations = ["copy", "factor", "noop", "play"].map(str::to_owned).to_vec();
    Claimant { name: name.to_owned(), operations }
}

/// A task that a worker holds, in its first attempt of five. `number` tells it from others.
fn held(owner: &str, request: Request, number: u8) -> Task {
    let now = SystemClock.now();
    Task {
        id: TaskId::new(now, [number; 10]),
        digest: request.digest(owner),
        owner: Owner::new(owner),
        request,
        status: Status::InProgress,
        progress: Progress::default(),
        attempts: 1,
        max_attempts: 5,
        epoch: 1,
        fenced: 0,
        created: now,
        updated: now,
        started: Some(now),
        finished: None,
        not_before: now,
        deadline: None,
        worker: None,
        lease_until: None,
        credential_expires: None,
        result: None,
        failure: None,
        deleted: None,
        version: 1,
    }
}
