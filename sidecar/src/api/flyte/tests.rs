//! The wire, asked by hand and by the clients of others.

mod acceptance;
mod clients;
mod connect;
mod grpc;
mod upload_inputs;

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use axum::body::Body;
use buffa::Message;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderMap, Method, Request, StatusCode, Version};
use http_body_util::BodyExt as _;
use taskgate_idl::proto::flyteidl2::common::{ActionIdentifier, RunIdentifier};
use tower::Service as _;

use super::*;
use crate::data::catalog::{ActionData, Attempt, LogSource, TaskName};
use crate::data::testing::{FixedCatalog, MemoryStore, Parts, action, lock};

const DATA_PROXY: &str = "/flyteidl2.dataproxy.DataProxyService";
const CLUSTER: &str = "/flyteidl2.cluster.ClusterService";

/// The routes over a store in memory. Who asks says so in `x-user`.
struct World {
    routes: Router,
    store: Arc<MemoryStore>,
    catalog: Arc<FixedCatalog>,
}

/// What was answered.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    trailers: HeaderMap,
}

impl World {
    fn new() -> Self {
        Self::within(MAX_REQUEST)
    }

    /// The same, whose catalog does not answer. It knows projects still.
    fn broken() -> Self {
        Self::with(MAX_REQUEST, true)
    }

    fn within(most: usize) -> Self {
        Self::with(most, false)
    }

    fn with(most: usize, is_broken: bool) -> Self {
        let uri = |name: &str| Some(format!("s3://main/{name}"));
        let report = Attempt { report_uri: uri("report.html"), code_bundle_uri: None };
        let task = TaskName {
            organization: String::new(),
            project: action().project,
            domain: action().domain,
            name: "t".to_owned(),
            version: "v".to_owned(),
        };
        let catalog = Arc::new(FixedCatalog {
            tasks: [("t@v".to_owned(), vec!["y".to_owned()])].into(),
            triggers: [("daily".to_owned(), task)].into(),
            attempts: [(1, report)].into(),
            data: Some(ActionData { inputs_uri: uri("inputs.pb"), outputs_uri: uri("outputs.pb") }),
            log: Some(LogSource::Object { uri: "s3://main/log.txt".to_owned() }).into(),
            is_broken,
        });
        let (service, store, _) = Parts { catalog: Arc::clone(&catalog), ..Parts::default() }.service();
        store.put("report.html", b"<html>", None);
        store.put("log.txt", b"2026-11-21T10:00:00.5Z one\r\ntwo\n", None);
        // Inputs { literals: [{ name: "x" }] } with a field that nobody knows; no outputs.
        store.put("inputs.pb", &[0x0a, 0x03, 0x0a, 0x01, b'x', 0xa2, 0x06, 0x01, b'?'], None);
        Self { routes: routes_within(Arc::new(service), most), store, catalog }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.routes.clone().call(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let collected = body.collect().await.expect("a whole body");
        let trailers = collected.trailers().cloned().unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, body: collected.to_bytes(), trailers }
    }

    async fn post(&self, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        self.send(request(path, content_type).body(body.into()).expect("a request")).await
    }

    async fn json(&self, method: &str, body: &str) -> (StatusCode, serde_json::Value) {
        let answer = self.post(&format!("{DATA_PROXY}/{method}"), "application/json", body.to_owned()).await;
        (answer.status, serde_json::from_slice(&answer.body).expect("JSON"))
    }
}

fn request(path: &str, content_type: &str) -> http::request::Builder {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .version(Version::HTTP_2)
        .header("content-type", content_type)
        .header("x-user", "ann")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).expect("gzip");
    plain
}

/// A message as streams carry it: flags, length, bytes.
fn frame(flags: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short");
    [&[flags][..], &length.to_be_bytes(), bytes].concat()
}

/// The messages of a stream, each with its flags.
fn frames(mut rest: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [flags, a, b, c, d, tail @ ..] = rest {
        let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).expect("short");
        frames.push((*flags, tail[..length].to_vec()));
        rest = &tail[length..];
    }
    assert!(rest.is_empty());
    frames
}

fn read<M: Message + Default>(bytes: &[u8]) -> M {
    M::decode_from_slice(bytes).expect("a message")
}

fn upload() -> CreateUploadLocationRequest {
    CreateUploadLocationRequest {
        project: "p".to_owned(),
        domain: "d".to_owned(),
        filename: "foo bar \u{fc} #1.txt".to_owned(),
        content_md5: vec![7; 16],
        ..Default::default()
    }
}

fn action_id() -> ActionIdentifier {
    let run =
        RunIdentifier { project: "p".to_owned(), domain: "d".to_owned(), name: "run".to_owned(), ..Default::default() };
    ActionIdentifier { run: run.into(), name: "a0".to_owned(), ..Default::default() }
}
