//! `Prefer` (RFC 7240): whether a client wants to be answered at once, and how long it likes to wait.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};

/// The request's header.
pub(super) const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The answer's header.
pub(super) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// The longest that anybody may wait. Clients and proxies give up on an answer sooner or later.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What a client prefers. What is not known or makes no sense is passed over, as the RFC has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Preferences {
    /// It wants 202 where the task is not over.
    pub(super) is_async: bool,
    /// It waits that long; [`LONGEST_WAIT`] at most.
    pub(super) wait: Option<Duration>,
}

impl Preferences {
    /// What the headers say. Of a preference that stands there twice the first counts.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut preferences = Self::default();
        let lines = headers.get_all(PREFER).iter().filter_map(|line| line.to_str().ok());
        for preference in lines.flat_map(|line| line.split(',')) {
            let preference = preference.split(';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            if name.eq_ignore_ascii_case("respond-async") && value.is_empty() {
                preferences.is_async = true;
            } else if name.eq_ignore_ascii_case("wait") && preferences.wait.is_none() {
                preferences.wait = seconds(value);
            }
        }
        preferences
    }

    /// How `Preference-Applied` names what was done; none where nothing was.
    pub(super) fn applied(is_async: bool, wait: Option<Duration>) -> Option<String> {
        let is_async = is_async.then(|| "respond-async".to_owned());
        let wait = wait.map(|wait| format!("wait={}", wait.as_secs()));
        let applied: Vec<String> = is_async.into_iter().chain(wait).collect();
        (!applied.is_empty()).then(|| applied.join(", "))
    }
}

fn seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // What is too large for a number is longer than the longest.
    is_number.then(|| text.parse().map_or(LONGEST_WAIT, Duration::from_secs).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(lines: &[&str]) -> (bool, Option<u64>) {
        let lines = lines.iter().map(|line| (PREFER, HeaderValue::from_str(line).expect("a value")));
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(name, line);
        }
        let preferences = Preferences::of(&headers);
        (preferences.is_async, preferences.wait.map(|wait| wait.as_secs()))
    }

    #[test]
    fn preferences_are_read_as_the_rfc_has_them() {
        for (lines, expected) in [
            (&["respond-async"][..], (true, None)),
            (&["respond-async, wait=10"], (true, Some(10))),
            (&["Wait=\"5\"; x=y", "Respond-Async;a"], (true, Some(5))),
            (&["wait=5, wait=7"], (false, Some(5))),
            (&["wait=0"], (false, Some(0))),
            (&["wait=86400"], (false, Some(60))),
            (&["wait=99999999999999999999999999"], (false, Some(60))),
            (&["wait=-1, wait=+1, wait=1.5, wait"], (false, None)),
            (&["respond-async=no", "handling=lenient,,;"], (false, None)),
            (&[], (false, None)),
        ] {
            assert_eq!(of(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_was_applied_is_said() {
        let wait = Some(Duration::from_secs(3));
        assert_eq!(Preferences::applied(true, wait).as_deref(), Some("respond-async, wait=3"));
        assert_eq!(Preferences::applied(false, wait).as_deref(), Some("wait=3"));
        assert_eq!(Preferences::applied(false, None), None);
    }
}
