//! `taskgate share`, `taskgate explain` and `taskgate session end`, as people run them.

use serde_json::Value;

use super::support::{Seen, Worker, id, public, start};
use crate::kit::Sidecar;

/// How a run ended.
#[derive(Debug)]
struct Outcome {
    code: Option<i32>,
    output: String,
    errors: String,
}

/// Runs the program, as an operator.
async fn run(sidecar: &Sidecar, words: &[&str]) -> Outcome {
    let internal = sidecar.running.addresses.internal.clone();
    program(sidecar, &[words, &["--internal", &internal]].concat()).await
}

/// Runs it as somebody with a token.
async fn run_as(sidecar: &Sidecar, who: &str, words: &[&str]) -> Outcome {
    let path = sidecar.directory.path().join(who);
    std::fs::write(&path, format!("token-of-{who}\n")).expect("writes");
    let (at, token) = (public(sidecar, ""), crate::kit::path_text(&path));
    program(sidecar, &[words, &["--at", &at, "--token-file", &token]].concat()).await
}

async fn program(sidecar: &Sidecar, words: &[&str]) -> Outcome {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_taskgate"));
    command.args(words).current_dir(sidecar.directory.path()).kill_on_drop(true);
    command.env_remove("TASKGATE_TOKEN_FILE").env_remove("TASKGATE_ACCESS");
    let output = command.output().await.expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Outcome { code: output.status.code(), output: text(output.stdout), errors: text(output.stderr) }
}

#[tokio::test]
async fn a_link_is_made_listed_and_taken_back() {
    let sidecar = start("").await;
    let service = id(&sidecar, "op1");
    let made = run(&sidecar, &["share", &service, "--for", "2h", "--path", "/x", "--note", "for the review"]).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let link = made.output.trim_end();
    let mut worker = Worker::new(&sidecar).await;
    assert_eq!(worker.seen(link, &[]).await, "-> /x");
    let list = run(&sidecar, &["share", "list"]).await.output;
    let line = list.lines().nth(1).expect("a link");
    for word in [service.as_str(), "live", "2h", "anybody", "/x", "operator", "for the review"] {
        assert!(line.contains(word), "{word}: {list}");
    }
    let share = line.split(' ').next().expect("an id");
    let ended = run(&sidecar, &["share", "revoke", share]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    worker.refresh().await;
    assert_eq!(worker.seen(link, &[]).await, "share-ended");
    let list = run(&sidecar, &["share", "list", "--service", &service, "--json"]).await.output;
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list["shares"][0]["state"], "ended");
}

#[tokio::test]
async fn people_use_it_with_a_token() {
    let sidecar = start("").await;
    let service = id(&sidecar, "op1");
    let made = run_as(&sidecar, "alice", &["share", &service, "--uses", "1"]).await;
    assert!(made.output.contains("/.taskgate/share?code="), "{made:?}");
    for (who, words) in [("bob", "only who can manage"), ("mallory", "no service has this label"), ("nobody", "401")] {
        let refused = run_as(&sidecar, who, &["share", &service]).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.errors.contains(words) && refused.output.is_empty(), "{refused:?}");
    }
    let list = run_as(&sidecar, "alice", &["share", "list"]).await;
    assert!(list.output.contains("0/1"), "{list:?}");
    let explained = run_as(&sidecar, "bob", &["explain", &format!("https://{service}.tasks.example.test/")]).await;
    assert_eq!(explained.code, Some(0), "{explained:?}");
}

#[tokio::test]
async fn where_to_ask_is_an_option_or_a_variable() {
    let sidecar = start("").await;
    std::fs::write(sidecar.directory.path().join("alice"), "token-of-alice\n").expect("writes");
    let list = |words: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_taskgate"));
        command.args(["share", "list"]).args(words).current_dir(sidecar.directory.path()).kill_on_drop(true);
        command.env("TASKGATE_ACCESS", public(&sidecar, "")).env("TASKGATE_TOKEN_FILE", "alice");
        command
    };
    let service = id(&sidecar, "op1");
    let made = run_as(&sidecar, "alice", &["share", &service, "--note", "by-alice"]).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let output = list(&[]).output().await.expect("runs");
    assert!(String::from_utf8_lossy(&output.stdout).contains("by-alice"), "{output:?}");
    // What is said by an option counts, whatever the variable is.
    let output = list(&["--internal", "unix:/nowhere"]).output().await.expect("runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("unix:/nowhere"), "{output:?}");
}

#[tokio::test]
async fn explains_with_each_step_and_says_by_its_status_how_it_ends() {
    let sidecar = start("").await;
    let url = format!("https://{}.tasks.example.test/a", id(&sidecar, "op1"));
    let let_in = run(&sidecar, &["explain", &url, "--as", "bob", "--group", "ml"]).await;
    assert_eq!(let_in.code, Some(0), "{let_in:?}");
    for word in ["visitor", "bob, of ml", "(op1 web ui)", "`can_read`", "yes, as bob", "10.0.0.1:27001", "`session`"] {
        assert!(let_in.output.contains(word), "{word}: {}", let_in.output);
    }
    let refused = run(&sidecar, &["explain", &url, "--as", "mallory", "--header", "accept: text/html"]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.output.contains("refused: `unknown-service`, status 404"), "{}", refused.output);
    let json = run(&sidecar, &["explain", &url, "--method", "POST", "--json"]).await.output;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["code"], &json["status"]), (&"credential-missing".into(), &401.into()));
    assert_eq!(run(&sidecar, &["explain", "nonsense"]).await.code, Some(1));
}

#[tokio::test]
async fn sessions_end() {
    let sidecar = start("").await;
    let service = id(&sidecar, "op1");
    let sealed = run(&sidecar, &["session", "seal", "--service", &service, "--actor", "alice"]).await;
    let cookie = format!("__Host-taskgate={}", sealed.output.trim_end());
    let url = format!("https://{service}.tasks.example.test/");
    let mut worker = Worker::new(&sidecar).await;
    assert!(matches!(worker.visit(&url, &[("cookie", &cookie)]).await, Seen::In(actor, _) if actor == "alice"));
    let ended = run(&sidecar, &["session", "end", "--actor", "alice"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.output.contains("state.directory"), "it is said that nothing is kept: {ended:?}");
    worker.refresh().await;
    assert_eq!(worker.seen(&url, &[("cookie", &cookie)]).await, "session-ended");
    for words in [&["session", "end"][..], &["session", "end", "--actor", "a", "--everybody"]] {
        assert_eq!(run(&sidecar, words).await.code, Some(2), "{words:?}");
    }
}
