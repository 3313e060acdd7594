//! `taskgate upload`.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::Value;

use super::faults::{Cut, Fault, Meanwhile};
use super::stage::{Stage, bytes};

const OBJECTS: &str = "/v1/data/objects/";
const UPLOADS: &str = "/v1/data/uploads";

#[tokio::test]
async fn files_come_to_their_project() {
    let stage = Stage::start().await;
    let names = ["a b.txt", "q?x=1#frag", "100%25.txt", "ü 日本 👩‍🔬.bin", "empty"];
    let large = bytes(3_000_001);
    for name in names {
        stage.write(name, if name == "empty" { b"".as_slice() } else { &large });
    }
    let output = stage.upload(&names).await.well();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.len(), names.len());
    for (line, name) in lines.iter().zip(names) {
        assert!(line.starts_with("taskgate://main/uploads/p/d/") && line.ends_with(&format!("=/{name}")), "{line}");
        assert_eq!(stage.object(line).await, Some(stage.read(name)), "{name}");
    }
    // The same again is the same.
    assert_eq!(stage.upload(&names).await.well(), output);

    let line = stage.upload(&["--json", "--root", "v1/x", "a b.txt"]).await.well();
    let line: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(line["native_url"], "taskgate://main/uploads/p/d/v1/x/a b.txt");
    assert_eq!((line["file"].as_str(), line["size"].as_u64()), (Some("a b.txt"), Some(3_000_001)));
    assert_eq!(line["content_md5"].as_str().map(str::len), Some(24));
    assert_eq!(stage.upload(&["--root", "v1/x", "a b.txt"]).await.well(), line["native_url"]);
}

#[tokio::test]
async fn each_file_has_its_own_outcome() {
    let stage = Stage::start().await;
    stage.write("good", "good");
    stage.write("also", "also good");
    std::fs::create_dir(stage.path("folder")).expect("makes");
    let outcome = stage.upload(&["good", "folder", "missing", "also"]).await;
    assert_eq!((outcome.code, outcome.output.lines().count()), (Some(1), 2), "{outcome:?}");
    let errors: Vec<&str> = outcome.errors.lines().collect();
    assert_eq!(errors.len(), 2, "{outcome:?}");
    assert_eq!(errors[0], "taskgate: folder: is a folder: name the files in it");
    assert!(errors[1].starts_with("taskgate: missing: can't be read: "), "{outcome:?}");

    let outcome = stage.upload(&["--json", "folder", "good"]).await;
    assert_eq!(outcome.code, Some(1));
    let lines: Vec<Value> = outcome.output.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&lines[0]["file"], lines[0].get("native_url")), (&"folder".into(), None));
    assert!(lines[0]["error"].is_string() && lines[1]["native_url"].is_string());
}

