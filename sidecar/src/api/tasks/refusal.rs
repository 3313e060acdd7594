//! What clients are told when something is not done.

use axum::http::{StatusCode, header};

use crate::api::problem::Problem;
use crate::api::tasks::form::href;
use crate::tasks::identity::Unidentified;
use crate::tasks::operation::Rejection;
use crate::tasks::reception::NotAccepted;
use crate::tasks::row::TaskId;
use crate::tasks::store::StoreError;

/// When to ask again where something that passes is in the way, in seconds.
const SOON: &str = "2";
/// When to ask again where there is no room, in seconds.
const LATER: &str = "15";

/// There is no such task, or none that whoever asks may know of.
pub(super) fn no_such_task() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-such-task", "there is no task with this id")
}

/// The task was deleted.
pub(super) fn deleted(id: TaskId) -> Problem {
    let detail = "the task was deleted; what it had written until then is still there";
    Problem::new(StatusCode::GONE, "task-deleted", detail).with("taskid", id.to_string())
}

/// Nobody knows whose request it is.
pub(super) fn unauthorised(code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
        .with_header(header::WWW_AUTHENTICATE, "Basic realm=\"hsds\", charset=\"UTF-8\"")
        .with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"hsds\"")
}

impl Problem {
    /// The same, with the advice when to ask again.
    fn after(self, secs: &str) -> Self {
        self.with_header(header::RETRY_AFTER, secs)
    }
}

impl From<Unidentified> for Problem {
    fn from(reason: Unidentified) -> Self {
        let detail = reason.to_string();
        match reason {
            Unidentified::Scheme => unauthorised("credential-unusable", detail),
            Unidentified::Ended => unauthorised("credential-ended", detail),
            Unidentified::Refused => unauthorised("credential-refused", detail),
            Unidentified::Unavailable => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "server-unavailable", detail).after(SOON)
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        // The words are the database's: for the log alone.
        if error.is_passing() {
            tracing::warn!(%error, "the task store has no answer");
            let detail = "tasks can't be looked at right now";
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "store-unavailable", detail).after(SOON)
        } else {
            tracing::error!(%error, "the task store does not work");
            Self::internal()
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let detail = rejection.to_string();
        match rejection {
            Rejection::Malformed(_) => Self::new(StatusCode::BAD_REQUEST, "request-refused", detail),
            Rejection::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "location-forbidden", detail),
            Rejection::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "location-not-found", detail),
            Rejection::Exists(_) => Self::new(StatusCode::CONFLICT, "destination-exists", detail),
            Rejection::Unauthorised => unauthorised("credential-refused", detail),
            Rejection::Unavailable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "server-unavailable", detail).after(SOON)
            }
        }
    }
}

impl From<NotAccepted> for Problem {
    fn from(reason: NotAccepted) -> Self {
        let detail = reason.to_string();
        let full = |code| Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail.clone());
        match reason {
            NotAccepted::Operation => Self::new(StatusCode::BAD_REQUEST, "unknown-operation", detail),
            NotAccepted::Request(_) => Self::new(StatusCode::BAD_REQUEST, "request-refused", detail),
            NotAccepted::Rejected(rejection) => rejection.into(),
            NotAccepted::Identical(id) => Self::new(StatusCode::CONFLICT, "identical-request-in-progress", detail)
                .with("taskid", id.to_string())
                .with_header(header::LOCATION, &href(id)),
            NotAccepted::KeyReused => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", detail),
            NotAccepted::UserFull => full("user-limit-reached").after(LATER),
            NotAccepted::Full => full("out-of-capacity").after(LATER),
            NotAccepted::Busy => full("too-many-requests-at-once").after(SOON),
            NotAccepted::Seal(error) => {
                tracing::error!(%error, "a credential can't be sealed");
                Self::internal()
            }
            NotAccepted::Store(error) => error.into(),
        }
    }
}
