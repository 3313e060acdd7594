//! Servers that are down, slow or confused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde_json::{Value, json};

use crate::kit::serve;
use crate::tasks::cli::program::{Outcome, Program};

const ID: &str = "0190a5b0-0000-7000-8000-000000000001";

fn task(status: &str, done: u64) -> Value {
    json!({
        "taskid": ID, "href": format!("/tasks/{ID}"), "status": status, "operation": "odd\u{1b}[2J\u{9b}name",
        "owner": "al\nice\u{202e}", "created": "2026-01-01T00:00:00Z", "updated": "2026-01-01T00:00:00Z",
        "attempts": 1, "max_attempts": 5, "progress": {"done": done, "total": 4, "unit": "steps"},
        "src": [], "des": [], "later": {"not": "known"},
    })
}

/// Whether a terminal would do anything but print it.
fn is_tame(text: &str) -> bool {
    text.chars().all(|letter| letter == '\n' || !(letter.is_control() || letter == '\u{202e}'))
}

async fn run(router: Router, words: &[&str]) -> Outcome {
    Program::new(&serve(router).await).plain(words).await
}

#[tokio::test]
async fn what_a_server_says_does_nothing_to_a_terminal() {
    let answer = async |uri: Uri| {
        let mut task = task("failed", 1);
        task["error"] = json!({"code": "x\u{7}", "detail": "y\r\u{1b}]0;title\u{7}"});
        if uri.path() == "/tasks" { json!({"tasks": [task]}).to_string() } else { task.to_string() }
    };
    let router = || Router::new().fallback(answer);
    for (words, code) in [(&["list"][..], 0), (&["show", ID], 0), (&["watch", ID], 3)] {
        let outcome = run(router(), words).await;
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert!(is_tame(&outcome.output) && is_tame(&outcome.errors), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_an_error() {
    let endless = async || {
        let chunk = vec![b' '; 64 << 10];
        let stream = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
        axum::body::Body::from_stream(stream).into_response()
    };
    let routers = [
        Router::new().fallback(async || "<html>"),
        Router::new().fallback(async || "{}"),
        Router::new().fallback(async || Redirect::temporary("/elsewhere")),
        Router::new().fallback(async || (StatusCode::FORBIDDEN, "\u{1b}[2J")),
        Router::new().fallback(endless),
    ];
    for router in routers {
        for words in [&["list"][..], &["show", ID], &["watch", ID], &["submit", "noop"]] {
            let outcome = run(router.clone(), words).await;
            assert!(outcome.code == Some(1) && outcome.output.is_empty(), "{words:?}: {outcome:?}");
            assert!(outcome.errors.starts_with("taskgate: ") && is_tame(&outcome.errors), "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_watched_task_outlives_what_passes() {
    let turn = Arc::new(AtomicUsize::new(0));
    let answer = async |State(turn): State<Arc<AtomicUsize>>, headers: HeaderMap| -> Response {
        let known = headers.get("if-none-match").map(|tag| tag.to_str().expect("text").to_owned());
        let tagged = |task: Value, tag: &'static str| ([("etag", tag)], task.to_string()).into_response();
        match (turn.fetch_add(1, Ordering::SeqCst), known.as_deref()) {
            (0, None) => tagged(task("queued", 0), "\"1\""),
            (1 | 2, Some("\"1\"")) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            (3, Some("\"1\"")) if headers["prefer"] == "wait=30" => StatusCode::NOT_MODIFIED.into_response(),
            (4, Some("\"1\"")) => tagged(task("in progress", 1), "\"2\""),
            (5, Some("\"2\"")) => tagged(task("in progress", 1), "\"3\""),
            (6, Some("\"3\"")) => tagged(task("complete", 4), "\"4\""),
            (turn, known) => panic!("question {turn} knows {known:?}"),
        }
    };
    let router = Router::new().fallback(answer).with_state(Arc::clone(&turn));
    let outcome = run(router, &["watch", ID]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let expected = "queued    0 %  0 of 4\nin progress   25 %  1 of 4\ncomplete  100 %  4 of 4\n";
    assert_eq!(outcome.output, expected);
    assert_eq!(turn.load(Ordering::SeqCst), 7);
}

#[tokio::test]
async fn pages_are_of_the_server_that_was_asked() {
    let answer = async |uri: Uri| {
        let next = match uri.query() {
            Some("limit=100") => json!("http://127.0.0.1:1/tasks?limit=100&after=x"),
            Some("limit=100&after=x") => Value::Null,
            other => panic!("{other:?}"),
        };
        json!({"tasks": [task("queued", 0)], "next": next}).to_string()
    };
    let router = Router::new().nest("/below", Router::new().fallback(answer));
    let program = Program::new(&format!("{}/below/", serve(router).await));
    let outcome = program.plain(&["list", "--limit", "200", "--json"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let list: Value = serde_json::from_str(&outcome.output).expect("JSON");
    assert_eq!(list["tasks"].as_array().expect("tasks").len(), 2);
}
