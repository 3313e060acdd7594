//! Flyte's own tests of its data proxy, item by item, and which of ours says the same.
//!
//! | theirs | ours |
//! |---|---|
//! | `TestCreateUploadLocation`: success | [`a_place_is_given`] |
//! | …: neither root nor digest, too long, too large | [`what_makes_no_sense_is_refused`] |
//! | `TestCheckFileExists`: six cases | [`a_file_that_is_there_is_replaced_by_its_like_alone`]; here a look is taken without a file's name, too |
//! | `TestConstructStoragePath`: by root (three organizations), by digest | [`paths_are_theirs`] |
//! | `TestUploadInputs`: run, project, ignored inputs | [`inputs_of_a_run_are_kept_under_its_organization`]; `upload_inputs::ignored_inputs_are_kept_but_do_not_count` |
//! | …: `base_dir` | `data::inputs::tests::other_places_are_those_that_are_listed`; here only from a list |
//! | `TestGetActionData`: both, one of them, neither | [`data_of_an_action_are_handed_on`] |
//! | …: `RunService` fails, a read fails | [`data_that_cannot_be_had_are_an_error`]; `data::action::tests::what_cannot_be_read_is_an_error` |
//! | `TestTailLogs`: messages and a clean end, no context | `connect::logs_are_streamed` |
//! | …: the context is not found, the reader fails, action and attempt are passed on | [`logs_that_cannot_be_had_are_an_error`], [`the_attempt_is_passed_on`] |
//! | `SelectCluster`: seven cases | `cluster::tests::the_scheme_is_the_first_that_a_proxy_names`, `…::what_is_no_host_is_no_cluster`; `connect::the_cluster_is_where_the_client_is` |
//! | `validation_test`: six cases | [`a_place_is_given`], [`paths_are_theirs`], [`what_makes_no_sense_is_refused`] |
//!
//! None of ours: `k8s_log_streamer_test` (logs of pods are not read), `translator_test` and
//! `literal_json_converter_test` (another service, which is not here), `dataproxyconfig_flags_test` (there are no
//! flags; `config::` has the tests of the configuration).
//!
//! What they have no test of, and we have: links (`data::download::tests`), projects that there are not and
//! strangers (`data::upload::tests::strangers_see_no_project_and_readers_do_not_write`), attacks on paths
//! (`data::upload::tests::what_leads_elsewhere_in_flyte_does_not_here`), `SelectCluster` over HTTP/2, and uploads of
//! other bytes than were signed (`data::stores` of the suite).

use taskgate_idl::proto::flyteidl2::dataproxy::upload_inputs_request::{Id, Task};
use taskgate_idl::proto::flyteidl2::task::{NamedLiteral, Outputs, ProducedArtifact, TaskSpec};

use super::*;

/// Their digest: not one of MD5, which they never check.
const TEST_HASH: &str = "dGVzdC1oYXNo";
const PLACE: &str = r#""project":"p","domain":"d""#;
const MD5: [u8; 16] = [7; 16];
const MD5_TEXT: &str = "BwcHBwcHBwcHBwcHBwcHBw==";

async fn place(world: &World, fields: &str) -> (StatusCode, serde_json::Value) {
    world.json("CreateUploadLocation", &format!("{{{PLACE},{fields}}}")).await
}

