use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::data::catalog::{ActionData, Attempt, LogSource};
use crate::data::logs::settings::LogSettings;
use crate::data::testing::{FixedCatalog, MemoryStore, Parts, lock};

const MD5: &str = "1B2M2Y8AsgTpgAmY7PhCfg==";

/// A server of the API, and who asks it.
struct Stage {
    base: String,
    client: Client,
    store: Arc<MemoryStore>,
    catalog: Arc<FixedCatalog>,
    folder: tempfile::TempDir,
    server: tokio::task::JoinHandle<()>,
}

async fn stage() -> Stage {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.log").to_str().expect("text").to_owned();
    let report = Attempt { report_uri: Some("s3://main/report.html".into()), code_bundle_uri: None };
    let catalog = Arc::new(FixedCatalog {
        attempts: [(1, report)].into(),
        data: Some(ActionData { inputs_uri: Some("s3://main/in.pb".into()), outputs_uri: None }),
        log: std::sync::Mutex::new(Some(LogSource::File { path, follow: true })),
        ..FixedCatalog::default()
    });
    let logs = LogSettings {
        folders: vec![folder.path().to_owned()],
        poll: Duration::from_millis(5),
        recheck: Duration::from_millis(20),
        ..LogSettings::default()
    };
    let (service, store, _) = Parts { catalog: Arc::clone(&catalog), logs, ..Parts::default() }.service();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let base = format!("http://{}/v1/data", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        axum::serve(listener, routes(Arc::new(service))).await.expect("serves");
    });
    let client = Client::builder().timeout(Duration::from_secs(20)).build().expect("a client");
    Stage { base, client, store, catalog, folder, server }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Stage {
    fn get(&self, path: &str, user: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base)).header("x-user", user)
    }

    async fn post(&self, path: &str, user: &str, body: Value) -> (StatusCode, Value) {
        let request = self.client.post(format!("{}{path}", self.base)).header("x-user", user).json(&body);
        read(request.send().await.expect("answers")).await
    }
}

async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    (status, response.json().await.expect("JSON"))
}

#[tokio::test]
async fn an_upload_is_signed() {
    let stage = stage().await;
    let mut ask = json!({
        "project": "p", "domain": "d", "filename": "a b.txt", "content_md5": MD5, "content_length": 3, "expires_in": "15m"
    });
    let (status, answer) = stage.post("/uploads", "ann", ask.clone()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["method"], "PUT");
    assert_eq!(answer["native_url"], "s3://main/uploads/p/d/2QOYZWMPACZAJ2MABGMOZ6CCPY======/a b.txt");
    assert_eq!(answer["expires_at"], "1970-01-01T00:00:01Z");
    assert!(answer["url"].as_str().expect("text").starts_with("https://main/uploads/p/d/"));
    let (_, terms) = stage.store.last_upload();
    assert_eq!((terms.expires_in, terms.content_length), (Duration::from_secs(900), Some(3)));
    assert_eq!(answer.get("protocol"), None);
    ask["resumable"] = json!(true);
    let (_, answer) = stage.post("/uploads", "ann", ask.clone()).await;
    assert_eq!((&answer["method"], &answer["protocol"]), (&json!("PATCH"), &json!("tus")));
    ask["resumable"] = json!(false);

    let refusals = [
        ("expires_in", json!("2h"), 400, "malformed-request"),
        ("expires_in", json!("soon"), 400, "malformed-request"),
        ("content_md5", json!("x"), 400, "malformed-request"),
        ("project", json!("missing"), 404, "not-found"),
        ("filename", json!("../x"), 400, "malformed-request"),
        ("unknown", json!(1), 400, "malformed-request"),
    ];
    for (key, value, status, code) in refusals {
        let before = ask[key].take();
        ask[key] = value;
        let (own_status, answer) = stage.post("/uploads", "ann", ask.clone()).await;
        assert_eq!((own_status.as_u16(), answer["code"].as_str()), (status, Some(code)), "{key}: {answer}");
        ask[key] = before;
        if key == "unknown" {
            ask.as_object_mut().expect("an object").remove(key);
        }
    }
    let (status, answer) = stage.post("/uploads", "bob", ask.clone()).await;
    assert_eq!((status.as_u16(), answer["code"].as_str()), (403, Some("access-denied")));
    let (status, answer) = stage.post("/uploads", "eve", ask.clone()).await;
    assert_eq!((status.as_u16(), answer["detail"].as_str()), (404, Some("project \"p\" not found")));
    let anonymous = stage.client.post(format!("{}/uploads", stage.base)).json(&ask).send().await.expect("answers");
    assert_eq!(anonymous.headers()["www-authenticate"], "Bearer");
    assert_eq!(anonymous.status(), 401);
}

