//! Looking at tasks, listing and deleting them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use taskgate::tasks::row::Failure;
use taskgate::tasks::store::{Outcome, Retention};
use taskgate_test_kit::{Hsds, HsdsUser};

use super::support::{Api, noop};

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_seen_by_its_owner_until_it_is_gone() {
    let hsds = Hsds::start().await.expect("HSDS");
    let api = Api::start(&hsds, 0, "").await;
    let accepted = api.post(HsdsUser::One, &noop(7)).await;
    assert_eq!(accepted.status, 200, "{:?}", accepted.body);
    let (id, path) = (accepted.id(), format!("/tasks/{}", accepted.id()));
    assert_eq!(accepted.header("location"), Some(path.as_str()));
    assert_eq!(accepted.header("retry-after"), Some("1"));
    for (member, value) in [
        ("href", json!(path)),
        ("status", json!("queued")),
        ("operation", json!("noop")),
        ("owner", json!("test_user1")),
        ("created", json!("2026-01-01T00:00:00Z")),
        ("progress", json!({"done": 0, "total": null, "unit": "bytes"})),
        ("args", json!({"steps": 7})),
        ("src", json!([])),
        ("attempts", json!(0)),
    ] {
        assert_eq!(accepted.body[member], value, "{member}");
    }

    // h5pyd puts the domain into every address.
    let shown = api.get(HsdsUser::One, &format!("{path}?domain=/home/x.h5&bucket=b&domain=y")).await;
    assert_eq!((shown.status, &shown.body), (200, &accepted.body));
    assert_eq!(api.get(HsdsUser::Admin, &path).await.body, accepted.body);
    let tag = shown.header("etag").expect("a tag").to_owned();
    assert_eq!(accepted.header("etag"), Some(tag.as_str()));
    let unchanged =
        api.ask(HsdsUser::One, Method::GET, &path).header("if-none-match", &format!("W/{tag}")).send().await;
    assert_eq!((unchanged.status, unchanged.body), (304, Value::Null));
    assert_eq!(unchanged.headers.get("etag").expect("a tag").to_str().expect("text"), tag);

    // A stranger can't tell it from one that never was.
    let never = api.get(HsdsUser::Two, "/tasks/01890a5d-ac96-774b-bcce-b302099a8057").await;
    for method in [Method::GET, Method::DELETE] {
        let strange = api.ask(HsdsUser::Two, method, &path).send().await;
        assert_eq!((strange.status, &strange.body), (404, &never.body));
    }
    let strange = api.ask(HsdsUser::Two, Method::POST, &format!("{path}/credential")).send().await;
    assert_eq!((strange.status, &strange.body), (404, &never.body));

    // It goes on.
    let claimed = api.claim().await;
    let running = api.ask(HsdsUser::One, Method::GET, &path).header("if-none-match", &tag).send().await;
    assert_eq!((running.status, running.text("status")), (200, "in progress"));
    assert_ne!(running.header("etag"), Some(tag.as_str()));
    let failure = Failure { code: "busy".into(), detail: "the server is busy".into(), is_final: false };
    api.settle(&claimed[0], Outcome::Retry { not_before: api.now(), failure: failure.clone() }).await;
    let waits = api.get(HsdsUser::One, &path).await;
    assert_eq!(waits.body["last_error"], json!({"code": "busy", "detail": "the server is busy"}));
    assert_eq!((waits.text("status"), waits.body.get("error")), ("queued", None));
    let claimed = api.claim().await;
    api.settle(&claimed[0], Outcome::Failed(Failure { is_final: true, ..failure })).await;
    let failed = api.get(HsdsUser::One, &path).await;
    assert_eq!(failed.body["error"]["code"], "busy");
    assert_eq!((failed.text("status"), failed.header("retry-after")), ("failed", None));

    // Deleted, it is gone for as long as that is remembered; then it never was.
    let deleted = api.ask(HsdsUser::One, Method::DELETE, &format!("{path}?domain=/home/x.h5")).send().await;
    assert_eq!((deleted.status, deleted.id()), (200, id));
    for method in [Method::GET, Method::DELETE] {
        let gone = api.ask(HsdsUser::One, method.clone(), &path).send().await;
        assert_eq!((gone.outcome(), gone.id()), ((410, "task-deleted"), id), "{method}");
        assert_eq!(api.ask(HsdsUser::Two, method, &path).send().await.status, 404);
    }
    assert_eq!(api.get(HsdsUser::One, "/tasks").await.body["tasks"], json!([]));
    api.sidecar.clock.advance(Duration::from_secs(61));
    let minute = Duration::from_secs(60);
    let store = api.sidecar.running.app.desk.as_ref().expect("tasks").store();
    store.sweep(Retention { finished: minute, tombstones: minute }, api.now()).await.expect("sweeps");
    assert_eq!(api.get(HsdsUser::One, &path).await.body, never.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_listed_page_by_page() {
    let hsds = Hsds::start().await.expect("HSDS");
    let api = Api::start(&hsds, 0, "").await;
    let mut own = Vec::new();
    for number in 0..60 {
        // Ids of one moment are in no order.
        api.sidecar.clock.advance(Duration::from_millis(1));
        own.insert(0, api.post(HsdsUser::One, &noop(number)).await.id().to_string());
    }
    let foreign = api.post(HsdsUser::Two, &noop(1)).await.id().to_string();
    let ids = |page: &Value| -> Vec<String> {
        let tasks = page["tasks"].as_array().expect("tasks");
        tasks.iter().map(|task| task["taskid"].as_str().expect("an id").to_owned()).collect()
    };

    for limit in [1, 7, 25, 26, 30, 59, 60, 500] {
        let mut seen = Vec::new();
        let mut next = Some(format!("/tasks?domain=/x&limit={limit}&status=queued,in%20progress"));
        while let Some(path) = next {
            let page = api.get(HsdsUser::One, &path).await;
            assert_eq!(page.status, 200, "{:?}", page.body);
            let here = ids(&page.body);
            assert!(!here.is_empty() && here.len() <= limit, "{limit}: {}", here.len());
            seen.extend(here);
            next = page.body["next"].as_str().map(ToOwned::to_owned);
            let link = next.as_ref().map(|next| format!("<{next}>; rel=\"next\""));
            assert_eq!(page.header("link"), link.as_deref());
        }
        assert_eq!(seen, own, "{limit} a page");
    }
    let usual = api.get(HsdsUser::One, "/tasks").await;
    assert_eq!(ids(&usual.body), own[..50]);
    assert_eq!(usual.body["tasks"][0].get("args"), None, "what is large is not listed");
    assert_eq!(ids(&api.get(HsdsUser::One, "/tasks?status=complete,failed,paused").await.body), [""; 0]);

    // Of others, administrators see them alone.
    assert_eq!(ids(&api.get(HsdsUser::Admin, "/tasks").await.body), [""; 0]);
    assert_eq!(ids(&api.get(HsdsUser::Admin, "/tasks?owner=test_user2").await.body), [foreign.as_str()]);
    assert_eq!(ids(&api.get(HsdsUser::Admin, "/tasks?owner=*&limit=500").await.body).len(), 61);
    assert_eq!(ids(&api.get(HsdsUser::Two, "/tasks?owner=test_user2").await.body), [foreign.as_str()]);
    for owner in ["test_user1", "*", "", "admin"] {
        let refused = api.get(HsdsUser::Two, &format!("/tasks?owner={owner}")).await;
        assert_eq!(refused.outcome(), (403, "not-an-administrator"), "{owner}");
    }
    // A place in another's list is a place in one's own.
    let page = api.get(HsdsUser::Two, &format!("/tasks?after={}", own[59])).await;
    assert_eq!(ids(&page.body), [""; 0]);
    for query in [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1&limit=2",
        "after=x",
        "after=",
        "after=%27--",
        "after=%00",
        "status=done",
        "status=",
        "status=queued&status=failed",
        "after=%ff",
    ] {
        assert_eq!(api.get(HsdsUser::One, &format!("/tasks?{query}")).await.status, 400, "{query}");
    }
    assert_eq!(api.get(HsdsUser::Admin, "/tasks?owner=%00").await.status, 400);

    // What can be asked for.
    let operations = api.get(HsdsUser::One, "/operations?domain=/x").await;
    let noop = operations.body["operations"].as_array().expect("operations").iter().find(|one| one["name"] == "noop");
    let noop = noop.expect("noop");
    assert_eq!(noop["arguments"]["properties"]["steps"]["type"], "integer");
    assert_eq!(
        (&noop["sources"], &noop["destinations"]),
        (&json!({"min": 0, "max": 64}), &json!({"min": 0, "max": 0}))
    );
    assert_eq!(&api.get(HsdsUser::One, noop["href"].as_str().expect("an address")).await.body, noop);
    assert_eq!(api.get(HsdsUser::One, "/operations/rm").await.outcome(), (404, "unknown-operation"));
}
