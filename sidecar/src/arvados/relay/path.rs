//! Paths of requests through the controller.
//!
//! The controller looks at the host's name first, to know whether a request is for a container. If it does not take
//! the name for a container's, the same request is one to its own API.

use percent_encoding::percent_decode_str;

use crate::arvados::token::{TOKEN_NAME, Token};

/// First parts of paths that the controller answers itself, on every host.
const ALWAYS: [&str; 4] = ["_health", "_inspect", "metrics", "metrics.json"];
/// First parts of paths of the controller's API, and of its pages for signing in.
const API: [&str; 5] = ["arvados", "auth", "discovery", "login", "logout"];

/// Whether a path is the controller's own on every host: no job can get it.
#[must_use]
pub fn is_controllers(path_and_query: &str) -> bool {
    begins_with(path_and_query, &ALWAYS)
}

/// Whether a path would be one of the controller's API, if it took the host for its own.
#[must_use]
pub fn is_of_api(path_and_query: &str) -> bool {
    begins_with(path_and_query, &API)
}

fn begins_with(path_and_query: &str, firsts: &[&str]) -> bool {
    let path = path_and_query.split('?').next().unwrap_or_default();
    // The controller decodes before it looks.
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let first = decoded.split('/').find(|part| !part.is_empty()).unwrap_or_default();
    firsts.iter().any(|ours| first.eq_ignore_ascii_case(ours))
}

/// A path and query without tokens, and the token. A query is left byte by byte as it came, but for those.
#[must_use]
pub fn without_token(path_and_query: &str) -> (String, Option<Token>) {
    let Some((path, query)) = path_and_query.split_once('?') else { return (path_and_query.to_owned(), None) };
    let mut token = None;
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = percent_decode_str(name).decode_utf8_lossy();
            let is_arvados = name == TOKEN_NAME;
            if !is_arvados && name != "api_token" {
                return true;
            }
            let value = percent_decode_str(value).decode_utf8().ok();
            // A program may have an `api_token` of its own.
            let shown = value.and_then(|value| Token::parse_v2(&value));
            let is_kept = shown.is_none() && !is_arvados;
            if token.is_none() {
                token = shown;
            }
            is_kept
        })
        .collect();
    let path = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    (path, token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_taken_out_of_queries_and_nothing_else_changes() {
        let v2 = "v2%2Fzzzzz-gj3su-000000000000001%2Fabc";
        for (asked, expected, has_token) in [
            ("/a?x=1&y&z=%20+", "/a?x=1&y&z=%20+", false),
            (&format!("/a?x=1&api_token={v2}&y"), "/a?x=1&y", true),
            (&format!("/a?arvados_api_token={v2}"), "/a", true),
            (&format!("/a?arvados%5Fapi_token={v2}&x"), "/a?x", true),
            ("/a?api_token=jobs-own", "/a?api_token=jobs-own", false),
            ("/a?api_token", "/a?api_token", false),
            ("/a?arvados_api_token=bad", "/a", false),
            ("/a", "/a", false),
        ] {
            let (path, token) = without_token(asked);
            assert_eq!((path.as_str(), token.is_some()), (expected, has_token), "{asked}");
        }
    }

    #[test]
    fn the_controllers_own_paths_are_known_however_they_are_written() {
        for path in ["/metrics", "/metrics.json?x", "/_health/ping", "/_inspect/requests", "/%6detrics", "//metrics"] {
            assert!(is_controllers(path), "{path}");
        }
        for path in
            ["/arvados/v1/users", "/%61rvados/v1", "/arvados%2Fv1", "/discovery/v1", "/login?x", "/auth", "//logout"]
        {
            assert!(is_of_api(path) && !is_controllers(path), "{path}");
        }
        for path in ["/", "", "/a/metrics", "/metricsx", "/authors", "/?x=/login", "/logins"] {
            assert!(!is_of_api(path) && !is_controllers(path), "{path}");
        }
    }
}
