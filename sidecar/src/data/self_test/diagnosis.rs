//! What an answer says about what is wrong, in words that name what to change.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap};
use taskgate_core::time::UnixTime;

use crate::data::self_test::report::Outcome;
use crate::data::store::StoreError;
use crate::data::store::refusal::{Refusal, code as code_of};
use crate::http::Answer;

/// How far apart the clocks may be before somebody should look.
const NOTED: Duration = Duration::from_secs(60);
/// How far apart they may be at all: S3 and Azure refuse what is older, or from the future.
const REFUSED: Duration = Duration::from_secs(15 * 60);

/// How far this machine's clock is from a store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skew {
    /// It is behind.
    Behind(Duration),
    /// It is ahead.
    Ahead(Duration),
}

/// What the sidecar itself was told.
pub(super) fn words(error: &StoreError) -> String {
    match error {
        StoreError::Denied(reason) | StoreError::Failed(reason) => reason.clone(),
        error => error.to_string(),
    }
}

/// Why a signed request was refused. Nothing but a code is taken from the answer, which may quote the URL.
pub(super) fn refusal(answer: &Answer, permission: &str) -> String {
    let status = answer.status;
    let code = code_of(&String::from_utf8_lossy(&answer.body)).map(ToOwned::to_owned);
    let reason = match code.as_deref().map(Refusal::of) {
        Some(Refusal::Permission) if !permission.is_empty() => format!("{permission} is needed"),
        Some(Refusal::Region) => match region(&answer.headers) {
            Some(region) => format!("the region is wrong: the bucket is in `{region}`"),
            None => Refusal::Region.to_string(),
        },
        Some(Refusal::Other | Refusal::Permission) | None => match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
                match region(&answer.headers) {
                    Some(region) => format!("the region or the endpoint is wrong: the bucket is in `{region}`"),
                    None => "the region or the endpoint is wrong: it sends clients elsewhere".to_owned(),
                }
            }
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED if code.is_none() && !permission.is_empty() => {
                format!("{permission} is needed")
            }
            _ => "it does not do it".to_owned(),
        },
        Some(known) => known.to_string(),
    };
    match code {
        Some(code) => format!("{reason} ({} {code})", status.as_u16()),
        None => format!("{reason} ({})", status.as_u16()),
    }
}

/// How far apart the clocks are, where the answer tells the time.
pub(super) fn skew(answer: &Answer, now: UnixTime) -> Option<Skew> {
    let date = httpdate::parse_http_date(answer.headers.get(DATE)?.to_str().ok()?).ok()?;
    let theirs = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    let ours = Duration::from_millis(now.as_millis());
    Some(if ours >= theirs {
        Skew::Ahead(ours.saturating_sub(theirs))
    } else {
        Skew::Behind(theirs.saturating_sub(ours))
    })
}

impl Skew {
    /// What that means.
    pub(super) fn outcome(self) -> Outcome {
        let (apart, text) = match self {
            Self::Behind(apart) => (apart, "behind"),
            Self::Ahead(apart) => (apart, "ahead of"),
        };
        let secs = apart.as_secs();
        let text = format!("this machine's clock is {secs} s {text} the store's: set it, or signed URLs are refused");
        match apart {
            apart if apart < NOTED => Outcome::Passed,
            apart if apart < REFUSED => Outcome::Warned(text),
            _ => Outcome::Failed(text),
        }
    }
}

/// The region that S3 says a bucket is in.
fn region(headers: &HeaderMap) -> Option<&str> {
    let region = headers.get("x-amz-bucket-region")?.to_str().ok()?;
    let is_name =
        (1..=32).contains(&region.len()) && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_name.then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_refusal_says_what_to_change() {
        let xml = |code: &str| {
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>m?X-Amz-Signature=s</Message></Error>")
        };
        for (status, body, expected) in [
            (403, xml("AccessDenied"), "s3:PutObject is needed (403 AccessDenied)"),
            (
                403,
                xml("AuthorizationPermissionMismatch"),
                "s3:PutObject is needed (403 AuthorizationPermissionMismatch)",
            ),
            (403, String::new(), "s3:PutObject is needed (403)"),
            (
                403,
                xml("SignatureDoesNotMatch"),
                "the signature is not accepted: the key's secret is wrong, or the clock, or something on the way changes the host or the path (403 SignatureDoesNotMatch)",
            ),
            (
                400,
                xml("AuthorizationQueryParametersError"),
                "the region is wrong, or the endpoint is that of another one (400 AuthorizationQueryParametersError)",
            ),
            (
                403,
                xml("RequestTimeTooSkewed"),
                "this machine's clock and the store's are too far apart (403 RequestTimeTooSkewed)",
            ),
            (404, xml("NoSuchBucket"), "there is no such bucket or container (404 NoSuchBucket)"),
            (301, String::new(), "the region or the endpoint is wrong: it sends clients elsewhere (301)"),
            (418, "<Code>a b</Code>".to_owned(), "it does not do it (418)"),
            (507, r#"{"code":"no-room"}"#.to_owned(), "it does not do it (507 no-room)"),
        ] {
            let text = refusal(&answer(status, &body), "s3:PutObject");
            assert_eq!(text, expected);
        }
        let mut elsewhere = answer(400, &xml("AuthorizationHeaderMalformed"));
        elsewhere.headers.insert("x-amz-bucket-region", "eu-west-1".parse().expect("a value"));
        let text = refusal(&elsewhere, "s3:PutObject");
        assert_eq!(text, "the region is wrong: the bucket is in `eu-west-1` (400 AuthorizationHeaderMalformed)");
    }

    #[test]
    fn clocks_that_are_apart_are_noticed() {
        let mut told = answer(200, "");
        assert_eq!(skew(&told, UnixTime::from_millis(0)), None);
        told.headers.insert(DATE, "Thu, 01 Jan 1970 01:00:00 GMT".parse().expect("a value"));
        let at = |secs: u64| skew(&told, UnixTime::from_millis(secs * 1000)).expect("a date");
        assert_eq!(at(3_600).outcome(), Outcome::Passed);
        assert_eq!(at(3_541).outcome(), Outcome::Passed);
        assert!(matches!(at(3_700).outcome(), Outcome::Warned(text) if text.contains("100 s ahead of")));
        assert!(matches!(at(0).outcome(), Outcome::Failed(text) if text.contains("3600 s behind")));
    }
}
