//! Rows and transactions.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Body, RequestBuilder};
use serde_json::{Value, json};
use taskgate_emulators::ytsaurus::{Ytsaurus, codes};
use tokio::sync::mpsc;

use super::ask::{cluster, command, run, send, value, yson};

const TABLE: &str = "//sys/services";

async fn with_table() -> Ytsaurus {
    let cluster = cluster().await;
    value(&cluster, "create", json!({"type": "table", "path": TABLE})).await;
    cluster
}

fn write(cluster: &Ytsaurus, parameters: &Value) -> RequestBuilder {
    command(cluster, "write_table", parameters)
}

/// A body that comes when the test sends it.
fn slow_body() -> (mpsc::Sender<std::io::Result<Vec<u8>>>, Body) {
    let (sender, receiver) = mpsc::channel(4);
    let parts = futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    (sender, Body::wrap_stream(parts.boxed()))
}

#[tokio::test]
async fn rows_are_written_in_any_format_and_read_in_any_other() {
    let cluster = with_table().await;
    let put = |format: Value, body: &'static [u8]| {
        send(write(&cluster, &json!({"path": TABLE, "input_format": format})).body(body))
    };
    let utf8 = json!({"$value": "json", "$attributes": {"encode_utf8": false}});
    assert_eq!(put(utf8.clone(), "{\"a\":\"ы\"}\n{\"a\":\"x\"}".as_bytes()).await.status, 200);
    assert_eq!(cluster.rows(TABLE).unwrap(), [yson("{a=\"ы\"}"), yson("{a=x}")]);
    let text = run(&cluster, "read_table", json!({"path": TABLE})).await;
    assert_eq!(text.text(), "{\"a\"=\"\\xD1\\x8B\";};\n{\"a\"=\"x\";};\n", "text YSON is the default of rows");
    let read = run(&cluster, "read_table", json!({"path": TABLE, "output_format": utf8})).await;
    assert_eq!(read.text(), "{\"a\":\"ы\"}\n{\"a\":\"x\"}\n");
    let parameters: Value = serde_json::from_str(read.header("x-yt-response-parameters").unwrap()).unwrap();
    assert_eq!((&parameters["start_row_index"], &parameters["approximate_row_count"]), (&json!(0), &json!(2)));
    assert_eq!(put(json!("yson"), b"{\x01\x02b=\x02\x04};").await.status, 200);
    assert_eq!(cluster.rows(TABLE).unwrap(), [yson("{b=2}")]);
    let appended = json!({"$value": TABLE, "$attributes": {"append": true}});
    let request = write(&cluster, &json!({"path": appended, "input_format": "json"}));
    assert_eq!(send(request.body("{\"b\":3}")).await.status, 200);
    assert_eq!(cluster.rows(TABLE).unwrap().len(), 2);
    assert_eq!(put(json!("json"), b"").await.status, 200);
    assert_eq!((cluster.rows(TABLE), cluster.writes(TABLE)), (Some(vec![]), 4));
    let bad = put(json!("json"), b"{\"a\":").await;
    assert_eq!((bad.status.as_u16(), cluster.writes(TABLE)), (400, 4));
    let mut missing = write(&cluster, &json!({"path": "//sys/nowhere"}));
    missing = missing.body("");
    assert!(send(missing).await.has_code(codes::RESOLVE));
}

#[tokio::test]
async fn streams_come_in_frames_to_those_that_accept_them() {
    let cluster = with_table().await;
    cluster.set_framing(true);
    send(write(&cluster, &json!({"path": TABLE, "input_format": "json"})).body("{\"a\":1}")).await;
    let read = || command(&cluster, "read_table", &json!({"path": TABLE, "output_format": "json"}));
    let framed = send(read().header("x-yt-accept-framing", "1")).await;
    assert_eq!(framed.header("x-yt-framing"), Some("1"));
    assert_eq!(framed.body, b"\x02\x01\x08\0\0\0{\"a\":1}\n");
    assert_eq!(send(read()).await.body, b"{\"a\":1}\n");
    cluster.set_framing(false);
    assert_eq!(send(read().header("x-yt-accept-framing", "1")).await.header("x-yt-framing"), None);
    let error = command(&cluster, "read_table", &json!({"path": "//nowhere"}));
    assert_eq!(send(error.header("x-yt-accept-framing", "1")).await.header("x-yt-framing"), None);
}

