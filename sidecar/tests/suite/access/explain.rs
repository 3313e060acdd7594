//! Explanations say what workers do.

use serde_json::{Value, json};

use super::support::{Worker, ask, id, operator, start};

#[tokio::test]
async fn explains_what_a_worker_does() {
    let sidecar = start("").await;
    let mut worker = Worker::new(&sidecar).await;
    let ring = sidecar.running.app.control.ring();
    for operation in ["op1", "op2", "op3", "op4", "none"] {
        let label = if operation == "none" { "0badc0de".to_owned() } else { id(&sidecar, operation) };
        for (actor, groups) in
            [("", vec![]), ("alice", vec![]), ("bob", vec!["ml"]), ("bob", vec![]), ("mallory", vec!["x"])]
        {
            let url = format!("https://{label}.tasks.example.test/a?b=c");
            let cookie = super::support::session_cookie(&sidecar, &ring, &label, actor, &groups);
            let headers: Vec<(&str, &str)> = cookie.iter().map(|cookie| ("cookie", cookie.as_str())).collect();
            let seen = worker.seen(&url, &headers).await;
            let mut question = json!({"url": url, "groups": groups, "headers": ["Accept: text/html"]});
            if !actor.is_empty() {
                question["as"] = json!(actor);
            }
            let (status, answer) = operator(&sidecar, "POST", "/internal/explain", question).await;
            assert_eq!(status, 200, "{answer}");
            let told = match answer["outcome"].as_str() {
                Some("permit") => answer["actor"].as_str().unwrap_or_default().to_owned(),
                _ => answer["code"].as_str().expect("a code").to_owned(),
            };
            assert_eq!(told, seen, "{actor} {groups:?} at {operation}: {answer}");
            assert_eq!(answer["steps"].as_array().expect("steps").last().expect("one")["step"], "outcome");
        }
    }
}

#[tokio::test]
async fn steps_are_in_words() {
    let sidecar = start("").await;
    let url = format!("https://{}.tasks.example.test/", id(&sidecar, "op1"));
    let (_, answer) =
        operator(&sidecar, "POST", "/internal/explain", json!({"url": url, "as": "bob", "groups": ["ml"]})).await;
    let steps: Vec<(&str, &str)> = answer["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| (step["step"].as_str().expect("text"), step["found"].as_str().expect("text")))
        .collect();
    let names: Vec<&str> = steps.iter().map(|(step, _)| *step).collect();
    assert_eq!(names, ["visitor", "service", "session", "asks", "verdict", "upstream", "outcome"]);
    for (step, words) in [
        ("service", "(op1 web ui)"),
        ("service", "`can_read`"),
        ("visitor", "bob, of ml"),
        ("verdict", "yes, as bob"),
        ("upstream", "10.0.0.1:27001"),
        ("outcome", "`session`"),
    ] {
        let found = steps.iter().find(|(name, _)| *name == step).expect(step).1;
        assert!(found.contains(words), "{found}");
    }
    let text = answer.to_string();
    assert!(!text.contains("tg1."), "no token is shown");
    for url in ["", "x", "https://u@x.test/", "https://x.test/ a"] {
        assert_eq!(operator(&sidecar, "POST", "/internal/explain", json!({"url": url})).await.0, 400, "{url:?}");
    }
}

#[tokio::test]
async fn follows_what_changes() {
    let sidecar = start("").await;
    let url = format!("https://{}.tasks.example.test/", id(&sidecar, "op1"));
    let question = json!({"url": url, "as": "bob", "groups": ["ml"]});
    let code = async || operator(&sidecar, "POST", "/internal/explain", question.clone()).await.1["code"].clone();
    assert_eq!(code().await, "session");
    sidecar.write("services.yaml", &super::support::SERVICES.replace("group:ml", "group:ops"));
    super::support::until(async || code().await == "unknown-service").await;
    // An hour without a change is no reason to distrust the table.
    sidecar.clock.advance(std::time::Duration::from_secs(7200));
    assert_eq!(code().await, "unknown-service");
}

#[tokio::test]
async fn others_are_explained_to_who_manages_the_service_alone() {
    let sidecar = start("").await;
    let url = |label: &str| format!("https://{label}.tasks.example.test/");
    let here = url(&id(&sidecar, "op1"));
    let told = async |who: &str, question: Value| {
        let (status, answer) = ask(&sidecar, who, "POST", "/v1/explain", question).await;
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    };
    let about = |actor: &str| json!({"url": here, "as": actor});
    assert_eq!(told("alice", about("mallory")).await, (200, "unknown-service".into()));
    assert_eq!(told("carol", about("alice")).await, (200, "session".into()));
    assert_eq!(told("bob", about("alice")).await, (403, "access-denied".into()));
    assert_eq!(told("mallory", about("alice")).await, (403, "access-denied".into()));
    assert_eq!(told("mallory", json!({"url": url("0badc0de"), "as": "alice"})).await, (403, "access-denied".into()));
    assert_eq!(told("", about("alice")).await, (401, "credential-missing".into()));
    // Oneself, with one's own groups and no others.
    assert_eq!(told("bob", json!({"url": here})).await, (200, "session".into()));
    assert_eq!(
        told("mallory", json!({"url": here, "as": "mallory", "groups": ["ml"]})).await,
        (200, "unknown-service".into())
    );
}

#[tokio::test]
async fn a_stranger_hears_of_a_hidden_service_what_he_hears_of_none() {
    let sidecar = start("").await;
    let answer = async |label: &str| {
        let url = format!("https://{label}.tasks.example.test/");
        ask(&sidecar, "mallory", "POST", "/v1/explain", json!({"url": url})).await
    };
    let (hidden, none) = (answer(&id(&sidecar, "op1")).await, answer("0badc0de").await);
    assert_eq!(hidden.0, 200);
    assert_eq!(hidden, none);
}
