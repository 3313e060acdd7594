//! Refusals, as problems.

use axum::http::{StatusCode, header};

use crate::access::redeem::Unredeemed;
use crate::access::shares::ShareRefusal;
use crate::access::store::AccessStoreError;
use crate::api::problem::Problem;
use crate::discovery::policy::Authorisation;

impl From<ShareRefusal> for Problem {
    fn from(refusal: ShareRefusal) -> Self {
        let (status, code) = match &refusal {
            ShareRefusal::Invalid(_) => (StatusCode::BAD_REQUEST, "malformed-request"),
            ShareRefusal::NotAllowed => (StatusCode::FORBIDDEN, "access-denied"),
            ShareRefusal::NotShareable(_) => (StatusCode::CONFLICT, "not-shareable"),
            ShareRefusal::TooMany(_) => (StatusCode::CONFLICT, "too-many-shares"),
            ShareRefusal::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            ShareRefusal::UnknownService => (StatusCode::NOT_FOUND, "unknown-service"),
            ShareRefusal::UnknownShare => (StatusCode::NOT_FOUND, "unknown-share"),
        };
        again_where_it_may_help(Self::new(status, code, refusal.to_string()))
    }
}

impl From<Unredeemed> for Problem {
    fn from(error: Unredeemed) -> Self {
        let (status, code) = match error {
            Unredeemed::Over => (StatusCode::GONE, "share-ended"),
            Unredeemed::OtherPerson => (StatusCode::FORBIDDEN, "share-for-somebody-else"),
            Unredeemed::SignInFirst => (StatusCode::UNAUTHORIZED, "credential-missing"),
            Unredeemed::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Unredeemed::UsedUp => (StatusCode::GONE, "share-used-up"),
        };
        let problem = Self::new(status, code, error.to_string());
        match error {
            Unredeemed::SignInFirst => problem.with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"taskgate\""),
            _ => again_where_it_may_help(problem),
        }
    }
}

impl From<AccessStoreError> for Problem {
    fn from(error: AccessStoreError) -> Self {
        tracing::error!(%error, "the store of share links and revocations can't be used");
        let detail = "it is in force now, but could not be kept: do it again in a while";
        again_where_it_may_help(Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail))
    }
}

/// What is answered about a service to somebody who may not do something with it; none where they may.
pub(super) fn of_authorisation(authorisation: Authorisation) -> Option<Problem> {
    match authorisation {
        Authorisation::Allow => None,
        Authorisation::AccessDenied => {
            let detail = "you may not do that with this service; ask its owner";
            Some(Problem::new(StatusCode::FORBIDDEN, "access-denied", detail))
        }
        Authorisation::UnknownService => Some(ShareRefusal::UnknownService.into()),
        Authorisation::Unavailable(reason) => {
            tracing::info!(reason, "what somebody may do with a service can't be said now");
            Some(ShareRefusal::Unavailable("that can't be said now; try again in a while".into()).into())
        }
    }
}

fn again_where_it_may_help(problem: Problem) -> Problem {
    if problem.status() == StatusCode::SERVICE_UNAVAILABLE {
        problem.with_header(header::RETRY_AFTER, "2")
    } else {
        problem
    }
}
