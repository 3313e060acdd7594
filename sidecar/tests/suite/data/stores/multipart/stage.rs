//! The API of data with a store behind it, and a client.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use taskgate::api::data;
use taskgate::data::caller::{Caller, Callers};
use taskgate::data::catalog::templates::{ProjectTemplate, Template, TemplateCatalog, Templates, Variable};
use taskgate::data::error::DataError;
use taskgate::data::logs::settings::LogSettings;
use taskgate::data::path::Key;
use taskgate::data::placement::Placement;
use taskgate::data::service::{DataParts, DataService};
use taskgate::data::settings::DataSettings;
use taskgate::data::store::{Object, Store};

use crate::data::stores::support::{Answer, send};

/// The size of every part but the last.
const PART: usize = 8 << 20;

/// Callers are who they say they are, and have the group of their name. Nothing of the kind is in the program.
#[derive(Debug)]
struct Believed;

#[async_trait]
impl Callers for Believed {
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, DataError> {
        let user = headers.get("x-user").and_then(|value| value.to_str().ok()).ok_or(DataError::Unauthenticated)?;
        Ok(Caller { user: user.into(), groups: vec![user.into()], request_id: "r".into(), ..Caller::default() })
    }
}

/// A server of the API. Project `p` is that of group `p`.
pub(super) struct Stage {
    base: String,
    client: Client,
    pub(super) service: Arc<DataService>,
    pub(super) store: Arc<dyn Store>,
    server: tokio::task::JoinHandle<()>,
}

/// A file of two parts, and what is said of it.
pub(super) struct File {
    name: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl File {
    /// A file of that name with bytes of its own.
    pub(super) fn new(name: &'static str) -> Self {
        let bytes = (0..PART + 100).map(|place| u8::try_from(place % 251).unwrap_or_default()).collect();
        Self { name, bytes }
    }

    pub(super) fn part(&self, number: u16) -> &[u8] {
        self.bytes.chunks(PART).nth(usize::from(number) - 1).expect("a part")
    }

    pub(super) fn key(&self) -> Key {
        Key::parse(&format!("uploads/p/dev/root/{}", self.name)).expect("a key")
    }

    fn ask(&self) -> Value {
        json!({
            "project": "p", "domain": "dev", "filename_root": "root", "filename": self.name,
            "content_length": self.bytes.len(), "content_md5": STANDARD.encode(Md5::digest(&self.bytes)),
        })
    }
}

/// The MD5 digest as requests have it.
pub(super) fn md5(bytes: &[u8]) -> String {
    STANDARD.encode(Md5::digest(bytes))
}

impl Stage {
    pub(super) async fn start(store: Arc<dyn Store>) -> Self {
        let writers = Template::parse("{project}", &[Variable::Project]).expect("a template");
        let projects = ProjectTemplate { writer_groups: vec![writers], ..ProjectTemplate::default() };
        let catalog = TemplateCatalog::new(Templates { projects: Some(projects), ..Templates::default() });
        let service = DataService::new(DataParts {
            callers: Arc::new(Believed),
            catalog: Arc::new(catalog),
            placement: Placement::new([("main".to_owned(), Arc::clone(&store))].into(), Vec::new()).expect("stores"),
            settings: DataSettings::default(),
            logs: LogSettings::default(),
        });
        let service = Arc::new(service.expect("a service"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let base = format!("http://{}/v1/data/multipart", listener.local_addr().expect("an address"));
        let router = data::routes(Arc::clone(&service));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { base, client: Client::new(), service, store, server }
    }

    /// Asks, as somebody, for something about a file. The status and the answer.
    pub(super) async fn ask_as(&self, user: &str, path: &str, file: &File, more: &Value) -> (u16, Value) {
        let mut ask = file.ask();
        for (name, value) in more.as_object().into_iter().flatten() {
            ask[name] = value.clone();
        }
        let request = self.client.post(format!("{}{path}", self.base)).header("x-user", user).json(&ask);
        let answer = request.send().await.expect("answers");
        let status = answer.status().as_u16();
        let body = answer.bytes().await.expect("a body");
        (status, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") })
    }

    /// The same of who may.
    pub(super) async fn ask(&self, path: &str, file: &File, more: &Value) -> (u16, Value) {
        self.ask_as("p", path, file, more).await
    }

    /// Begins an upload of two parts; its name.
    pub(super) async fn begin(&self, file: &File) -> String {
        let (status, begun) = self.ask("", file, &json!({})).await;
        assert_eq!(status, 200, "{begun}");
        assert_eq!((begun["part_size"].as_u64(), begun["parts"].as_u64()), (Some(8 << 20), Some(2)), "{begun}");
        assert_eq!(
            (begun["kept_for"].as_str(), begun["native_url"].as_str()),
            (Some("24h0m0s"), Some(&*self.uri(file)))
        );
        begun["upload_id"].as_str().expect("a name").to_owned()
    }

    /// The address of a file.
    pub(super) fn uri(&self, file: &File) -> String {
        self.store.uri(&file.key())
    }

    /// A part that may be put.
    pub(super) async fn sign(&self, file: &File, upload: &str, part: Value) -> Value {
        let (status, signed) = self.ask("/parts", file, &json!({"upload_id": upload, "parts": [part]})).await;
        assert_eq!(status, 200, "{signed}");
        signed["parts"][0].clone()
    }

    /// A part that may be put, if the store signs one for an upload that may not be of this file.
    pub(super) async fn sign_any(&self, file: &File, upload: &str) -> Option<Value> {
        let (status, signed) = self.ask("/parts", file, &json!({"upload_id": upload, "from": 1, "count": 1})).await;
        (status == 200).then(|| signed["parts"][0].clone())
    }

    /// Puts a part of a file; the tag of the answer.
    pub(super) async fn put(&self, file: &File, upload: &str, number: u16) -> Value {
        let bytes = file.part(number);
        let signed = self.sign(file, upload, json!({"number": number, "content_md5": md5(bytes)})).await;
        let answer = put_signed(&signed, bytes).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        let etag = answer.headers.get("etag").and_then(|value| value.to_str().ok()).unwrap_or_default();
        json!({"number": number, "etag": etag})
    }

    /// The numbers and sizes of the parts that are there.
    pub(super) async fn there(&self, file: &File, upload: &str) -> Vec<(u64, u64)> {
        let (status, list) = self.ask("/list", file, &json!({"upload_id": upload})).await;
        assert_eq!(status, 200, "{list}");
        let parts = list["parts"].as_array().expect("parts").iter();
        parts.map(|part| (part["number"].as_u64().expect("a number"), part["size"].as_u64().expect("a size"))).collect()
    }

    /// What is there under a file's key.
    pub(super) async fn object(&self, file: &File) -> Option<Object> {
        self.store.head(&file.key()).await.expect("looked")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Sends the request that was signed.
pub(super) async fn put_signed(signed: &Value, bytes: &[u8]) -> Answer {
    assert_eq!(signed["method"], "PUT");
    let headers = signed["headers"].as_object().expect("headers").iter();
    let headers: Vec<(String, String)> =
        headers.map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned())).collect();
    send(Method::PUT, signed["url"].as_str().expect("a URL"), &headers, bytes).await
}
