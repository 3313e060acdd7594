//! What outlives the process, and what two processes share.

use serde_json::{Value, json};
use taskgate::access::store::{
    AccessStore, Added, Bounds, Creator, Ending, KeptRevocation, MAX_OF_ACTOR, Selection, Share,
};
use taskgate::digest::Digest;
use taskgate::lifecycle::Tasks;
use taskgate::secret::SecretText;
use taskgate::tasks::store::Settings;
use taskgate_core::revocation::{Revocation, Revoked};
use taskgate_core::share::PathScope;
use taskgate_core::time::UnixTime;
use taskgate_core::token::TokenId;
use taskgate_test_kit::Postgres;

use super::support::{SERVICES, Worker, ask, id, operator, settings, share, start, until};
use crate::kit::Sidecar;

#[tokio::test]
async fn a_link_that_was_taken_back_stays_so_after_a_restart() {
    let sidecar = start("state: {directory: state}").await;
    let body = json!({"service": id(&sidecar, "op1"), "lifetime_secs": 3600});
    let (gone, share_id) = share(&sidecar, "alice", body.clone()).await;
    let (good, _) = share(&sidecar, "alice", body).await;
    ask(&sidecar, "alice", "DELETE", &format!("/v1/shares/{share_id}"), Value::Null).await;
    let (_, ended) = operator(&sidecar, "POST", "/internal/sessions/end", json!({"actor": "bob"})).await;
    assert_eq!(ended["kept"], true);

    let directory = sidecar.end().await;
    assert!(directory.path().join("state/access.db").exists());
    let again = Sidecar::start_in(directory, &settings("state: {directory: state}")).await;
    again.table().await;
    let mut worker = Worker::new(&again).await;
    assert_eq!(worker.seen(&gone, &[]).await, "share-ended");
    assert_eq!(worker.seen(&good, &[]).await, "-> /");
    let (_, list) = ask(&again, "alice", "GET", "/v1/shares", Value::Null).await;
    assert_eq!(list["shares"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn what_one_process_takes_back_the_other_refuses() {
    let shared = tempfile::tempdir().expect("a directory");
    let store = format!("sqlite:{}", shared.path().join("access.db").display());
    let settings = || settings("").replace("access: {}", &format!("access: {{store: \"{store}\"}}"));
    let begin = async || {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("services.yaml"), SERVICES).expect("writes");
        let sidecar = Sidecar::start_in(directory, &settings()).await;
        sidecar.table().await;
        sidecar
    };
    let (one, other) = (begin().await, begin().await);
    let body = json!({"service": id(&one, "op1"), "lifetime_secs": 3600});
    let (link, share) = share(&one, "alice", body).await;
    let mut worker = Worker::new(&other).await;
    assert_eq!(worker.seen(&link, &[]).await, "-> /");
    ask(&one, "alice", "DELETE", &format!("/v1/shares/{share}"), Value::Null).await;
    let began = std::time::Instant::now();
    loop {
        worker.refresh().await;
        if worker.seen(&link, &[]).await == "share-ended" {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    until(async || ask(&other, "alice", "GET", "/v1/shares", Value::Null).await.1["shares"][0]["state"] == "ended")
        .await;
}

#[test]
fn a_store_that_is_none_is_said_when_the_configuration_is_read() {
    for (access, because) in [
        ("{store: \"mysql://x\"}", "`access.store`: is neither `sqlite:<path>` nor"),
        ("{store: \"sqlite:\"}", "`access.store`: names no file"),
        ("{shares: {max_lifetime_secs: 0}}", "`access.shares.max_lifetime_secs`: 0 is not between"),
    ] {
        let text = settings("").replace("access: {}", &format!("access: {access}"));
        let error = taskgate::config::load::read(&text, std::path::Path::new("/")).expect_err("refused");
        assert!(error.to_string().contains(because), "{error}");
    }
}

fn at(millis: u64) -> UnixTime {
    UnixTime::from_millis(millis)
}

fn kept(number: u64, uses: Option<u64>) -> Share {
    Share {
        id: TokenId::new(number),
        service: "ae5cf6f5".into(),
        origin: u32::MAX,
        creator: Creator::Person { name: "alice".into(), groups: vec!["ml".into(), "a \"b\"".into()] },
        scope: PathScope::parse("/a").expect("a scope"),
        created_at: at(number),
        expires_at: at(1_000),
        uses,
        used: 0,
        last_used_at: None,
        addressee: Some("bob".into()),
        note: "алиса".into(),
        code: Some(Digest::of(b"code")),
        ending: None,
    }
}

/// What two processes do on one database.
async fn keeps(one: &AccessStore, other: &AccessStore) {
    let bounds = Bounds { live: 2, of_creator: 3, all: 4 };
    let (first, second) = (kept(1, Some(5)), kept(2, None));
    assert_eq!(one.add(&first, bounds, at(0)).await, Ok(Added::Added));
    assert_eq!(other.add(&second, bounds, at(0)).await, Ok(Added::Added));
    assert!(matches!(one.add(&kept(3, None), bounds, at(0)).await, Ok(Added::TooMany(_))), "live ones");
    assert_eq!(other.share(first.id).await, Ok(Some(first.clone())), "as it was kept");
    assert_eq!(other.share(TokenId::new(9)).await, Ok(None));

    // Uses are counted once, whoever counts.
    let stores = [one, other, one, other, one, other, one, other];
    let used = futures_util::future::join_all(stores.map(|store| store.redeem(first.id, at(7)))).await;
    assert_eq!(used.iter().filter(|used| **used == Ok(true)).count(), 5, "{used:?}");
    let now = one.share(first.id).await.expect("reads").expect("is there");
    assert_eq!((now.used, now.last_used_at), (5, Some(at(7))));
    assert_eq!(other.redeem(second.id, at(999)).await, Ok(true));
    assert_eq!(other.redeem(second.id, at(1_000)).await, Ok(false), "over");

    let before = other.change().await.expect("a number");
    let ending = Ending { at: at(10), by: "alice".into(), why: "revoked".into() };
    assert_eq!(one.end_share(&first, &ending).await, Ok(true));
    assert_eq!(other.end_share(&first, &ending).await, Ok(false), "once");
    assert!(other.change().await.expect("a number") > before, "others see that there is news");
    assert_eq!(other.share(first.id).await.expect("reads").and_then(|share| share.ending), Some(ending));
    assert_eq!(other.redeem(first.id, at(11)).await, Ok(false));
    let live = other.live_shares(at(11)).await.expect("reads");
    assert_eq!(live.iter().map(|share| share.id).collect::<Vec<_>>(), [second.id]);
    // One that was taken back still counts, since workers have to remember it.
    assert_eq!(one.add(&kept(3, None), bounds, at(11)).await, Ok(Added::Added));
    assert!(matches!(one.add(&kept(4, None), Bounds { live: 9, ..bounds }, at(11)).await, Ok(Added::TooMany(_))));
    let newest = one.shares(&Selection { creator: Some("alice".into()), ..Selection::default() }).await;
    assert_eq!(newest.expect("reads").first().map(|share| share.id), Some(TokenId::new(3)));
    let none = Selection { service: Some("0badc0de".into()), creator: None };
    assert_eq!(one.shares(&none).await, Ok(Vec::new()));

    // Of two revocations of one person the later one counts, whichever is kept last.
    for (when, until) in [(20, 500), (30, 600), (25, 400)] {
        let revocation = Revocation { revoked: Revoked::Actor("bob".into()), at: at(when) };
        let entry = KeptRevocation { revocation, until: at(until), by: "operator".into(), actor: None };
        assert_eq!(one.revoke(&entry).await, Ok(()));
    }
    let list = other.revocations(at(599)).await.expect("reads");
    let told: Vec<(Revoked, UnixTime)> =
        list.into_iter().map(|kept| (kept.revocation.revoked, kept.revocation.at)).collect();
    assert_eq!(told, [(Revoked::Share(first.id), at(10)), (Revoked::Actor("bob".into()), at(30))]);
    // A person's many sign-ins are one entry; nobody else's are in it.
    for (number, actor) in (100..=130).map(|number| (number, "mallory")).chain([(200, "alice")]) {
        let revocation = Revocation { revoked: Revoked::Session(TokenId::new(number)), at: at(number) };
        let entry = KeptRevocation { revocation, until: at(500), by: actor.into(), actor: Some(actor.into()) };
        assert_eq!(one.revoke(&entry).await, Ok(()));
    }
    let list = other.revocations(at(0)).await.expect("reads");
    let of = |name: &str| list.iter().filter(|kept| kept.actor.as_deref() == Some(name)).count();
    assert!(of("mallory") <= MAX_OF_ACTOR && of("alice") == 1, "{list:?}");
    let theirs = list.iter().find(|kept| kept.revocation.revoked == Revoked::Actor("mallory".into()));
    assert!(theirs.is_some_and(|kept| kept.revocation.at >= at(116)), "{list:?}");
    one.prune(at(600), at(1_000)).await.expect("prunes");
    let left = other.revocations(at(0)).await.expect("reads");
    let of_the_link = |kept: &KeptRevocation| kept.revocation.revoked == Revoked::Share(first.id);
    // What ends a person's sessions lasts as long as a link could have given one.
    let of_bob = |kept: &KeptRevocation| kept.revocation.revoked == Revoked::Actor("bob".into());
    assert!(left.len() == 2 && left.iter().any(of_the_link) && left.iter().any(of_bob), "{left:?}");
    assert_eq!(other.share(first.id).await, Ok(None));
}

#[tokio::test]
async fn two_processes_share_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = SecretText::from(format!("sqlite:{}", directory.path().join("new/access.db").display()));
    let one = AccessStore::open(Some(&address)).await.expect("opens");
    let other = AccessStore::open(Some(&address)).await.expect("opens");
    assert!(one.is_kept());
    keeps(&one, &other).await;
}

#[tokio::test]
async fn two_processes_share_a_server_with_tasks() {
    let server = tokio::task::spawn_blocking(Postgres::start).await.expect("no panic").expect("PostgreSQL");
    let tasks = Tasks::new();
    taskgate::tasks::store::open(&server.url(), &Settings::default(), &tasks).await.expect("a store of tasks");
    let address = SecretText::from(server.url());
    let (one, other) = tokio::join!(AccessStore::open(Some(&address)), AccessStore::open(Some(&address)));
    keeps(&one.expect("opens"), &other.expect("opens")).await;
    taskgate::tasks::store::open(&server.url(), &Settings::default(), &tasks).await.expect("tasks again");
}

#[tokio::test]
async fn memory_is_enough_for_one() {
    let store = AccessStore::open(None).await.expect("opens");
    assert!(!store.is_kept());
    keeps(&store, &store).await;
}
