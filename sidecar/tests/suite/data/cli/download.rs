//! `taskgate download`.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::Value;

use super::faults::{Cut, Fault};
use super::stage::{Stage, bytes};

const OBJECTS: &str = "/v1/data/objects/";

#[tokio::test]
async fn what_was_uploaded_comes_back() {
    let stage = Stage::start().await;
    let names = ["a b.txt", "q?x=1#frag", "100%25.txt", "ü 日本 👩‍🔬.bin", "empty"];
    std::fs::create_dir(stage.path("into")).expect("makes");
    for name in names {
        stage.write(name, if name == "empty" { Vec::new() } else { bytes(1_000_003) });
        let uri = stage.upload(&[name]).await.well();
        let path = stage.download(&[&uri, "--output", "into"]).await.well();
        assert_eq!(path, format!("into/{name}"));
        assert_eq!(stage.read(&format!("into/{name}")), stage.read(name), "{name}");
    }
    assert_eq!(std::fs::read_dir(stage.path("into")).expect("lists").count(), names.len(), "no part is left");

    let uri = stage.upload(&["a b.txt"]).await.well();
    let line = stage.download(&[&uri, "--json", "-o", "other"]).await.well();
    let line: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((line["file"].as_str(), line["size"].as_u64()), (Some("other"), Some(1_000_003)));
    assert_eq!(line["checked"], serde_json::json!(["md5", "sha-256"]));
}

#[tokio::test]
async fn a_file_that_is_there_is_not_replaced() {
    let stage = Stage::start().await;
    stage.write("a", "new");
    let uri = stage.upload(&["a"]).await.well();
    stage.write("a", "old");
    let refused = stage.download(&[&uri]).await.badly();
    assert!(refused.contains("`a` is there already") && refused.contains("--force"), "{refused}");
    assert_eq!(stage.read("a"), b"old");
    stage.download(&[&uri, "--force"]).await.well();
    assert_eq!(stage.read("a"), b"new");
}

#[tokio::test]
async fn names_from_elsewhere_stay_in_the_folder() {
    let stage = Stage::start().await;
    for (name, expected) in [(".bashrc", "_bashrc"), ("-rf", "_rf"), ("...", "_..")] {
        stage.put(Box::leak(format!("uploads/p/d/x/{name}").into_boxed_str()), b"tame").await;
        let path = stage.download(&[&format!("taskgate://main/uploads/p/d/x/{name}")]).await.well();
        assert_eq!(path, expected);
        assert_eq!(stage.read(expected), b"tame");
    }
}

#[tokio::test]
async fn what_is_not_yours_is_not_there() {
    let stage = Stage::start().await;
    stage.write("a", "secret");
    let uri = stage.upload(&["a"]).await.well();
    stage.put("elsewhere/p/d/x", b"secret").await;
    let missing = "taskgate: the server answered 404: there is no such object, or none that you may read";
    assert_eq!(stage.run("eve", &["download", &uri, "-o", "b"]).await.badly(), missing);
    for other in [format!("{uri}x"), "taskgate://main/elsewhere/p/d/x".into(), "s3://data/uploads/p/d/a".into()] {
        assert_eq!(stage.download(&[&other, "-o", "b"]).await.badly(), missing);
    }
    assert!(stage.run("nobody", &["download", &uri, "-o", "b"]).await.badly().contains("401"));
    assert!(!stage.path("b").exists() && !stage.path("b.part").exists());
}

