//! The service that does the tasks, and notes what it did.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::dice::Dice;

/// How long it takes for a task, in milliseconds.
const WORK_MS: (u64, u64) = (20, 300);

/// The service. Dropping it ends it.
pub(super) struct Service {
    pub(super) address: SocketAddr,
    book: Arc<Book>,
    _server: JoinSet<()>,
}

struct Book {
    done: Mutex<Vec<Done>>,
    dice: Mutex<Dice>,
    /// How many tasks wait for their release.
    held: watch::Sender<usize>,
    is_released: watch::Sender<bool>,
}

/// That a task was done, for a holder of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) task: String,
    pub(super) epoch: u64,
}

impl Service {
    pub(super) async fn start(dice: Dice) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (held, is_released) = (watch::Sender::new(0), watch::Sender::new(false));
        let book = Arc::new(Book { done: Mutex::default(), dice: Mutex::new(dice), held, is_released });
        let router = Router::new().route("/", post(work)).with_state(Arc::clone(&book));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, book, _server: server })
    }

    /// Waits until so many tasks are held.
    pub(super) async fn holds(&self, tasks: usize) -> anyhow::Result<()> {
        self.book.held.subscribe().wait_for(|held| *held >= tasks).await?;
        Ok(())
    }

    /// Goes on with those that are held, and holds none from now on.
    pub(super) fn release(&self) {
        self.book.is_released.send_replace(true);
    }

    /// All that it did, in that order.
    pub(super) fn done(&self) -> Vec<Done> {
        self.book.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Does a task. Where nobody waits any more it is dropped on the way.
async fn work(State(book): State<Arc<Book>>, Json(assignment): Json<Value>) -> Json<Value> {
    let task = assignment["taskid"].as_str().unwrap_or_default().to_owned();
    let epoch = assignment["epoch"].as_u64().unwrap_or_default();
    if assignment["request"]["args"]["held"] == true {
        book.held.send_modify(|held| *held += 1);
        let _ = book.is_released.subscribe().wait_for(|is_released| *is_released).await;
    } else {
        let (least, most) = WORK_MS;
        let pause = book.dice.lock().unwrap_or_else(PoisonError::into_inner).between(least, most);
        tokio::time::sleep(pause).await;
    }
    book.done.lock().unwrap_or_else(PoisonError::into_inner).push(Done { task, epoch });
    Json(json!({"result": {"epoch": epoch}}))
}