#[tokio::test]
async fn what_the_server_says_is_passed_on() {
    let stage = Stage::start().await;
    stage.write("a", "1");
    let upload = ["upload", "--project", "p", "--domain", "d", "a"];
    assert_eq!(
        stage.run("bob", &upload).await.badly(),
        "taskgate: a: the server answered 403: you may read from project \"p\", but not write to it"
    );
    assert_eq!(
        stage.run("eve", &upload).await.badly(),
        "taskgate: a: the server answered 404: project \"p\" not found"
    );
    assert!(stage.run("nobody", &upload).await.badly().contains("401"));
    assert!(stage.upload(&["--expires", "2h", "a"]).await.badly().contains("exceeds maximum"));
    assert!(stage.upload(&["--root", "../x", "a"]).await.badly().contains("no part `.` or `..`"));
    let outcome = stage.run("ann", &["upload", "--project", "p", "a"]).await;
    assert!(outcome.code == Some(2) && outcome.errors.contains("--domain"), "{outcome:?}");

    // A name that was chosen is taken once.
    stage.upload(&["--root", "v1", "a"]).await.well();
    stage.write("a", "2");
    let refused = stage.upload(&["--root", "v1", "a"]).await.badly();
    assert!(refused.contains("409") && refused.contains("different content"), "{refused}");
    assert_eq!(stage.object("taskgate://main/uploads/p/d/v1/a").await.as_deref(), Some(b"1".as_slice()));
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let stage = Stage::start().await;
    stage.write("a", bytes(2_000_000));
    for status in [408, 429, 500, 502, 503, 504] {
        let status = StatusCode::from_u16(status).expect("a status");
        stage.faults.plan(Method::PUT, OBJECTS, Fault::Answer(status, "busy"));
    }
    stage.faults.plan(Method::POST, UPLOADS, Fault::Answer(StatusCode::SERVICE_UNAVAILABLE, "{}"));
    let uri = stage.upload(&["a"]).await.well();
    assert_eq!(stage.object(&uri).await, Some(stage.read("a")));
    assert!(stage.faults.are_over());
    assert_eq!((stage.faults.count(&Method::PUT, OBJECTS), stage.faults.count(&Method::POST, UPLOADS)), (7, 2));

    // Not for ever, and what the store says is told.
    for _ in 0..9 {
        let body = "<Error><Code>SlowDown</Code><Message>less</Message></Error>";
        stage.faults.plan(Method::PUT, OBJECTS, Fault::Answer(StatusCode::SERVICE_UNAVAILABLE, body));
    }
    stage.write("b", "b");
    assert_eq!(stage.upload(&["b"]).await.badly(), "taskgate: b: the store answered 503: SlowDown: less");
    assert!(stage.faults.are_over());
    // What can't go well is not tried again.
    stage.faults.plan(Method::PUT, OBJECTS, Fault::Answer(StatusCode::FORBIDDEN, "<Error><Code>Nope</Code></Error>"));
    assert_eq!(stage.upload(&["b"]).await.badly(), "taskgate: b: the store answered 403: Nope");
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_again() {
    let stage = Stage::start().await;
    let content = bytes(5_000_000);
    stage.write("a", &content);
    stage.proxy.cut(&[Cut::Up(2_000_000), Cut::Up(100), Cut::Down(10)]);
    let uri = stage.upload(&["a"]).await.well();
    assert_eq!(stage.object(&uri).await, Some(content));
    assert!(stage.proxy.is_over());
}

#[tokio::test]
async fn an_answer_that_is_lost_is_no_failure() {
    let stage = Stage::start().await;
    stage.write("a", "create me once");
    // The store has it, and the client does not know: the second attempt finds something there.
    stage.proxy.cut(&[Cut::Down(0)]);
    let uri = stage.upload(&["--root", "once", "a"]).await.well();
    assert!(stage.proxy.is_over());
    assert_eq!(stage.object(&uri).await.as_deref(), Some(b"create me once".as_slice()));
    assert_eq!(stage.faults.count(&Method::PUT, OBJECTS), 2);
    assert_eq!(stage.faults.count(&Method::POST, "/v1/data/downloads"), 1);
}

#[tokio::test]
async fn something_else_that_came_meanwhile_stays() {
    let stage = Stage::start().await;
    stage.write("a", "mine");
    let meanwhile = Arc::new(Meanwhile::default());
    stage.faults.plan(Method::PUT, OBJECTS, Fault::Meanwhile(Arc::clone(&meanwhile)));
    // Signed while nothing was there; then another is faster.
    let theirs = meanwhile.act(stage.put("uploads/p/d/race/a", b"theirs"));
    let (outcome, ()) = tokio::join!(stage.upload(&["--root", "race", "a"]), theirs);
    let refused = outcome.badly();
    assert!(refused.contains("409") && refused.contains("different content"), "{refused}");
    assert_eq!(stage.object("taskgate://main/uploads/p/d/race/a").await.as_deref(), Some(b"theirs".as_slice()));
}

#[tokio::test]
async fn a_url_that_is_over_is_asked_for_again() {
    let stage = Stage::start().await;
    stage.write("a", "late");
    stage.faults.plan(Method::PUT, OBJECTS, Fault::Late(Duration::from_secs(7_200)));
    let uri = stage.upload(&["--expires", "15m", "a"]).await.well();
    assert_eq!(stage.object(&uri).await.as_deref(), Some(b"late".as_slice()));
    assert_eq!(stage.faults.count(&Method::POST, UPLOADS), 2);
}

#[tokio::test]
async fn a_file_that_is_changed_on_the_way_is_refused() {
    let stage = Stage::start().await;
    stage.write("a", bytes(1_000_000));
    let meanwhile = Arc::new(Meanwhile::default());
    stage.faults.plan(Method::PUT, OBJECTS, Fault::Meanwhile(Arc::clone(&meanwhile)));
    let change = meanwhile.act(async { stage.write("a", "another") });
    let (outcome, ()) = tokio::join!(stage.upload(&["a"]), change);
    assert_eq!(outcome.badly(), "taskgate: a: it was changed while it was sent: upload it again");
    assert_eq!(stage.faults.count(&Method::PUT, OBJECTS), 1);
}

#[tokio::test]
async fn no_argument_has_a_secret() {
    let stage = Stage::start().await;
    let help = stage.run("ann", &["upload", "--help"]).await.well();
    assert!(help.contains("--token-file") && !help.contains("--token "), "{help}");
    let outcome = stage.run("ann", &["upload", "--project", "p", "--domain", "d", "--server", "ftp://x", "a"]).await;
    assert!(outcome.badly().contains("--server"));
}
