//! Who asks, and with which credential tasks go on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use taskgate::tasks::row::Failure;
use taskgate::tasks::store::Outcome;
use taskgate_test_kit::{Hsds, HsdsUser};

use super::support::{Api, is_stored, noop};

fn token(claims: &str) -> String {
    format!("Bearer {}.{}.c2ln", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_of_the_data_says_who_asks() {
    let mut hsds = Hsds::start().await.expect("HSDS");
    let api = Api::start(&hsds, 0, "").await;
    let paths = ["/tasks", "/operations", "/tasks/01890a5d-ac96-774b-bcce-b302099a8057"];
    for path in paths {
        let nobody = api.nobody(Method::GET, path).send().await;
        assert_eq!(nobody.outcome(), (401, "credential-missing"), "{path}");
        let schemes: Vec<_> = nobody.headers.get_all("www-authenticate").iter().collect();
        assert!(schemes[0].to_str().expect("text").starts_with("Basic realm="), "{schemes:?}");
        assert!(schemes[1].to_str().expect("text").starts_with("Bearer realm="), "{schemes:?}");
    }
    for (credential, code) in [
        ("Basic dGVzdF91c2VyMTp3cm9uZw==".to_owned(), "credential-refused"),
        ("Basic bm9ib2R5OnRlc3Q=".to_owned(), "credential-refused"),
        ("Basic !".to_owned(), "credential-unusable"),
        ("Digest username=\"admin\"".to_owned(), "credential-unusable"),
        ("Basic".to_owned(), "credential-unusable"),
        (format!("Bearer {}", "x".repeat(8_000)), "credential-unusable"),
        // By the test's clock it ended a second ago: nobody needs to be asked.
        (token(r#"{"exp": 1767225599, "unique_name": "admin"}"#), "credential-ended"),
        (token(r#"{"exp": 1767229200, "unique_name": "admin"}"#), "credential-refused"),
        (token(r#"{"unique_name": "admin"}"#), "credential-refused"),
    ] {
        let answer = api.nobody(Method::GET, "/tasks").header("authorization", &credential).send().await;
        assert_eq!(answer.outcome(), (401, code), "{credential}");
        let secret = credential.split_once(' ').map_or("", |(_, secret)| secret);
        assert!(secret.len() < 2 || !answer.body.to_string().contains(secret), "{credential}");
    }
    let two = api.ask(HsdsUser::One, Method::GET, "/tasks").header("authorization", &HsdsUser::Admin.authorization());
    assert_eq!(two.send().await.status, 400);
    // What says who asks elsewhere says nothing here.
    for name in ["x-forwarded-user", "x-taskgate-actor", "remote-user", "x-hdf-username"] {
        let posing = api.ask(HsdsUser::One, Method::GET, "/tasks?owner=*").header(name, "admin").send().await;
        assert_eq!(posing.status, 403, "{name}");
    }

    // While the server can't be asked, those who were known are, and nobody is refused for good.
    hsds.kill().expect("kills");
    assert_eq!(api.get(HsdsUser::One, "/tasks").await.status, 200);
    let unknown = api.get(HsdsUser::Two, "/tasks").await;
    assert_eq!(unknown.outcome(), (503, "server-unavailable"));
    assert!(unknown.header("retry-after").is_some());
    api.sidecar.clock.advance(std::time::Duration::from_secs(31));
    assert_eq!(api.get(HsdsUser::One, "/tasks").await.status, 503, "not for ever");
    hsds.restart().await.expect("starts again");
    assert_eq!(api.get(HsdsUser::Two, "/tasks").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_task_goes_on_with_its_owners_new_credential() {
    let hsds = Hsds::start().await.expect("HSDS");
    let api = Api::start(&hsds, 0, "").await;
    let path = format!("/tasks/{}", api.post(HsdsUser::One, &noop(1)).await.id());
    let credential = format!("{path}/credential");
    assert_eq!(api.ask(HsdsUser::One, Method::PUT, &credential).send().await.outcome(), (409, "not-paused"));
    let claimed = api.claim().await;
    let failure = Failure { code: "credential-ended".into(), detail: "the token ended".into(), is_final: false };
    api.settle(&claimed[0], Outcome::Paused(failure)).await;
    let paused = api.get(HsdsUser::One, &path).await;
    assert_eq!((paused.text("status"), paused.body["error"]["code"].as_str()), ("paused", Some("credential-ended")));
    assert_eq!(paused.header("retry-after"), Some("60"));

    assert_eq!(api.nobody(Method::POST, &credential).send().await.status, 401);
    assert_eq!(api.ask(HsdsUser::Two, Method::POST, &credential).send().await.status, 404);
    assert_eq!(api.ask(HsdsUser::Admin, Method::POST, &credential).send().await.outcome(), (403, "not-the-owner"));
    let resumed = api.ask(HsdsUser::One, Method::POST, &format!("{credential}?domain=/x")).send().await;
    assert_eq!((resumed.status, resumed.text("status")), (200, "queued"));
    assert_eq!(api.ask(HsdsUser::One, Method::POST, &credential).send().await.status, 409);

    // What is handed to a worker is the credential; what is kept does not show it.
    let claimed = api.claim().await;
    let vault = api.sidecar.running.app.desk.as_ref().expect("tasks").vault();
    let opened = vault.open(claimed[0].task.id, &claimed[0].task.owner, &claimed[0].credential).expect("opens");
    assert_eq!(opened.expose(), HsdsUser::One.authorization());
    let secret = HsdsUser::One.authorization();
    assert!(!is_stored(&api.sidecar, secret.strip_prefix("Basic ").expect("Basic")));
    assert!(is_stored(&api.sidecar, &claimed[0].task.id.to_string()));
    api.ask(HsdsUser::One, Method::DELETE, &path).send().await;
    assert_eq!(api.ask(HsdsUser::One, Method::POST, &credential).send().await.status, 410);
}