#[tokio::test]
async fn whoever_uploads_slowly_keeps_others_out() {
    let cluster = with_table().await;
    let parameters = json!({"path": TABLE, "input_format": "json"});
    let (sender, body) = slow_body();
    let slow = tokio::spawn(send(write(&cluster, &parameters).body(body)));
    sender.send(Ok(b"{\"a\":1}\n".to_vec())).await.unwrap();
    wait(|| !cluster.transactions().is_empty()).await;
    let second = send(write(&cluster, &parameters).body("{\"a\":2}")).await;
    assert!(second.has_code(codes::LOCK_CONFLICT));
    assert_eq!(cluster.rows(TABLE), Some(vec![]), "nobody sees half a write");
    drop(sender);
    assert_eq!(slow.await.unwrap().status, 200);
    assert_eq!(cluster.rows(TABLE), Some(vec![yson("{a=1}")]));
    let (sender, body) = slow_body();
    let broken = tokio::spawn(write(&cluster, &parameters).body(body).send());
    wait(|| !cluster.transactions().is_empty()).await;
    sender.send(Err(std::io::Error::other("on purpose"))).await.unwrap();
    assert!(broken.await.unwrap().is_err());
    wait(|| cluster.transactions().is_empty()).await;
    let (_sender, body) = slow_body();
    let cut = tokio::spawn(write(&cluster, &parameters).body(body).send());
    wait(|| !cluster.transactions().is_empty()).await;
    cluster.set_reachable(false);
    assert!(cut.await.unwrap().is_err());
    wait(|| cluster.transactions().is_empty()).await;
    cluster.set_reachable(true);
    assert_eq!(send(write(&cluster, &parameters).body("{\"a\":3}")).await.status, 200);
}

#[tokio::test]
async fn transactions_hide_what_they_do_until_they_commit() {
    let cluster = with_table().await;
    let start = json!({"timeout": 60000, "attributes": {"title": "a test"}});
    let id = value(&cluster, "start_transaction", start).await["transaction_id"].as_str().unwrap().to_owned();
    let parameters = json!({"path": TABLE, "input_format": "json", "transaction_id": id});
    assert_eq!(send(write(&cluster, &parameters).body("{\"a\":1}")).await.status, 200);
    assert_eq!((cluster.rows(TABLE), cluster.writes(TABLE)), (Some(vec![]), 0));
    let inside =
        run(&cluster, "read_table", json!({"path": TABLE, "output_format": "json", "transaction_id": id})).await;
    assert_eq!(inside.text(), "{\"a\":1}\n");
    value(&cluster, "commit_transaction", json!({"transaction_id": id})).await;
    assert_eq!((cluster.rows(TABLE), cluster.writes(TABLE)), (Some(vec![yson("{a=1}")]), 1));
    let again = run(&cluster, "commit_transaction", json!({"transaction_id": id})).await;
    assert!(again.has_code(codes::NO_SUCH_TRANSACTION));
    let dead = run(&cluster, "get", json!({"path": TABLE, "transaction_id": id})).await;
    assert_eq!(dead.json()["code"], codes::RESOLVE);
    assert!(dead.has_code(codes::NO_SUCH_TRANSACTION));
}

#[tokio::test]
async fn what_presupposes_a_dead_transaction_is_refused() {
    let cluster = with_table().await;
    let id = value(&cluster, "start_transaction", json!({})).await["transaction_id"].as_str().unwrap().to_owned();
    let prerequisites = json!([id]);
    let parameters = || json!({"path": TABLE, "input_format": "json", "prerequisite_transaction_ids": prerequisites});
    assert_eq!(send(write(&cluster, &parameters()).body("{\"a\":1}")).await.status, 200);
    cluster.abort_transaction(id.parse().unwrap());
    assert!(send(write(&cluster, &parameters()).body("")).await.has_code(codes::PREREQUISITE));
    assert_eq!(cluster.rows(TABLE), Some(vec![yson("{a=1}")]));
    for (name, mut parameters) in
        [("start_transaction", json!({})), ("create", json!({"type": "map_node", "path": "//tmp/x"}))]
    {
        parameters["prerequisite_transaction_ids"] = prerequisites.clone();
        assert!(run(&cluster, name, parameters).await.has_code(codes::PREREQUISITE), "{name}");
    }
}

#[tokio::test]
async fn transactions_end_by_the_clock() {
    let cluster = with_table().await;
    let id = value(&cluster, "start_transaction", json!({"timeout": 20})).await["transaction_id"].clone();
    wait(|| cluster.transactions().is_empty()).await;
    assert!(
        run(&cluster, "commit_transaction", json!({"transaction_id": id})).await.has_code(codes::NO_SUCH_TRANSACTION)
    );
}

/// Waits until something is so.
async fn wait(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
}
