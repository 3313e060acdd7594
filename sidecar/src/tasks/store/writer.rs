//! Many commands, one transaction: what was asked for while the last one was on its way to the disk shares the next.
//!
//! Why: a task that was accepted must survive a loss of power, and waiting for the disk once for each would allow
//! some hundreds of tasks a second.
//!
//! Whoever asks is answered after the commit, never before.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::tasks::store::commands::{Batch, Command, Place};
use crate::tasks::store::database::{Database, Transaction};
use crate::tasks::store::signal::Signal;
use crate::tasks::store::{Changes, StoreError};

/// The most commands of a transaction.
const MOST_COMMANDS: usize = 256;
/// The most commands that wait; whoever asks for more waits before it is queued.
const MOST_WAITING: usize = 1024;
/// How often a transaction is tried that others got in the way of.
const MOST_TRIES: usize = 3;

/// Whom to ask to write.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    jobs: Arc<Mutex<mpsc::Receiver<Box<dyn Job>>>>,
    pen: Arc<Pen>,
}

/// What writes.
struct Pen {
    database: Arc<Database>,
    changes: Changes,
    /// What names this process to others.
    name: String,
    /// How long a transaction may take.
    patience: Duration,
}

/// A command with somebody who waits for its answer.
struct Asked<C: Command> {
    command: C,
    answer: Option<C::Answer>,
    reply: oneshot::Sender<Result<C::Answer, StoreError>>,
}

/// A command with its answer, whatever that is.
#[async_trait]
trait Job: Send {
    fn place(&self) -> Place;

    async fn run(&mut self, transaction: &mut Transaction, batch: &mut Batch) -> Result<(), StoreError>;

    /// Tells who asked; `failure` says why nothing was written.
    fn tell(self: Box<Self>, failure: Option<&StoreError>);
}

impl Writer {
    pub(super) fn new(database: Arc<Database>, changes: Changes, name: String, patience: Duration) -> Self {
        let (queue, jobs) = mpsc::channel(MOST_WAITING);
        let pen = Pen { database, changes, name, patience };
        Self { queue, jobs: Arc::new(Mutex::new(jobs)), pen: Arc::new(pen) }
    }

    /// Has a command run, and waits for what comes of it. It is run even where nobody waits any more.
    pub(super) async fn ask<C: Command>(&self, command: C) -> Result<C::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn Job> = Box::new(Asked { command, answer: None, reply });
        if let Err(mpsc::error::SendError(job)) = self.queue.send(job).await {
            // The process ends, and what gathers commands has ended already.
            self.pen.write(vec![job]).await;
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the writer broke".to_owned())))
    }

    /// Writes until `stop`, and then what was asked for before that.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let mut receiver = self.jobs.lock().await;
        loop {
            let mut jobs = Vec::new();
            tokio::select! {
                _ = receiver.recv_many(&mut jobs, MOST_COMMANDS) => {}
                () = stop.cancelled() => {
                    receiver.close();
                    receiver.recv_many(&mut jobs, MOST_COMMANDS).await;
                }
            }
            if jobs.is_empty() {
                return;
            }
            self.pen.write(jobs).await;
        }
    }
}

impl Pen {
    /// Writes all of these together, or each alone where that can't be.
    async fn write(&self, mut jobs: Vec<Box<dyn Job>>) {
        // Those of the same place stay in the order in which they were asked for.
        jobs.sort_by_key(|job| job.place());
        match self.tried(&mut jobs).await {
            Err(error) if jobs.len() > 1 && !error.is_passing() => {
                for job in jobs {
                    let mut alone = vec![job];
                    let outcome = self.tried(&mut alone).await;
                    alone.into_iter().for_each(|job| job.tell(outcome.as_ref().err()));
                }
            }
            outcome => jobs.into_iter().for_each(|job| job.tell(outcome.as_ref().err())),
        }
    }

    async fn tried(&self, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match timeout(self.patience, self.together(jobs)).await {
                Ok(Err(StoreError::Contended(_))) if tries < MOST_TRIES => {}
                Ok(outcome) => return outcome,
                Err(_) => return Err(StoreError::Unavailable("it took too long".to_owned())),
            }
        }
    }

    async fn together(&self, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        let mut transaction = self.database.begin().await?;
        for job in jobs {
            job.run(&mut transaction, &mut batch).await?;
        }
        let signal = Signal { has_work: batch.has_work, changed: batch.changed };
        for message in signal.messages(&self.name) {
            transaction.notify(Signal::CHANNEL, message).await?;
        }
        transaction.commit().await?;
        signal.tell(&self.changes);
        Ok(())
    }
}

#[async_trait]
impl<C: Command> Job for Asked<C> {
    fn place(&self) -> Place {
        self.command.place()
    }

    async fn run(&mut self, transaction: &mut Transaction, batch: &mut Batch) -> Result<(), StoreError> {
        self.answer = Some(self.command.run(transaction, batch).await?);
        Ok(())
    }

    fn tell(self: Box<Self>, failure: Option<&StoreError>) {
        let answer = match failure {
            Some(error) => Err(error.clone()),
            None => self.answer.ok_or_else(|| StoreError::Unavailable("it was not done".to_owned())),
        };
        // Whoever asked may have gone.
        let _ = self.reply.send(answer);
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = MOST_WAITING.saturating_sub(self.queue.capacity());
        formatter.debug_struct("Writer").field("waiting", &waiting).finish()
    }
}
