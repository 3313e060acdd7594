//! What a service says of a task.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::tasks::operation::WorkError;
use crate::tasks::operations::assignment::Said;
use crate::tasks::operations::words::{self, MAX_WORDS};

/// What a service says that its owner's credential is no good any more.
const CREDENTIAL_ENDED: &str = "credential-ended";

/// The answer of a service that did the task at once.
#[derive(Debug, Deserialize)]
pub(super) struct Direct {
    pub(super) result: Value,
}

/// How far a service is.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    pub(super) status: Job,
    #[serde(default)]
    pub(super) progress: Option<Said>,
    #[serde(default)]
    pub(super) result: Value,
    #[serde(default)]
    pub(super) error: Option<JobError>,
}

/// Where a job is, with the names that tasks have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Job {
    #[serde(rename = "queued")]
    Queued,
    #[serde(rename = "in progress")]
    InProgress,
    #[serde(rename = "complete")]
    Complete,
    #[serde(rename = "failed")]
    Failed,
}

/// Why a service gave a job up.
#[derive(Debug, Default, Deserialize)]
pub(super) struct JobError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    transient: bool,
}

/// What a problem's body says.
#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    error: Option<JobError>,
}

impl JobError {
    pub(super) fn into_error(self, secret: Option<&str>) -> WorkError {
        if self.code == CREDENTIAL_ENDED {
            return WorkError::CredentialEnded;
        }
        let detail = match self.words(secret) {
            words if words.is_empty() => "the service gave no reason".to_owned(),
            words => words,
        };
        if self.transient { WorkError::Transient(detail) } else { WorkError::permanent("operation-failed", detail) }
    }

    fn words(&self, secret: Option<&str>) -> String {
        let parts = [&self.code, &self.detail].map(|part| words::line_without(part, secret, MAX_WORDS));
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        parts.join(": ")
    }
}

/// Reads an answer. What is wrong with it may be told in its own words.
pub(super) fn read<T: DeserializeOwned>(body: &[u8], secret: Option<&str>) -> Result<T, WorkError> {
    let reason = |error: serde_json::Error| words::line_without(&error.to_string(), secret, MAX_WORDS);
    serde_json::from_slice(body).map_err(|error| malformed(&reason(error)))
}

/// What is behind the status of an answer that is no success, with what it is separated by.
pub(super) fn words(body: &[u8], secret: Option<&str>) -> String {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else { return String::new() };
    let said = problem.detail.or(problem.title).map(|text| words::line_without(&text, secret, MAX_WORDS));
    let said = said.or_else(|| Some(problem.error?.words(secret))).filter(|said| !said.is_empty());
    said.map(|said| format!(": {said}")).unwrap_or_default()
}

/// An answer that is not what it should be.
pub(super) fn malformed(why: &str) -> WorkError {
    WorkError::permanent("answer-malformed", format!("the service's answer can't be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(body: &str, secret: Option<&str>) -> WorkError {
        read::<Report>(body.as_bytes(), None).expect("a report").error.unwrap_or_default().into_error(secret)
    }

    #[test]
    fn what_a_service_gave_up_says_whether_to_try_again() {
        let error = failed(r#"{"status":"failed","error":{"code":"x","detail":"a\nb Zm9v"}}"#, Some("Basic Zm9v"));
        assert_eq!(error, WorkError::permanent("operation-failed", "x: a b ****"));
        let error = failed(r#"{"status":"failed","error":{"detail":"busy","transient":true}}"#, None);
        assert_eq!(error, WorkError::Transient("busy".into()));
        let error = failed(r#"{"status":"failed","error":{"code":"credential-ended"}}"#, None);
        assert_eq!(error, WorkError::CredentialEnded);
        assert_eq!(
            failed(r#"{"status":"failed"}"#, None),
            WorkError::permanent("operation-failed", "the service gave no reason")
        );
    }

    #[test]
    fn what_is_no_report_is_not_taken_for_one() {
        for body in ["", "{}", "[]", r#"{"status":"done"}"#, r#"{"status":"queued","progress":{"done":-1}}"#] {
            assert!(read::<Report>(body.as_bytes(), None).is_err(), "{body}");
        }
        assert!(read::<Direct>(b"{}", None).is_err());
    }
    #[test]
    fn what_is_no_report_does_not_tell_the_credential() {
        for body in [r#"{"status":"Zm9v"}"#, r#"{"status":"queued","progress":"Basic Zm9v"}"#] {
            let error = read::<Report>(body.as_bytes(), Some("Basic Zm9v")).expect_err("no report").to_string();
            assert!(!error.contains("Zm9v") && error.contains("****"), "{error}");
        }
    }
}