#[tokio::test]
async fn a_place_is_given() {
    let world = World::new();
    for expires in [r#","expiresIn":"1800s""#, ""] {
        let fields =
            format!(r#""filenameRoot":"test-root","filename":"test-file.txt","contentMd5":"{TEST_HASH}"{expires}"#);
        let (status, answer) = place(&world, &fields).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert!(answer["signedUrl"].as_str().expect("a URL").starts_with("https://main/"));
        assert_eq!(answer["nativeUrl"], "s3://main/uploads/p/d/test-root/test-file.txt");
        let secs = if expires.is_empty() { 3_600 } else { 1_800 };
        assert_eq!(world.store.last_upload().1.expires_in.as_secs(), secs);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let world = World::new();
    for (fields, text) in [
        (r#""filename":"f""#, "either filename_root or content_md5 must be provided"),
        (r#""filename":"f","filenameRoot":"r","expiresIn":"7200s""#, "exceeds maximum allowed duration"),
        (r#""filename":"f","filenameRoot":"r","contentLength":"209715200""#, "exceeds maximum allowed size"),
    ] {
        let (status, answer) = place(&world, fields).await;
        assert_eq!((status, answer["code"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_argument")), "{answer}");
        assert!(answer["message"].as_str().expect("a message").contains(text), "{answer}");
    }
}

#[tokio::test]
async fn a_file_that_is_there_is_replaced_by_its_like_alone() {
    let world = World::new();
    let key = "uploads/p/d/r/f";
    let digest = format!(r#","contentMd5":"{MD5_TEXT}""#);
    let ask = async |fields: &str| {
        let (status, answer) = place(&world, fields).await;
        (status, answer["message"].as_str().unwrap_or_default().to_owned())
    };
    let named = r#""filenameRoot":"r","filename":"f""#;
    assert_eq!(ask(named).await.0, StatusCode::OK, "nothing is there");
    world.store.put(key, b"there", Some(MD5));
    let (status, text) = ask(named).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(text.contains("content_md5 is required to verify safe overwrite"), "{text}");
    assert_eq!(ask(&format!("{named}{digest}")).await.0, StatusCode::OK, "the same");
    world.store.put(key, b"there", Some([1; 16]));
    let (status, text) = ask(&format!("{named}{digest}")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(text.contains("with different content (hash mismatch)"), "{text}");

    // Flyte does not look where there is no file's name; but `r/f` is `r` and `f`, too.
    assert_eq!(ask(r#""filenameRoot":"r""#).await.0, StatusCode::OK, "nothing is there");
    assert_eq!(ask(r#""filenameRoot":"r/f""#).await.0, StatusCode::CONFLICT);
    // Nobody looks where the digest is the name: the store takes no other bytes.
    world.store.put("uploads/p/d/A4DQOBYHA4DQOBYHA4DQOBYHA4======/f", b"there", None);
    assert_eq!(ask(&format!(r#""filename":"f"{digest}"#)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn paths_are_theirs() {
    let world = World::new();
    let named = r#""filenameRoot":"test-root","filename":"test-file.txt""#;
    for organization in ["", r#","org":"""#, r#","org":"test-org""#] {
        let (_, answer) = place(&world, &format!("{named}{organization}")).await;
        assert_eq!(answer["nativeUrl"], "s3://main/uploads/p/d/test-root/test-file.txt");
    }
    let (_, answer) = place(&world, &format!(r#""filename":"test-file.txt","contentMd5":"{TEST_HASH}""#)).await;
    assert_eq!(answer["nativeUrl"], "s3://main/uploads/p/d/ORSXG5BNNBQXG2A=/test-file.txt");
}

#[tokio::test]
async fn inputs_of_a_run_are_kept_under_its_organization() {
    let world = World::new();
    let run = RunIdentifier { org: "test-org".to_owned(), ..action_id().run.into_option().expect("a run") };
    let body = UploadInputsRequest {
        id: Some(Id::RunId(Box::new(run))),
        task: Some(Task::TaskSpec(Box::<TaskSpec>::default())),
        ..Default::default()
    };
    let path = format!("{DATA_PROXY}/UploadInputs");
    let answer = world.post(&path, "application/proto", body.encode_to_vec()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let data = read::<UploadInputsResponse>(&answer.body).offloaded_input_data;
    assert_eq!(data.uri, format!("s3://main/uploads/test-org/p/d/offloaded-inputs/{}", data.inputs_hash));
    assert!(!data.inputs_hash.is_empty());
}

async fn data(world: &World) -> Answer {
    let ask = GetActionDataRequest { action_id: action_id().into(), ..Default::default() };
    world.post(&format!("{DATA_PROXY}/GetActionData"), "application/proto", ask.encode_to_vec()).await
}

#[tokio::test]
async fn data_of_an_action_are_handed_on() {
    let world = World::new();
    let named = NamedLiteral { name: "o".to_owned(), ..Default::default() };
    let outputs = Outputs {
        literals: vec![named],
        produced_artifacts: vec![ProducedArtifact::default(), ProducedArtifact::default()],
        ..Default::default()
    };
    let seen = async || {
        let answer = data(&world).await;
        assert_eq!(answer.status, StatusCode::OK);
        read::<GetActionDataResponse>(&answer.body)
    };
    let uris = |data: &GetActionDataResponse| (data.inputs_uri.clone(), data.outputs_uri.clone());
    let uri = |name: &str| format!("s3://main/{name}.pb");

    let inputs = seen().await;
    assert_eq!((inputs.inputs.literals.len(), uris(&inputs)), (1, (uri("inputs"), String::new())), "inputs alone");
    world.store.put("outputs.pb", outputs.encode_to_vec().leak(), None);
    let both = seen().await;
    assert_eq!(uris(&both), (uri("inputs"), uri("outputs")));
    assert_eq!((both.inputs.literals[0].name.as_str(), both.outputs.literals[0].name.as_str()), ("x", "o"));
    assert_eq!(both.outputs.produced_artifacts.len(), 2);
    lock(&world.store.objects).remove("inputs.pb");
    let outputs = seen().await;
    assert_eq!((outputs.outputs.literals.len(), uris(&outputs)), (1, (String::new(), uri("outputs"))), "outputs alone");
    lock(&world.store.objects).remove("outputs.pb");
    let neither = seen().await;
    assert_eq!((neither.inputs.literals.len(), neither.outputs.literals.len()), (0, 0));
    assert_eq!(uris(&neither), (String::new(), String::new()));
}

#[tokio::test]
async fn data_that_cannot_be_had_are_an_error() {
    let world = World::new();
    world.store.is_broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let answer = data(&world).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let refused: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(refused["code"], "internal");
    assert!(refused["message"].as_str().expect("a message").starts_with("failed to read inputs from"), "{refused}");

    let answer = data(&World::broken()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "what the catalog says is handed on");
}

/// How a stream of a log ends.
async fn end_of_logs(world: &World) -> serde_json::Value {
    let ask = TailLogsRequest { action_id: action_id().into(), attempt: 1, ..Default::default() };
    let body = frame(0, &ask.encode_to_vec());
    let answer = world.post(&format!("{DATA_PROXY}/TailLogs"), "application/connect+proto", body).await;
    let (flags, end) = frames(&answer.body).pop().expect("the end");
    assert_eq!(flags, 2);
    serde_json::from_slice(&end).expect("JSON")
}

#[tokio::test]
async fn logs_that_cannot_be_had_are_an_error() {
    assert_eq!(end_of_logs(&World::broken()).await["error"]["code"], "unavailable", "the catalog fails");
    let world = World::new();
    lock(&world.store.objects).remove("log.txt");
    assert_eq!(end_of_logs(&world).await["error"]["code"], "not_found", "the log is not there");
    world.store.is_broken.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(end_of_logs(&world).await["error"]["code"], "internal", "the store fails");
}

#[test]
fn the_attempt_is_passed_on() {
    let ask = TailLogsRequest { action_id: action_id().into(), attempt: 3, ..Default::default() };
    assert_eq!(logs::ask(ask).expect("a request"), (action(), 3));
}
