//! Links that workers believe by themselves: made, used, taken back.

use serde_json::{Value, json};

use super::support::{Seen, Worker, ask, id, operator, share, start};
use crate::kit::Sidecar;
use crate::log_lines::Lines;

fn wanted(service: &str) -> Value {
    json!({"service": service, "lifetime_secs": 3600, "path": "/reports"})
}

async fn link(sidecar: &Sidecar) -> (String, String) {
    share(sidecar, "alice", wanted(&id(sidecar, "op1"))).await
}

#[tokio::test]
async fn who_has_the_link_is_let_in_to_its_paths_until_it_is_taken_back() {
    let sidecar = start("").await;
    let mut worker = Worker::new(&sidecar).await;
    let host = format!("https://{}.tasks.example.test", id(&sidecar, "op1"));
    assert_eq!(worker.seen(&format!("{host}/reports"), &[]).await, "credential-missing");
    let (link, share) = link(&sidecar).await;
    assert!(link.starts_with(&format!("{host}/reports?taskgate_share=tg1.")), "{link}");

    let Seen::SentTo(location, Some(cookie)) = worker.visit(&link, &[]).await else { panic!("is not let in") };
    assert_eq!(location, "/reports", "the link is out of the address");
    let with = [("cookie", cookie.as_str())];
    let Seen::In(actor, mut stream) = worker.visit(&format!("{host}/reports/a"), &with).await else {
        panic!("is refused")
    };
    assert_eq!(actor, format!("share:{share}"), "nobody in particular");
    assert_eq!(worker.seen(&format!("{host}/other"), &with).await, "outside-share");
    assert_eq!(worker.ends(&mut stream), None);

    let (status, ended) = ask(&sidecar, "alice", "DELETE", &format!("/v1/shares/{share}"), Value::Null).await;
    assert_eq!((status, ended["state"].as_str()), (200, Some("ended")));
    worker.refresh().await;
    assert_eq!(worker.ends(&mut stream), Some("share-ended"), "what is open ends");
    assert_eq!(worker.seen(&format!("{host}/reports/a"), &with).await, "share-ended");
    assert_eq!(worker.seen(&link, &[]).await, "share-ended");
}

#[tokio::test]
async fn a_link_of_an_hour_is_over_after_an_hour() {
    let sidecar = start("").await;
    let mut worker = Worker::new(&sidecar).await;
    let (link, share) = link(&sidecar).await;
    let Seen::SentTo(_, Some(cookie)) = worker.visit(&link, &[]).await else { panic!("is not let in") };
    sidecar.clock.advance(std::time::Duration::from_secs(3600));
    worker.refresh().await;
    assert_eq!(worker.seen(&link, &[]).await, "share-ended");
    let page = link.split('?').next().expect("a path");
    assert_eq!(worker.seen(page, &[("cookie", &cookie)]).await, "share-ended");
    let (_, list) = ask(&sidecar, "alice", "GET", "/v1/shares", Value::Null).await;
    assert_eq!((&list["shares"][0]["id"], &list["shares"][0]["state"]), (&json!(share), &json!("expired")));
}

