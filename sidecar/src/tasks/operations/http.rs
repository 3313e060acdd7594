//! An operation that a service does.
//!
//! The service is posted the task. It answers 200 with the result, or 202 with where to ask how far it is; that
//! address is the checkpoint, so that another worker asks on instead of beginning anew. A service that begins
//! nothing twice for one `Idempotency-Key` is safe from what happens between its answer and that checkpoint.
//!
//! It never follows a redirect, never asks another server than the configured one, and never shows the owner's
//! credential unless the configuration says so.

mod answer;
pub mod settings;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{sleep, timeout};
use url::Url;

pub use settings::HttpOperationSettings;

use crate::http::{self, Answer, HttpError};
use crate::retry;
use crate::tasks::operation::{Description, Operation, Preview, Rejection, WorkError};
use crate::tasks::operations::assignment::Assignment;
use crate::tasks::operations::http::answer::{Direct, Job, Report};
use crate::tasks::work::{StopReason, Work};

/// The wait before the first question how far it is; each later one is half as long again.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The longest wait between two questions.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The longest wait that a service can ask for.
const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(60);
/// How often in a row a question may stay without an answer.
const MAX_MISSES: u32 = 6;
/// How long a service may take to answer while the task is being stopped, and to take the cancellation.
const PARTING: Duration = Duration::from_millis(1_500);

/// An operation that a service does.
#[derive(Debug)]
pub struct HttpOperation {
    description: Description,
    settings: HttpOperationSettings,
    client: Client,
}

/// Where the service tells how far it is; none after it gave up.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Checkpoint {
    status: Option<String>,
}

/// What came of posting a task.
enum Begun {
    Done(Value),
    UnderWay(Url),
}

/// Why a job at the service has no result.
enum Ended {
    /// The service has given it up, so another attempt begins anew.
    Over(WorkError),
    /// It may go on all the same.
    Open(WorkError),
}

impl HttpOperation {
    /// An operation that a service does.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(description: Description, settings: HttpOperationSettings) -> Result<Self, HttpError> {
        let client = http::client(settings.timeout)?;
        Ok(Self { description, settings, client })
    }

    /// Posts the task. One that is stopped meanwhile waits a moment for where to cancel it.
    async fn begin(&self, work: &Work) -> Result<Begun, WorkError> {
        let assignment = Assignment::of(work, self.settings.forward_credential, None).line()?;
        let request = self
            .request(Method::POST, self.settings.url.clone())
            .header("Idempotency-Key", work.task().id.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(assignment.to_vec());
        let parting = async {
            work.stop().cancelled().await;
            if is_over(work, &WorkError::Stopped) {
                sleep(PARTING).await;
            }
        };
        let answer = tokio::select! {
            answer = http::exchange(request) => answer.map_err(|error| no_answer(&error))?,
            () = parting => return Err(WorkError::Stopped),
        };
        match answer.status {
            StatusCode::OK => {
                answer::read::<Direct>(&answer.body, self.shown(work)).map(|direct| Begun::Done(direct.result))
            }
            StatusCode::ACCEPTED => self.place(&answer.headers).map(Begun::UnderWay),
            _ => Err(self.refusal(&answer, work)),
        }
    }

    /// Where a service that took a task tells how far it is.
    fn place(&self, headers: &HeaderMap) -> Result<Url, WorkError> {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.ok_or_else(|| answer::malformed("202 without `Location`"))?;
        self.resolve(location).ok_or_else(|| answer::malformed("its `Location` is on another server"))
    }

    /// Where an earlier attempt was told that the service tells how far it is.
    fn known(&self, work: &Work) -> Result<Option<Url>, WorkError> {
        Ok(work.checkpoint::<Checkpoint>()?.and_then(|checkpoint| self.resolve(&checkpoint.status?)))
    }

    /// An address of the same server.
    fn resolve(&self, location: &str) -> Option<Url> {
        let url = self.settings.url.join(location).ok()?;
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        (is_anonymous && url.origin() == self.settings.url.origin()).then_some(url)
    }

    /// Asks until the job has ended.
    async fn follow(&self, work: &Work, place: &Url) -> Result<Value, Ended> {
        let (mut wait, mut misses) = (FIRST_WAIT, 0);
        loop {
            work.unless_stopped(sleep(wait)).await.map_err(Ended::Open)?;
            wait = (wait + wait / 2).min(LONGEST_WAIT);
            let request = self.request(Method::GET, place.clone());
            let answer = work.unless_stopped(http::exchange(request)).await.map_err(Ended::Open)?;
            let missed = match answer {
                Ok(answer) => match self.hear(work, &answer) {
                    Ok(Some(result)) => return Ok(result),
                    Ok(None) => {
                        misses = 0;
                        wait = asked_wait(&answer.headers).unwrap_or(wait);
                        continue;
                    }
                    Err(Ended::Open(WorkError::Transient(reason))) => WorkError::Transient(reason),
                    Err(ended) => return Err(ended),
                },
                Err(error @ HttpError::TooLarge(_)) => return Err(Ended::Open(no_answer(&error))),
                Err(error) => no_answer(&error),
            };
            misses += 1;
            if misses == MAX_MISSES {
                return Err(Ended::Open(missed));
            }
            wait = wait.max(retry::wait(misses));
        }
    }

    /// What a service says of a job: the result, or none while it is under way.
    fn hear(&self, work: &Work, answer: &Answer) -> Result<Option<Value>, Ended> {
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                return Err(Ended::Over(WorkError::Transient("the service does not know the task any more".into())));
            }
            // Here it was shown its own secret alone.
            StatusCode::UNAUTHORIZED => return Err(Ended::Open(secret_refused())),
            _ => return Err(Ended::Open(self.refusal(answer, work))),
        }
        // What can't be read may be of something in between.
        let report: Report = answer::read(&answer.body, self.shown(work))
            .map_err(|error| Ended::Open(WorkError::Transient(error.to_string())))?;
        if let Some(said) = report.progress {
            work.report(said.into());
        }
        match report.status {
            Job::Queued | Job::InProgress => Ok(None),
            Job::Complete => Ok(Some(report.result)),
            Job::Failed => Err(Ended::Over(report.error.unwrap_or_default().into_error(self.shown(work)))),
        }
    }

    /// Tells the service that nobody wants the outcome.
    async fn cancel(&self, work: &Work, place: Url) {
        let request = self.request(Method::DELETE, place);
        let outcome = match timeout(PARTING, http::exchange(request)).await {
            Ok(Ok(answer)) if answer.status.is_success() || answer.status == StatusCode::NOT_FOUND => return,
            Ok(Ok(answer)) => format!("answered {}", answer.status.as_u16()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let (task, operation) = (work.task().id, &self.description.name);
        tracing::warn!(task.id = %task, operation, outcome, "a service could not be told that its work is not wanted");
    }

    fn refusal(&self, answer: &Answer, work: &Work) -> WorkError {
        let status = answer.status;
        let words = answer::words(&answer.body, self.shown(work));
        let detail = format!("the service answered {}{words}", status.as_u16());
        match status {
            StatusCode::UNAUTHORIZED if self.settings.forward_credential => WorkError::CredentialEnded,
            StatusCode::UNAUTHORIZED => secret_refused(),
            // One that is busy with the same key says 409.
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::CONFLICT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS => WorkError::Transient(detail),
            status if status.is_server_error() => WorkError::Transient(detail),
            status if status.is_client_error() => WorkError::permanent("refused", detail),
            status if status.is_redirection() => {
                WorkError::permanent("redirected", format!("{detail}; redirects are not followed"))
            }
            _ => answer::malformed(&detail),
        }
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.settings.secret {
            Some(secret) => request.bearer_auth(secret.expose()),
            None => request,
        }
    }

    /// The credential, where the service has seen it.
    fn shown<'a>(&self, work: &'a Work) -> Option<&'a str> {
        self.settings.forward_credential.then(|| work.credential().expose())
    }
}

