//! Inputs: what is hashed, and what is kept.

use taskgate_idl::proto::flyteidl2::common::{ProjectIdentifier, TriggerName};
use taskgate_idl::proto::flyteidl2::core::{Binary, Literal, Scalar, TaskMetadata, TaskTemplate, literal, scalar};
use taskgate_idl::proto::flyteidl2::dataproxy::upload_inputs_request::{Id, Task};
use taskgate_idl::proto::flyteidl2::task::{Inputs, NamedLiteral, TaskIdentifier, TaskSpec};

use super::*;

/// Inputs of Flyte's SDK: x = 1 and y = "hello".
const X: &[u8] = &[0x0a, 0x0b, 0x0a, 0x01, b'x', 0x12, 0x06, 0x0a, 0x04, 0x0a, 0x02, 0x08, 0x01];
const Y: &[u8] =
    &[0x0a, 0x10, 0x0a, 0x01, b'y', 0x12, 0x0b, 0x0a, 0x09, 0x0a, 0x07, 0x1a, 5, b'h', b'e', b'l', b'l', b'o'];
/// The key of x = 1.
const X_KEY: &str = "ImpW6TmERHA";

fn project() -> Option<Id> {
    let id = ProjectIdentifier { name: "p".to_owned(), domain: "d".to_owned(), ..Default::default() };
    Some(Id::ProjectId(Box::new(id)))
}

fn described(ignored: &[&str]) -> Option<Task> {
    let ignored = ignored.iter().map(|name| (*name).to_owned()).collect();
    let metadata = TaskMetadata { cache_ignore_input_vars: ignored, ..Default::default() };
    let template = TaskTemplate { metadata: metadata.into(), ..Default::default() };
    Some(Task::TaskSpec(Box::new(TaskSpec { task_template: template.into(), ..Default::default() })))
}

fn head(id: Option<Id>, task: Option<Task>) -> Vec<u8> {
    UploadInputsRequest { id, task, ..Default::default() }.encode_to_vec()
}

/// A request with these inputs, byte by byte.
fn with(head: Vec<u8>, inputs: &[u8]) -> Vec<u8> {
    let mut bytes = head;
    bytes.push(0x32);
    let mut length = inputs.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7f).expect("a byte") | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).expect("a byte"));
    bytes.extend_from_slice(inputs);
    bytes
}

async fn keep(world: &World, body: Vec<u8>) -> Result<(String, String), String> {
    let answer = world.post(&format!("{DATA_PROXY}/UploadInputs"), "application/proto", body).await;
    if answer.status != StatusCode::OK {
        return Err(String::from_utf8_lossy(&answer.body).into_owned());
    }
    let data = read::<UploadInputsResponse>(&answer.body).offloaded_input_data;
    Ok((data.uri.clone(), data.inputs_hash.clone()))
}

#[tokio::test]
async fn what_was_sent_is_kept_byte_by_byte() {
    let world = World::new();
    // A field that nobody knows, and fields in an order that no encoder has.
    let odd = [&[0xa2, 0x06, 0x01, b'?'][..], X].concat();
    let (uri, key) = keep(&world, with(head(project(), described(&[])), &odd)).await.expect("is kept");
    assert_eq!(uri, format!("s3://main/uploads/p/d/offloaded-inputs/{key}"));
    let kept = world.store.get(&format!("uploads/p/d/offloaded-inputs/{key}/inputs.pb"));
    assert_eq!(kept.as_deref(), Some(&odd[..]));
    assert_ne!(key, X_KEY, "what is unknown counts");
}

#[tokio::test]
async fn ignored_inputs_are_kept_but_do_not_count() {
    let world = World::new();
    let both = [X, Y].concat();
    let task = TaskIdentifier {
        project: "p".to_owned(),
        domain: "d".to_owned(),
        name: "t".to_owned(),
        version: "v".to_owned(),
        ..Default::default()
    };
    let trigger = TriggerName {
        project: "p".to_owned(),
        domain: "d".to_owned(),
        name: "daily".to_owned(),
        task_name: "t".to_owned(),
        ..Default::default()
    };
    for task in [described(&["y"]), Some(Task::TaskId(Box::new(task))), Some(Task::TriggerName(Box::new(trigger)))] {
        let (_, key) = keep(&world, with(head(project(), task), &both)).await.expect("is kept");
        assert_eq!(key, X_KEY);
    }
    let kept = world.store.get(&format!("uploads/p/d/offloaded-inputs/{X_KEY}/inputs.pb"));
    assert_eq!(kept.as_deref(), Some(&both[..]));
    // Without it: the same key, and another place.
    let (uri, key) = keep(&world, with(head(project(), described(&["y"])), X)).await.expect("is kept");
    assert_eq!(key, X_KEY);
    assert!(uri.starts_with(&format!("s3://main/uploads/p/d/offloaded-inputs/{X_KEY}-")), "{uri}");
}

#[tokio::test]
async fn json_has_the_same_key() {
    let world = World::new();
    let body = r#"{"projectId":{"name":"p","domain":"d"},"taskSpec":{},
        "inputs":{"literals":[{"name":"x","value":{"scalar":{"primitive":{"integer":"1"}}}}]}}"#;
    let (status, answer) = world.json("UploadInputs", body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["offloadedInputData"]["inputsHash"], X_KEY);
}

#[tokio::test]
async fn what_is_missing_is_told() {
    let world = World::new();
    for (head, text) in [
        (head(None, described(&[])), r#"{"code":"invalid_argument","message":"id is required"}"#),
        (head(project(), None), r#"{"code":"invalid_argument","message":"task is required"}"#),
    ] {
        assert_eq!(keep(&world, with(head, X)).await.expect_err("is refused"), text);
    }
    let (_, key) = keep(&world, head(project(), described(&[]))).await.expect("no inputs are inputs");
    assert_eq!(key, "y_Kc5IQiIyU");
}

#[tokio::test]
async fn inputs_may_be_large_but_not_endless() {
    let world = World::within(11 << 20);
    let binary = |size: usize| {
        let binary = Binary { value: vec![7; size], ..Default::default() };
        let scalar = Scalar { value: Some(scalar::Value::Binary(Box::new(binary))), ..Default::default() };
        let literal = Literal { value: Some(literal::Value::Scalar(Box::new(scalar))), ..Default::default() };
        let named = NamedLiteral { name: "b".to_owned(), value: literal.into(), ..Default::default() };
        Inputs { literals: vec![named], ..Default::default() }.encode_to_vec()
    };
    let large = with(head(project(), described(&[])), &binary(10 << 20));
    keep(&world, large.clone()).await.expect("is kept");
    let endless = with(head(project(), described(&[])), &binary(11 << 20));
    assert!(keep(&world, endless.clone()).await.expect_err("is refused").contains("resource_exhausted"));
    let request = request(&format!("{DATA_PROXY}/UploadInputs"), "application/proto");
    let bomb = request.header("content-encoding", "gzip").body(gzip(&endless).into()).expect("a request");
    assert_eq!(world.send(bomb).await.status, StatusCode::TOO_MANY_REQUESTS, "it is large when it is unpacked");
}

#[tokio::test]
async fn many_small_inputs_are_taken() {
    let world = World::new();
    let body = with(head(project(), described(&[])), &X.repeat(300_000));
    keep(&world, body).await.expect("is kept");
}
