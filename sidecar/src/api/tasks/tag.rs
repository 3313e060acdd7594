//! `ETag` and `If-None-Match`: which version of a task an answer shows, and whether a client has it already.

use axum::http::{HeaderMap, header};

use crate::tasks::row::Task;

/// The tag of what is shown of a task: the same for all who may see it.
pub(super) fn of(task: &Task) -> String {
    format!("\"{}\"", task.version)
}

/// Whether the client has what this tag stands for (RFC 9110, weak comparison).
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    // No tag of ours has a comma in it, so a comma ends any that could be one.
    lines.flat_map(|line| line.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_tag_is_known_where_it_is_listed() {
        let is_known = |line: &'static str| {
            is_known(&HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(line))]), "\"7\"")
        };
        for line in ["\"7\"", "W/\"7\"", "*", "\"1\", W/\"7\""] {
            assert!(is_known(line), "{line}");
        }
        for line in ["", "7", "\"77\"", "\"1\",\"2\"", "w/\"7\""] {
            assert!(!is_known(line), "{line}");
        }
    }
}