#[async_trait]
impl Operation for HttpOperation {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn check(&self, _: &Preview<'_>) -> Result<(), Rejection> {
        // The schema has been checked, and who may read and write what. More only the service knows.
        Ok(())
    }

    async fn run(&self, work: &mut Work) -> Result<Value, WorkError> {
        let (place, is_kept) = match self.known(work)? {
            Some(place) => (place, true),
            None => match self.begin(work).await? {
                Begun::Done(result) => return Ok(result),
                Begun::UnderWay(place) => (place, false),
            },
        };
        let followed = async {
            if !is_kept {
                work.save(&Checkpoint { status: Some(place.to_string()) }).await.map_err(Ended::Open)?;
            }
            self.follow(work, &place).await
        };
        match followed.await {
            Ok(result) => Ok(result),
            Err(Ended::Over(error)) => {
                work.save(&Checkpoint::default()).await?;
                Err(error)
            }
            Err(Ended::Open(error)) => {
                if is_over(work, &error) {
                    self.cancel(work, place).await;
                }
                Err(error)
            }
        }
    }

    async fn abandon(&self, work: &Work) {
        // What can't be read says of no job.
        if let Ok(Some(place)) = self.known(work) {
            self.cancel(work, place).await;
        }
    }

    fn stopping(&self) -> Duration {
        PARTING * 2
    }
}

/// Whether nobody goes on with the task after an attempt that ends so.
fn is_over(work: &Work, error: &WorkError) -> bool {
    match (work.stop_reason(), error) {
        (Some(reason), _) if reason.is_final() => true,
        // That is no attempt.
        (Some(StopReason::CredentialEnded | StopReason::Draining), _) | (_, WorkError::CredentialEnded) => false,
        (_, WorkError::Permanent { .. }) => true,
        // A lease that is lost costs the attempt too.
        (_, WorkError::Stopped | WorkError::Transient(_)) => work.attempt() >= work.task().max_attempts,
    }
}

fn no_answer(error: &HttpError) -> WorkError {
    match error {
        HttpError::TooLarge(_) => WorkError::permanent("answer-too-large", format!("of the service: {error}")),
        HttpError::Client(_) | HttpError::Exchange(_) => {
            WorkError::Transient(format!("no answer from the service: {error}"))
        }
    }
}

fn secret_refused() -> WorkError {
    WorkError::Transient("the service does not accept the secret that it is shown".to_owned())
}

/// How long a service asks to be left alone.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let secs = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(secs).clamp(FIRST_WAIT, LONGEST_ASKED_WAIT))
}