#[tokio::test]
async fn a_report_is_linked_and_data_are_read() {
    let stage = stage().await;
    stage.store.put("report.html", b"<html>", None);
    let ask = json!({"artifact": "report", "project": "p", "domain": "d", "run": "r", "action": "a", "attempt": 1});
    let (status, answer) = stage.post("/downloads", "bob", ask).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["requests"][0]["method"], "GET");
    assert!(answer["requests"][0]["url"].as_str().expect("text").contains("report.html"));
    assert_eq!((answer["size"].as_u64(), answer.get("content_md5")), (Some(6), None));

    stage.store.put("uploads/p/d/a b.txt", b"bytes", Some([0; 16]));
    let (status, answer) = stage.post("/downloads", "bob", json!({"uri": "s3://main/uploads/p/d/a b.txt"})).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["requests"][0]["url"].as_str().expect("text").contains("a b.txt"));
    assert_eq!((&answer["size"], &answer["content_md5"]), (&json!(5), &json!("AAAAAAAAAAAAAAAAAAAAAA==")));
    for (ask, expected) in [
        (json!({"uri": "s3://main/uploads/p/d/no"}), 404),
        (json!({"uri": "s3://main/report.html"}), 404),
        (json!({"uri": "s3://main/uploads/p/d/a b.txt", "project": "p"}), 400),
        (json!({"uri": 1}), 400),
        (json!({"uri": null}), 400),
        (json!([]), 400),
    ] {
        let (status, answer) = stage.post("/downloads", "bob", ask).await;
        assert_eq!(status.as_u16(), expected, "{answer}");
    }

    stage.store.put("in.pb", b"\x0a\x00", None);
    let inputs = stage.get("/actions/p/d/r/a/inputs", "bob").send().await.expect("answers");
    assert_eq!(inputs.headers()["content-type"], "application/x-protobuf");
    assert_eq!(&inputs.bytes().await.expect("bytes")[..], b"\x0a\x00");
    let (status, answer) = read(stage.get("/actions/p/d/r/a/outputs", "bob").send().await.expect("answers")).await;
    assert_eq!((status.as_u16(), answer["code"].as_str()), (404, Some("not-found")));
    for path in ["/actions/p/d/%2e%2e/a/inputs", "/actions/p/d/r%2Fx/a/inputs", "/actions/p%2F/d/r/a/inputs"] {
        let url = format!("{}{path}", stage.base);
        let status = stage.client.get(url).header("x-user", "bob").send().await.expect("answers").status();
        assert!(status == 400 || status == 404, "{path}: {status}");
    }
}

#[tokio::test]
async fn inputs_are_kept() {
    let stage = stage().await;
    let put = async |user: &str, hash: &str, query: &str| {
        let url = format!("{}/inputs/p/d/{hash}{query}", stage.base);
        read(stage.client.put(url).header("x-user", user).body("message").send().await.expect("answers")).await
    };
    let (status, answer) = put("ann", "ImqB6TmEjYE", "?organization=o").await;
    let uri = "s3://main/uploads/o/p/d/offloaded-inputs/ImqB6TmEjYE";
    assert_eq!((status.as_u16(), answer), (200, json!({"uri": uri, "inputs_hash": "ImqB6TmEjYE"})));
    assert_eq!(put("ann", "a.b", "").await.0, 400);
    assert_eq!(put("ann", "x", "?organization=o&organization=p").await.0, 400);
    assert_eq!(put("ann", "x", "?base_dir=s3://other/x").await.0, 403);
    assert_eq!(put("bob", "x", "").await.0, 403);
    assert_eq!(put("eve", "x", "").await.0, 404);
}

#[tokio::test]
async fn a_log_is_sent_as_it_grows() {
    let stage = stage().await;
    let log = stage.folder.path().join("a.log");
    std::fs::write(&log, "2024-01-02T03:04:05Z one\n").expect("writes");
    let mut events =
        stage.get("/logs/p/d/r/a/1", "bob").header("accept", "text/event-stream").send().await.expect("answers");
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let first = events.chunk().await.expect("comes").expect("has not ended");
    assert_eq!(
        std::str::from_utf8(&first).expect("text"),
        "event: line\ndata: {\"time\":\"2024-01-02T03:04:05Z\",\"message\":\"one\"}\n\n"
    );
    let mut file = std::fs::OpenOptions::new().append(true).open(&log).expect("opens");
    std::io::Write::write_all(&mut file, b"two\n").expect("writes");
    *lock(&stage.catalog.log) = None;
    let rest = events.text().await.expect("ends");
    assert!(rest.ends_with("event: line\ndata: {\"message\":\"two\"}\n\nevent: end\ndata: {}\n\n"), "{rest}");

    let (status, answer) = read(stage.get("/logs/p/d/r/a/1", "bob").send().await.expect("answers")).await;
    assert_eq!((status.as_u16(), answer["detail"].as_str()), (404, Some("no log context found")));
    *lock(&stage.catalog.log) = Some(LogSource::File { path: log.to_str().expect("text").into(), follow: false });
    let plain = stage.get("/logs/p/d/r/a/1", "bob").send().await.expect("answers");
    assert_eq!(plain.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(plain.text().await.expect("text"), "2024-01-02T03:04:05Z one\ntwo\n");
    for (path, status) in [("/logs/p/d/r/a/0", 400), ("/logs/p/d/r/a/x", 400), ("/logs/p/d/r/a/-1", 400)] {
        assert_eq!(stage.get(path, "bob").send().await.expect("answers").status(), status, "{path}");
    }
    assert_eq!(stage.get("/logs/p/d/r/a/1", "eve").send().await.expect("answers").status(), 404);
}
