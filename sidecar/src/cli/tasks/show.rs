//! All about a task, for people.

use std::fmt::Write as _;

use crate::api::tasks::form::{ErrorForm, TaskForm};
use crate::cli::tasks::bar;
use crate::tasks::operations::words;

/// The most characters of a line.
const MAX_LINE: usize = 4_000;

/// A task, a line a thing.
pub(super) fn sheet(task: &TaskForm) -> String {
    let mut lines = vec![
        ("task", task.taskid.to_string()),
        ("status", task.status.to_string()),
        ("operation", task.operation.clone()),
        ("owner", task.owner.clone()),
    ];
    lines.extend(task.src.iter().map(|location| ("source", with_selection(location))));
    lines.extend(task.des.iter().map(|location| ("destination", with_selection(location))));
    if let Some(arguments) = task.args.as_ref().filter(|arguments| !arguments.is_empty()) {
        lines.push(("arguments", serde_json::to_string(arguments).unwrap_or_default()));
    }
    let progress = bar::progress(&task.progress).trim_start().to_owned();
    if !progress.is_empty() {
        lines.push(("progress", progress));
    }
    lines.push(("attempts", format!("{} of {}", task.attempts, task.max_attempts)));
    let times = [
        ("created", Some(&task.created)),
        ("started", task.started.as_ref()),
        ("updated", Some(&task.updated)),
        ("finished", task.finished.as_ref()),
        ("deadline", task.deadline.as_ref()),
        ("credential", task.credential_expires.as_ref()),
    ];
    lines.extend(times.into_iter().filter_map(|(name, time)| Some((name, time?.clone()))));
    lines.extend(task.error.as_ref().map(|error| ("error", said(error))));
    lines.extend(task.last_error.as_ref().map(|error| ("last error", said(error))));
    if let Some(result) = &task.result {
        lines.push(("result", serde_json::to_string(result).unwrap_or_default()));
    }
    let mut text = String::new();
    for (name, value) in lines {
        // Writing to a text can't fail.
        let _ = writeln!(text, "{name:<11}  {}", words::line(&value, MAX_LINE));
    }
    text
}

/// What went wrong, in a line.
pub(super) fn said(error: &ErrorForm) -> String {
    words::line(&format!("{}: {}", error.code, error.detail), MAX_LINE)
}

fn with_selection(location: &crate::tasks::request::Location) -> String {
    format!("{location}{}", location.select.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sheet_has_what_there_is() {
        let task: TaskForm = serde_json::from_value(json!({
            "taskid": "0190a5b0-0000-7000-8000-000000000001", "href": "/tasks/x", "status": "failed",
            "operation": "copy", "owner": "alice\u{1b}[2J", "created": "2026-01-01T00:00:00Z",
            "updated": "2026-01-01T00:00:09Z", "attempts": 2, "max_attempts": 5,
            "progress": {"done": 1, "total": 4, "unit": "objects"},
            "src": [{"domain": "/home/a.h5", "h5path": "/x", "select": "[0:2]"}], "des": [],
            "args": {"shallow": true}, "error": {"code": "forbidden", "detail": "no\nmore"}, "later": 1,
        }))
        .expect("a task");
        let expected = "\
task         0190a5b0-0000-7000-8000-000000000001
status       failed
operation    copy
owner        alice [2J
source       /home/a.h5 /x[0:2]
arguments    {\"shallow\":true}
progress     25 %  1 of 4 objects
attempts     2 of 5
created      2026-01-01T00:00:00Z
updated      2026-01-01T00:00:09Z
error        forbidden: no more
";
        assert_eq!(sheet(&task), expected);
    }
}