#[tokio::test]
async fn a_link_is_made_by_who_can_manage_the_service() {
    let sidecar = start("").await;
    let [shared, public, closed, raw] = ["op1", "op2", "op3", "op4"].map(|operation| id(&sidecar, operation));
    for (who, service, status, code) in [
        ("alice", shared.as_str(), 201, ""),
        ("carol", &shared, 201, ""),
        ("bob", &shared, 403, "access-denied"),
        ("mallory", &shared, 404, "unknown-service"),
        ("", &shared, 401, "credential-missing"),
        ("nobody", &shared, 401, "credential-missing"),
        ("alice", "0badc0de", 404, "unknown-service"),
        ("alice", &public, 409, "not-shareable"),
        ("alice", &closed, 403, "access-denied"),
        ("alice", &raw, 409, "not-shareable"),
        ("alice", "access", 403, "access-denied"),
    ] {
        let (found, answer) = ask(&sidecar, who, "POST", "/v1/shares", wanted(service)).await;
        assert_eq!((found, answer["code"].as_str().unwrap_or_default()), (status, code), "{who} {service}");
    }
    // An operator may share what can be shared.
    let (status, made) = operator(&sidecar, "POST", "/internal/shares", wanted(&shared)).await;
    assert_eq!((status, made["share"]["creator"].as_str()), (201, Some("operator")));
    let (status, _) = operator(&sidecar, "POST", "/internal/shares", wanted(&closed)).await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_words() {
    let sidecar = start("").await;
    let service = id(&sidecar, "op1");
    for (change, words) in [
        (json!({"lifetime_secs": 0}), "1 to 2592000 seconds"),
        (json!({"lifetime_secs": 2_592_001}), "1 to 2592000 seconds"),
        (json!({"path": "reports"}), "the path must be"),
        (json!({"path": "/a/../b"}), "the path must be"),
        (json!({"uses": 0}), "1 to 1000000 times"),
        (json!({"to": "a\nb"}), "login name"),
        (json!({"note": "x".repeat(201)}), "200 characters"),
        (json!({"note": "a\nb"}), "one line"),
        (json!({"owner": "me"}), "line 1"),
    ] {
        let mut body = wanted(&service);
        body.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        let (status, problem) = ask(&sidecar, "alice", "POST", "/v1/shares", body).await;
        assert_eq!(status, 400, "{change}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{change}: {problem}");
    }
}

#[tokio::test]
async fn links_are_listed_for_those_who_may_see_them() {
    let sidecar = start("").await;
    let service = id(&sidecar, "op1");
    let (_, of_alice) = share(&sidecar, "alice", wanted(&service)).await;
    let (_, of_carol) = share(&sidecar, "carol", wanted(&service)).await;
    let listed = async |who: &str, query: &str| {
        let (status, list) = ask(&sidecar, who, "GET", &format!("/v1/shares{query}"), Value::Null).await;
        let shares = list["shares"].as_array().cloned().unwrap_or_default();
        let mut ids: Vec<String> = shares.iter().map(|share| share["id"].as_str().expect("text").to_owned()).collect();
        ids.sort();
        (status, ids)
    };
    let mut both = vec![of_alice.clone(), of_carol.clone()];
    both.sort();
    let query = format!("?service={service}");
    assert_eq!(listed("alice", "").await, (200, vec![of_alice.clone()]), "her own");
    assert_eq!(listed("alice", &query).await, (200, both.clone()), "the owner sees all of the service");
    assert_eq!(listed("bob", &query).await, (200, Vec::new()), "a reader his own");
    assert_eq!(listed("mallory", &query).await.0, 404);
    assert_eq!(listed("mallory", "").await, (200, Vec::new()));
    // Others' links are as good as none to whoever can't manage the service.
    for (who, status) in [("mallory", 404), ("bob", 404), ("", 401), ("alice", 200)] {
        let (found, _) = ask(&sidecar, who, "DELETE", &format!("/v1/shares/{of_carol}"), Value::Null).await;
        assert_eq!(found, status, "{who}");
    }
    let (_, list) = operator(&sidecar, "GET", "/internal/shares", Value::Null).await;
    assert_eq!(list["shares"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn there_is_a_bound_for_each_creator() {
    let sidecar = start("").await;
    let service = id(&sidecar, "op1");
    for _ in 0..100 {
        share(&sidecar, "alice", wanted(&service)).await;
    }
    let (status, problem) = ask(&sidecar, "alice", "POST", "/v1/shares", wanted(&service)).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("too-many-shares")));
    share(&sidecar, "carol", wanted(&service)).await;
}

#[tokio::test]
async fn every_step_of_a_link_is_audited() {
    let sidecar = start("").await;
    let (lines, _guard) = Lines::capture();
    let (link, share) = link(&sidecar).await;
    ask(&sidecar, "alice", "DELETE", &format!("/v1/shares/{share}"), Value::Null).await;
    let text = lines.text();
    for event in ["share-made", "share-ended"] {
        let found = text.lines().find(|line| line.contains(event)).expect(event);
        assert!(found.contains("audit=true") && found.contains("alice") && found.contains(&share), "{found}");
    }
    let token = link.split('=').next_back().expect("a token");
    assert!(!text.contains(token), "nobody gets in by the log");
}
