//! Tasks from when they are asked for to their end.

use std::time::{Duration, Instant};

use serde_json::Value;
use taskgate_test_kit::{Hsds, HsdsUser};

use crate::tasks::cli::program::{Program, sidecar};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Waits for a file.
pub(super) async fn left(program: &Program, name: &str) {
    let began = Instant::now();
    while !program.path(name).exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "no `{name}`");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_asked_for_and_looked_at() {
    let hsds = Hsds::start().await.expect("HSDS starts");
    let (sidecar, program) = sidecar(&hsds, &[("broken", "echo 'no such \u{7} luck' >&2; exit 3")]).await;
    let user = HsdsUser::One;

    let outcome = program.run(user, &["submit", "noop", "--args", "{\"steps\": 2}", "--watch"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(outcome.output.lines().last(), Some("{\"steps\":2}"));
    let first = outcome.errors.trim_end().strip_prefix("task ").expect("an id").to_owned();

    // Tasks of one millisecond are in no order.
    sidecar.clock.advance(Duration::from_millis(1));
    let second = program.well(user, &["submit", "broken", "--idempotency-key", "a key"]).await;
    let outcome = program.run(user, &["watch", &second]).await;
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    assert!(outcome.errors.contains("the task failed: command-failed: no such luck"), "{}", outcome.errors);
    assert_eq!(program.well(user, &["submit", "broken", "--idempotency-key", "a key"]).await, second);

    let table = program.well(user, &["list"]).await;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("TASK ") && lines.len() == 3, "{table}");
    assert!(lines[1].starts_with(&second) && lines[1].contains("failed") && lines[1].contains("broken"), "{table}");
    assert!(lines[2].starts_with(&first) && lines[2].contains("100 %  2 of 2"), "{table}");
    let listed = |text: &str| {
        let tasks = json(text)["tasks"].as_array().expect("tasks").clone();
        tasks.iter().map(|task| task["taskid"].as_str().expect("an id").to_owned()).collect::<Vec<String>>()
    };
    assert_eq!(listed(&program.well(user, &["list", "--json", "--limit", "1"]).await), std::slice::from_ref(&second));
    assert_eq!(
        listed(&program.well(user, &["list", "--json", "--status", "complete"]).await),
        std::slice::from_ref(&first)
    );
    assert_eq!(listed(&program.well(HsdsUser::Two, &["list", "--json"]).await), Vec::<String>::new());
    let all = program.well(HsdsUser::Admin, &["list", "--json", "--owner", user.name()]).await;
    assert_eq!(listed(&all), [second.clone(), first.clone()]);

    let sheet = program.well(user, &["show", &first]).await;
    assert!(sheet.contains("status       complete") && sheet.contains("result       {\"steps\":2}"), "{sheet}");
    assert_eq!(json(&program.well(user, &["show", &first, "--json"]).await)["result"]["steps"], 2);
    let watched = program.well(user, &["watch", &first, "--json"]).await;
    assert_eq!(json(&watched)["status"], "complete");

    for (words, code, expected) in [
        (&["show", "nonsense"][..], 1, "not the id of a task"),
        (&["submit", "no-such-operation"], 1, "answered 400"),
        (&["submit", "noop", "--args", "[]"], 1, "--args"),
        (&["submit", "noop", "--src", "/a.h5"], 1, "DOMAIN:OBJECT"),
        (&["list", "--owner", "admin"], 1, "answered 403"),
        (&["submit"], 2, "Usage"),
    ] {
        let outcome = program.run(user, words).await;
        assert!(outcome.code == Some(code) && outcome.errors.contains(expected), "{words:?}: {outcome:?}");
    }
    let outcome = program.run(HsdsUser::Two, &["show", &first]).await;
    assert!(outcome.code == Some(1) && outcome.errors.contains("answered 404"), "{outcome:?}");
    let outcome = program.plain(&["list", "--user", user.name(), "--password-file", "wrong"]).await;
    assert!(outcome.code == Some(1) && outcome.errors.contains("answered 401"), "{outcome:?}");
    let outcome = program.plain(&["list", "--server", "http://127.0.0.1:1"]).await;
    assert!(outcome.code == Some(1) && outcome.errors.contains("can't reach the server"), "{outcome:?}");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_cancelled_with_its_program() {
    let hsds = Hsds::start().await.expect("HSDS starts");
    let script = "trap 'echo > $1/cleaned; exit 0' TERM; echo '{\"progress\": {\"done\": 1, \"total\": 2}}'; \
                  sleep 1000 & echo > $1/begun; wait";
    let (sidecar, program) = sidecar(&hsds, &[("long", script)]).await;
    let user = HsdsUser::One;
    let id = program.well(user, &["submit", "long"]).await;
    left(&program, "begun").await;
    let cancelling = async {
        let asked = Instant::now();
        let said = program.well(user, &["cancel", &id]).await;
        assert_eq!(said, format!("{id} cancelled"));
        left(&program, "cleaned").await;
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    };
    let words = ["watch", id.as_str()];
    let (watched, ()) = tokio::join!(program.run(user, &words), cancelling);
    assert_eq!(watched.code, Some(5), "{watched:?}");
    assert!(watched.errors.contains("was deleted"), "{watched:?}");
    assert_eq!(program.well(user, &["cancel", &id]).await, format!("{id} was cancelled before"));
    assert_eq!(program.run(user, &["show", &id]).await.code, Some(5));
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_task_goes_on() {
    let hsds = Hsds::start().await.expect("HSDS starts");
    let script = "test -e $1/once && echo '{\"result\": \"again\"}' && exit 0; \
                  echo '{\"checkpoint\": 1}'; echo > $1/once; exit 77";
    let (sidecar, program) = sidecar(&hsds, &[("forgetful", script)]).await;
    let user = HsdsUser::One;
    std::fs::write(program.path("request.json"), "{\"operation\": \"forgetful\"}").expect("writes");
    let outcome = program.run(user, &["submit", "--request", "request.json", "--watch"]).await;
    assert!(outcome.code == Some(4) && outcome.errors.contains("taskgate tasks resume"), "{outcome:?}");
    let id = outcome.errors.lines().find_map(|line| line.strip_prefix("task ")).expect("an id").to_owned();
    assert!(program.well(user, &["resume", &id]).await.contains(&id));
    let outcome = program.run(user, &["watch", &id]).await;
    assert_eq!((outcome.code, outcome.output.lines().last()), (Some(0), Some("\"again\"")), "{outcome:?}");
    let outcome = program.run(user, &["resume", &id]).await;
    assert!(outcome.code == Some(1) && outcome.errors.contains("answered 409"), "{outcome:?}");
    sidecar.end().await;
}
