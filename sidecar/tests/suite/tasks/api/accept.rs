//! Asking for tasks: who may have what done, and what is asked twice.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use taskgate::tasks::store::Outcome;
use taskgate_test_kit::{Hsds, HsdsUser};

use super::support::{Api, at, make_domain, noop};

#[tokio::test(flavor = "multi_thread")]
async fn every_location_is_asked_about_with_the_callers_own_credential() {
    let hsds = Hsds::start().await.expect("HSDS");
    let api = Api::start(&hsds, 0, "").await;
    let domain = make_domain(&hsds, HsdsUser::One, "data.h5").await;
    let other = make_domain(&hsds, HsdsUser::Two, "own.h5").await;
    let outcome = async |user, body: serde_json::Value| {
        let answer = api.post(user, &body).await;
        (answer.status, answer.body["code"].as_str().unwrap_or_default().to_owned(), answer.body["detail"].to_string())
    };
    let read = |path: &str| json!({"operation": "noop", "src": [at(&domain, path)]});
    let negate =
        |from: &str, to: &str| json!({"operation": "negative", "src": [at(from, "/a")], "des": [at(to, "/b")]});

    assert_eq!(outcome(HsdsUser::One, read("/a")).await.0, 200);
    let (status, code, detail) = outcome(HsdsUser::One, read("/nothing")).await;
    assert_eq!((status, code.as_str()), (404, "location-not-found"));
    assert!(detail.contains("`src[0]` (") && detail.contains("/nothing"), "{detail}");
    let missing = json!({"operation": "noop", "src": [at("/home/test_user1/no.h5", "/")]});
    assert_eq!(outcome(HsdsUser::One, missing).await.0, 404);
    // An object of another domain is not in this one, whoever may read it there.
    let root = hsds.ask(HsdsUser::Two, Method::GET, &format!("/?domain={other}"), None).await.expect("a domain");
    let strayed = json!({"operation": "noop", "src": [{"domain": domain, "uuid": root["root"]}]});
    assert_eq!(outcome(HsdsUser::Admin, strayed).await.0, 404);

    let (status, code, detail) = outcome(HsdsUser::Two, read("/a")).await;
    assert_eq!((status, code.as_str()), (403, "location-forbidden"));
    assert!(detail.contains("you may not read `src[0]`"), "{detail}");
    let rights = async |update: bool| {
        let rights = json!({"read": true, "update": update});
        let path = format!("/acls/test_user2?domain={domain}");
        hsds.ask(HsdsUser::One, Method::PUT, &path, Some(&rights)).await.expect("changes rights");
    };
    rights(false).await;
    assert_eq!(outcome(HsdsUser::Two, read("/a")).await.0, 200);
    let (status, _, detail) = outcome(HsdsUser::Two, negate(&domain, &domain)).await;
    assert_eq!(status, 403);
    assert!(detail.contains("you may not update `des[0]`"), "{detail}");
    rights(true).await;
    let (status, _, detail) = outcome(HsdsUser::Two, negate(&domain, &domain)).await;
    assert_eq!(status, 200, "{detail}");

    let program =
        "import h5pyd, sys\nwith h5pyd.File(sys.argv[1], 'r') as f:\n print(sorted(f), list(map(int, f['b'][:])))";
    let values = hsds.python(HsdsUser::One, program, &[&domain]).await.expect("values");
    assert_eq!(values.trim(), "['a', 'b'] [0, 0, 0]", "asking changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_twice_is_done_once() {
    let hsds = Hsds::start().await.expect("HSDS");
    let api = Api::start(&hsds, 0, "").await;

    // The same at the same moment.
    let request = noop(1);
    let answers = join_all((0..40).map(|_| api.post(HsdsUser::One, &request))).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(accepted.len(), 1);
    let first = accepted.first().expect("one").id();
    for answer in refused {
        assert_eq!(answer.outcome(), (409, "identical-request-in-progress"));
        assert_eq!(answer.id(), first);
        assert_eq!(answer.header("location"), Some(format!("/tasks/{first}").as_str()));
    }
    assert_eq!(api.post(HsdsUser::Two, &noop(1)).await.status, 200, "another user's is another");

    // The same key at the same moment.
    let with_key = async |user, key: &str, number| {
        api.ask(user, Method::POST, "/tasks").header("idempotency-key", key).json(&noop(number)).send().await
    };
    let answers = join_all((0..40).map(|_| with_key(HsdsUser::One, "\"k 1\"", 2))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let ids: BTreeSet<_> = answers.iter().map(super::support::Answer::id).collect();
    assert_eq!(ids.len(), 1);
    let second = *ids.first().expect("one");
    assert_eq!(with_key(HsdsUser::One, "\"k 1\"", 3).await.outcome(), (422, "idempotency-key-reused"));
    assert_ne!(with_key(HsdsUser::Two, "\"k 1\"", 2).await.id(), second, "keys are each user's own");

    // The answer is the same when the task is over, and when there is no room.
    for claimed in api.claim().await {
        api.settle(&claimed, Outcome::Complete(json!({"steps": 2}))).await;
    }
    let again = with_key(HsdsUser::One, "\"k 1\"", 2).await;
    assert_eq!((again.status, again.id(), again.text("status")), (200, second, "complete"));
    assert_eq!(again.body["result"], json!({"steps": 2}));
    assert_ne!(api.post(HsdsUser::One, &noop(1)).await.id(), first, "what is over can be asked for again");
    assert_eq!(api.ask(HsdsUser::One, Method::DELETE, &format!("/tasks/{second}")).send().await.status, 200);
    let gone = with_key(HsdsUser::One, "\"k 1\"", 2).await;
    assert_eq!((gone.outcome(), gone.id()), ((410, "task-deleted"), second));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_room_for_so_many() {
    let hsds = Hsds::start().await.expect("HSDS");
    let api = Api::start(&hsds, 0, "  limits: {queued_per_user: 3, queued: 4}\n").await;
    let requests: Vec<_> = (0..10).map(noop).collect();
    let answers = join_all(requests.iter().map(|request| api.post(HsdsUser::One, request))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 3);
    let full = answers.iter().find(|answer| answer.status != 200).expect("one too many");
    assert_eq!(full.outcome(), (503, "user-limit-reached"));
    assert!(full.header("retry-after").is_some());
    assert_eq!(full.text("type"), "urn:taskgate:problem:user-limit-reached");

    assert_eq!(api.post(HsdsUser::Two, &noop(1)).await.status, 200, "others still have room");
    let full = api.post(HsdsUser::Two, &noop(2)).await;
    assert_eq!(full.outcome(), (503, "out-of-capacity"));
    assert!(full.header("retry-after").is_some());
}
