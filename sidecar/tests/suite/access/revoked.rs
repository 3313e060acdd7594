//! Ending things often, with and without a store that can be written, ends nothing of anybody else.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use taskgate_core::revocation::{Revocation, Revocations, Revoked};
use taskgate_core::token::TokenId;

use super::support::{Worker, ask, id, operator, share, start, until};
use crate::kit::{START, Sidecar};

const HOUR: Duration = Duration::from_secs(3600);

fn told(sidecar: &Sidecar) -> Vec<Revocation> {
    sidecar.running.app.control.control().revocations
}

async fn sign_out(sidecar: &Sidecar, numbers: std::ops::Range<u64>, actor: &str) {
    let access = &sidecar.running.app.access;
    let end = |number| access.end_sessions(Revoked::Session(TokenId::new(number)), actor, HOUR);
    join_all(numbers.map(end)).await;
}

#[tokio::test]
async fn who_signs_out_often_is_one_entry_and_a_few_lists() {
    let sidecar = start("").await;
    let before = sidecar.running.app.control.control().number;
    sign_out(&sidecar, 1..101, "mallory").await;
    sign_out(&sidecar, 200..201, "alice").await;
    let list = told(&sidecar);
    assert!(list.len() <= 20, "{}", list.len());
    let ended = Revocations::new(&list);
    assert!(ended.end_actor("mallory", START) && !ended.end_actor("alice", START) && !ended.end_actor("bob", START));
    // Who has a link can't end it by signing out, however often.
    sign_out(&sidecar, 300..400, "share:000000000000000a").await;
    assert!(!Revocations::new(&told(&sidecar)).end_actor("share:000000000000000a", START));
    assert!(told(&sidecar).len() <= 40, "{}", told(&sidecar).len());
    let lists = sidecar.running.app.control.control().number - before;
    assert!(lists < 20, "{lists} lists went to every worker");
}

#[tokio::test]
async fn what_is_not_kept_yet_is_there_once() {
    let sidecar = start("").await;
    sidecar.running.app.access.store().close().await;
    let actors: Vec<String> = (0..200).map(|number| format!("u{number}")).collect();
    for half in actors.chunks(100).chain(actors.chunks(100)) {
        let end = |actor: &String| {
            let (access, actor) = (&sidecar.running.app.access, actor.clone());
            async move { access.end_sessions(Revoked::Actor(actor.clone()), &actor, HOUR).await }
        };
        assert!(join_all(half.iter().map(end)).await.iter().all(Result::is_err), "it is not kept");
    }
    let list = told(&sidecar);
    assert_eq!(list.len(), 200, "in force all the same, and each once");
    assert!(!Revocations::new(&list).end_actor("alice", START));
}

#[tokio::test]
async fn a_link_taken_back_without_a_store_is_marked_so_afterwards() {
    let sidecar = start("state: {directory: state}").await;
    let (link, share_id) =
        share(&sidecar, "alice", json!({"service": id(&sidecar, "op1"), "lifetime_secs": 3600})).await;
    let address = format!("sqlite:{}", sidecar.directory.path().join("state/access.db").display());
    let mut database = SqliteConnection::connect(&address).await.expect("opens");
    let broken = sqlx::query("ALTER TABLE access_change RENAME TO away").execute(&mut database).await;
    broken.expect("renames");
    let (status, _) = ask(&sidecar, "alice", "DELETE", &format!("/v1/shares/{share_id}"), Value::Null).await;
    assert_eq!(status, 503, "it is to be done again");
    let mut worker = Worker::new(&sidecar).await;
    assert_eq!(worker.seen(&link, &[]).await, "share-ended", "in force all the same");
    let whole = sqlx::query("ALTER TABLE away RENAME TO access_change").execute(&mut database).await;
    whole.expect("renames");
    until(async || {
        let (_, list) = operator(&sidecar, "GET", "/internal/shares", Value::Null).await;
        list["shares"][0]["state"] == "ended"
    })
    .await;
    let (_, list) = operator(&sidecar, "GET", "/internal/shares", Value::Null).await;
    assert_eq!(list["shares"][0]["ended_by"], "alice");
}

#[tokio::test]
async fn plain_links_end_with_everybody_and_stay_so() {
    let sidecar = start("").await;
    let month = json!({"service": id(&sidecar, "op1"), "lifetime_secs": 2_592_000});
    let (link, _) = share(&sidecar, "alice", month.clone()).await;
    assert_eq!(operator(&sidecar, "POST", "/internal/sessions/end", json!({"everybody": true})).await.0, 200);
    let (_, list) = ask(&sidecar, "alice", "GET", "/v1/shares", Value::Null).await;
    assert_eq!((&list["shares"][0]["state"], &list["shares"][0]["ended_by"]), (&json!("ended"), &json!("operator")));
    let (status, _) = ask(&sidecar, "alice", "POST", "/v1/shares", month.clone()).await;
    assert_eq!(status, 503, "one made now would be over");
    // Long after every session of then is over.
    sidecar.clock.advance(Duration::from_secs(20 * 86_400));
    sidecar.running.app.access.refresh().await.expect("reads");
    let mut worker = Worker::new(&sidecar).await;
    assert_eq!(worker.seen(&link, &[]).await, "share-ended");
    let (link, _) = share(&sidecar, "alice", month).await;
    assert_eq!(worker.seen(&link, &[]).await, "-> /");
}