#[tokio::test]
async fn what_a_run_left_behind_is_got() {
    let stage = Stage::start().await;
    stage.put("r1/a0/2.html", b"<html>").await;
    let words = ["--run", "r1", "--action", "a0", "--attempt", "2", "--project", "p", "--domain", "d"];
    assert_eq!(stage.download(&words).await.well(), "2.html");
    assert_eq!(stage.read("2.html"), b"<html>");
    let code = [words.as_slice(), &["--artifact", "code-bundle"]].concat();
    assert!(stage.download(&code).await.badly().contains("404"));
    for words in [&["--run", "r1"][..], &["s3://a/b", "--attempt", "2"], &["s3://a/b", "--run", "r1"], &[]] {
        let outcome = stage.download(words).await;
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_goes_on_where_it_was() {
    let stage = Stage::start().await;
    let content = bytes(4_000_000);
    stage.write("a", &content);
    let uri = stage.upload(&["a"]).await.well();
    let before = stage.proxy.connections.load(std::sync::atomic::Ordering::SeqCst);
    // None of them could bring it whole.
    stage.proxy.cut(&[[Cut::Down(1_500_000), Cut::Down(0)].as_slice(), &[Cut::Down(1_500_000); 20]].concat());
    stage.faults.plan(Method::GET, OBJECTS, Fault::Answer(StatusCode::SERVICE_UNAVAILABLE, ""));
    stage.download(&[&uri, "-o", "b"]).await.well();
    assert_eq!(stage.read("b"), content);
    assert!(stage.faults.are_over());
    assert!(stage.proxy.connections.load(std::sync::atomic::Ordering::SeqCst) - before <= 5);
}

#[tokio::test]
async fn another_run_goes_on_with_the_part() {
    let stage = Stage::start().await;
    let content = bytes(3_000_000);
    stage.write("a", &content);
    let uri = stage.upload(&["a"]).await.well();
    stage.write("b.part", &content[..2_000_000]);
    stage.proxy.cut(&[Cut::Down(1_100_000)]);
    stage.download(&[&uri, "-o", "b"]).await.well();
    assert_eq!(stage.read("b"), content);
    assert!(stage.proxy.is_over());
    // It was enough for the rest, and would not have been for the whole.
    assert_eq!(stage.faults.count(&Method::GET, OBJECTS), 1);
    // Parts of something else, too long, and whole.
    for part in [bytes(10).as_slice(), &[0; 3_000_001], &content, &content[1..]] {
        stage.write("c.part", part);
        stage.download(&[&uri, "-o", "c", "--force"]).await.well();
        assert_eq!(stage.read("c"), content);
        assert!(!stage.path("c.part").exists());
    }
}

#[tokio::test]
async fn other_bytes_than_were_promised_are_not_kept() {
    let stage = Stage::start().await;
    stage.write("a", bytes(100_000));
    let uri = stage.upload(&["a"]).await.well();
    stage.faults.plan(Method::GET, OBJECTS, Fault::Bend);
    let refused = stage.download(&[&uri, "-o", "b"]).await.badly();
    assert_eq!(refused, "taskgate: what arrived is not the object: its MD5 digest is another; try again");
    assert!(!stage.path("b").exists() && !stage.path("b.part").exists());
    stage.download(&[&uri, "-o", "b"]).await.well();
    assert_eq!(stage.read("b"), stage.read("a"));
}

#[tokio::test]
async fn a_link_that_is_over_is_asked_for_again() {
    let stage = Stage::start().await;
    stage.write("a", bytes(1_000_000));
    let uri = stage.upload(&["a"]).await.well();
    stage.faults.plan(Method::GET, OBJECTS, Fault::Late(Duration::from_secs(7_200)));
    stage.download(&[&uri, "-o", "b"]).await.well();
    assert_eq!(stage.read("b"), stage.read("a"));
    assert_eq!(stage.faults.count(&Method::POST, "/v1/data/downloads"), 2);
}

#[tokio::test]
async fn one_download_at_a_time_writes_a_file() {
    let stage = Stage::start().await;
    stage.write("a", "1");
    let uri = stage.upload(&["a"]).await.well();
    let held = std::fs::File::create(stage.path("b.part")).expect("opens");
    held.try_lock().expect("locks");
    assert!(stage.download(&[&uri, "-o", "b"]).await.badly().contains("another download"));
    drop(held);
    stage.download(&[&uri, "-o", "b"]).await.well();
}
