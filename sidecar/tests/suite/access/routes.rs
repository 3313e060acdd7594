//! Every route of the public listener, and what comes of it anonymously, as a stranger, as a reader and as the owner.
//!
//! Routers can't list their routes, so the test looks for them where they are written: every `.route(` of the API's
//! files has to be in the table, and a path that the source does not spell out is named below with its file. Which
//! methods a path has is found out by asking it: one that is answered by anything but 405 has to have a row. So a new
//! route, or a new method of one, fails here until somebody says who gets what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use axum::Json;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use serde_json::{Value, json};

use super::support::{PEOPLE, SERVICES, id, public, share};
use crate::kit::{Sidecar, config, serve, tokens};

/// A row: method, path as it is written in the source, the path that is asked, a body, and what comes of it for nobody,
/// mallory (a stranger), bob (a reader) and alice (the owner).
type Row = (&'static str, &'static str, &'static str, &'static str, [&'static str; 4]);

const NO_KEY: &str = "401 credential-missing";
const HIDDEN: &str = "404 not-found";
const NO_TASK: &str = "404 no-such-task";
const NO_OPERATION: &str = "400 unknown-operation";
const NOT_SIGNED: [&str; 4] = ["403 url-not-signed"; 4];
const OBJECTS: &str = "/v1/data/objects/{store}/{*key}";
const OBJECT: &str = "/v1/data/objects/main/a";
const INPUTS: &str = "/v1/data/inputs/{project}/{domain}/{hash}";
const ACTION_INPUTS: &str = "/v1/data/actions/{project}/{domain}/{run}/{action}/inputs";
const ACTION_OUTPUTS: &str = "/v1/data/actions/{project}/{domain}/{run}/{action}/outputs";
const LOGS: &str = "/v1/data/logs/{project}/{domain}/{run}/{action}/{attempt}";
const FLYTE: &str = "/flyteidl2.dataproxy.DataProxyService/{method}";
const FLYTE_UPLOAD: &str = "/flyteidl2.dataproxy.DataProxyService/CreateUploadLocation";
const FLYTE_DOWNLOAD: &str = "/flyteidl2.dataproxy.DataProxyService/CreateDownloadLink";
const FLYTE_LOGS: &str = "/flyteidl2.dataproxy.DataProxyService/TailLogs";
const FLYTE_DATA: &str = "/flyteidl2.dataproxy.DataProxyService/GetActionData";
const FLYTE_INPUTS: &str = "/flyteidl2.dataproxy.DataProxyService/UploadInputs";
const CLUSTERS: &str = "/flyteidl2.cluster.ClusterService/{method}";
const CLUSTER: &str = "/flyteidl2.cluster.ClusterService/SelectCluster";
const SHARED: &str = "/.taskgate/share";
const SHARED_LINK: &str = "/.taskgate/share?code={code}";

const NONE: &str = r#"{"operation": "none", "args": {}}"#;
const STORED: &str = r#"{"uri": "taskgate://main/uploads/p/d/r/f"}"#;
const UPLOAD: &str = r#"{"project": "p", "domain": "d", "filename": "new", "filename_root": "r"}"#;
const LARGE: &str =
    r#"{"project": "p", "domain": "d", "filename": "g", "filename_root": "r", "content_length": 9000000}"#;
const PARTS: &str = r#"{"project": "p", "domain": "d", "filename": "g", "filename_root": "r",
    "content_length": 9000000, "upload_id": "u", "from": 1, "count": 1}"#;
const OF_PARTS: &str = r#"{"project": "p", "domain": "d", "filename": "g", "filename_root": "r",
    "content_length": 9000000, "upload_id": "u"}"#;
const ACTION: &str = r#"{"actionId": {"run": {"project": "p", "domain": "d", "name": "r"}, "name": "a"}}"#;
const LINK: &str = r#"{"artifactType": "ARTIFACT_TYPE_REPORT", "actionAttemptId": {"attempt": 1,
    "actionId": {"run": {"project": "p", "domain": "d", "name": "r"}, "name": "a"}}}"#;
const RUN_INPUTS: &str =
    r#"{"projectId": {"name": "p", "domain": "d"}, "taskSpec": {"taskTemplate": {}}, "inputs": {}}"#;
const SHARE: &str = r#"{"service": "{service}", "lifetime_secs": 60}"#;
const WHY: &str = r#"{"url": "https://{service}.tasks.example.test/", "as": "carol"}"#;

/// The table. What changes something is allowed to the owner, who comes last in a row; links are ended last of all.
const TABLE: &[Row] = &[
    // === tasks: their owner's alone ===
    ("GET", "/tasks", "/tasks", "", [NO_KEY, "200", "200", "200"]),
    ("POST", "/tasks", "/tasks", NONE, [NO_KEY, NO_OPERATION, NO_OPERATION, NO_OPERATION]),
    ("GET", "/tasks/", "/tasks/", "", [NO_KEY, "200", "200", "200"]),
    ("POST", "/tasks/", "/tasks/", NONE, [NO_KEY, NO_OPERATION, NO_OPERATION, NO_OPERATION]),
    ("GET", "/tasks/{id}", "/tasks/{task}", "", [NO_KEY, NO_TASK, NO_TASK, "200"]),
    ("POST", "/tasks/{id}/credential", "/tasks/{task}/credential", "", [NO_KEY, NO_TASK, NO_TASK, "409 not-paused"]),
    ("PUT", "/tasks/{id}/credential", "/tasks/{task}/credential", "", [NO_KEY, NO_TASK, NO_TASK, "409 not-paused"]),
    ("DELETE", "/tasks/{id}", "/tasks/{task}", "", [NO_KEY, NO_TASK, NO_TASK, "200"]),
    ("GET", "/operations", "/operations", "", [NO_KEY, "200", "200", "200"]),
    ("GET", "/operations/{name}", "/operations/noop", "", [NO_KEY, "200", "200", "200"]),
    // === data: by the catalog, where alice writes and bob reads; for a stranger there is no project. A local store has
    // no uploads in parts, which it says to those who might have one ===
    ("POST", "/v1/data/uploads", "/v1/data/uploads", UPLOAD, [NO_KEY, HIDDEN, "403 access-denied", "200"]),
    ("POST", "/v1/data/downloads", "/v1/data/downloads", STORED, [NO_KEY, HIDDEN, "200", "200"]),
    (
        "POST",
        "/v1/data/multipart",
        "/v1/data/multipart",
        LARGE,
        [NO_KEY, HIDDEN, "403 access-denied", "400 malformed-request"],
    ),
    (
        "POST",
        "/v1/data/multipart/parts",
        "/v1/data/multipart/parts",
        PARTS,
        [NO_KEY, HIDDEN, "403 access-denied", "400 malformed-request"],
    ),
    (
        "POST",
        "/v1/data/multipart/list",
        "/v1/data/multipart/list",
        OF_PARTS,
        [NO_KEY, HIDDEN, "403 access-denied", "400 malformed-request"],
    ),
    (
        "POST",
        "/v1/data/multipart/complete",
        "/v1/data/multipart/complete",
        OF_PARTS,
        [NO_KEY, HIDDEN, "403 access-denied", "400 malformed-request"],
    ),
    (
        "POST",
        "/v1/data/multipart/abort",
        "/v1/data/multipart/abort",
        OF_PARTS,
        [NO_KEY, HIDDEN, "403 access-denied", "400 malformed-request"],
    ),
    ("PUT", INPUTS, "/v1/data/inputs/p/d/h", "", [NO_KEY, HIDDEN, "403 access-denied", "200"]),
    // There is no such run; a stranger hears the same of the project.
    ("GET", ACTION_INPUTS, "/v1/data/actions/p/d/r/a/inputs", "", [NO_KEY, HIDDEN, HIDDEN, HIDDEN]),
    ("GET", ACTION_OUTPUTS, "/v1/data/actions/p/d/r/a/outputs", "", [NO_KEY, HIDDEN, HIDDEN, HIDDEN]),
    ("GET", LOGS, "/v1/data/logs/p/d/r/a/1", "", [NO_KEY, HIDDEN, HIDDEN, HIDDEN]),
    // === objects: by a signature in the URL, whoever asks ===
    ("GET", OBJECTS, OBJECT, "", NOT_SIGNED),
    ("PUT", OBJECTS, OBJECT, "x", NOT_SIGNED),
    ("POST", OBJECTS, OBJECT, "", NOT_SIGNED),
    ("PATCH", OBJECTS, OBJECT, "", NOT_SIGNED),
    ("DELETE", OBJECTS, OBJECT, "", NOT_SIGNED),
    // === Flyte's calls, by the same catalog ===
    ("POST", FLYTE, FLYTE_UPLOAD, UPLOAD, ["401 unauthenticated", "404 not_found", "403 permission_denied", "200"]),
    ("POST", FLYTE, FLYTE_DOWNLOAD, LINK, ["401 unauthenticated", "404 not_found", "404 not_found", "404 not_found"]),
    // A stream, which can't be asked for so.
    ("POST", FLYTE, FLYTE_LOGS, "{}", ["501 unimplemented"; 4]),
    (
        "POST",
        FLYTE_DATA,
        FLYTE_DATA,
        ACTION,
        ["401 unauthenticated", "404 not_found", "404 not_found", "404 not_found"],
    ),
    // It changes nothing, so Connect lets it be asked with `GET`; what it asks is in the query then.
    (
        "GET",
        FLYTE_DATA,
        "/flyteidl2.dataproxy.DataProxyService/GetActionData?connect=v1&encoding=json&message=%7B%7D",
        "",
        ["401 unauthenticated", "400 invalid_argument", "400 invalid_argument", "400 invalid_argument"],
    ),
    (
        "POST",
        FLYTE_INPUTS,
        FLYTE_INPUTS,
        RUN_INPUTS,
        ["401 unauthenticated", "404 not_found", "403 permission_denied", "200"],
    ),
    // Where the caller is already, which is no secret.
    ("POST", CLUSTERS, CLUSTER, "{}", ["200"; 4]),
    // === access ===
    ("GET", "/v1/services", "/v1/services", "", [NO_KEY, "200", "200", "200"]),
    ("GET", "/v1/services/{label}", "/v1/services/{service}", "", [NO_KEY, "404 unknown-service", "200", "200"]),
    ("GET", "/v1/shares", "/v1/shares?service={service}", "", [NO_KEY, "404 unknown-service", "200", "200"]),
    ("POST", "/v1/shares", "/v1/shares", SHARE, [NO_KEY, "404 unknown-service", "403 access-denied", "201"]),
    ("POST", "/v1/sessions/end", "/v1/sessions/end", "", [NO_KEY, "200", "200", "200"]),
    ("POST", "/v1/explain", "/v1/explain", WHY, [NO_KEY, "403 access-denied", "403 access-denied", "200"]),
    // === pages of every service: nobody is known there but by a session ===
    ("GET", "/.taskgate/", "/.taskgate/", "", ["200"; 4]),
    ("GET", "/.taskgate/sign-in", "/.taskgate/sign-in?to=/", "", ["404 sign-in-off"; 4]),
    ("GET", "/.taskgate/callback", "/.taskgate/callback?code=c&state=s", "", ["400 malformed-request"; 4]),
    ("GET", "/.taskgate/sign-out", "/.taskgate/sign-out", "", ["200"; 4]),
    ("POST", "/.taskgate/sign-out", "/.taskgate/sign-out", "", ["403 origin-not-allowed"; 4]),
    ("GET", "/.taskgate/jwks.json", "/.taskgate/jwks.json", "", ["200"; 4]),
    // === a link for the owner alone ===
    ("GET", SHARED, SHARED_LINK, "", [NO_KEY, "403 share-for-somebody-else", "403 share-for-somebody-else", "200"]),
    ("POST", SHARED, SHARED_LINK, "", [NO_KEY, "403 share-for-somebody-else", "403 share-for-somebody-else", "303"]),
    ("DELETE", "/v1/shares/{id}", "/v1/shares/{share}", "", [NO_KEY, "404 unknown-share", "404 unknown-share", "200"]),
];

/// Routes that are not of the public listener.
const OTHER_LISTENERS: [&str; 5] =
    ["internal.rs", "operations.rs", "decide.rs", "tasks/internal.rs", "access/v1/internal.rs"];

/// Paths that the source makes up, by file: in the order in which they are there.
const MADE_UP: [(&str, &[&str]); 2] = [("objects.rs", &[OBJECTS]), ("flyte.rs", &[FLYTE_INPUTS, FLYTE_DATA, FLYTE])];

/// The paths of all routes of the public listener, as the source has them.
fn written() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
    let mut made_up: BTreeMap<&str, Vec<&str>> = MADE_UP.iter().map(|(file, paths)| (*file, paths.to_vec())).collect();
    let (mut paths, mut folders) = (BTreeSet::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("lists") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).expect("is below").to_str().expect("text").to_owned();
            let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
            if is_test || OTHER_LISTENERS.contains(&name.as_str()) {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("reads");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (at, word) in [".route(", ".route_service("].iter().flat_map(|word| code.match_indices(word)) {
                let rest = code[at + word.len()..].trim_start();
                let found = match rest.strip_prefix('"') {
                    Some(literal) => literal.split('"').next().expect("ends").to_owned(),
                    None => {
                        let known = made_up.get_mut(name.as_str()).filter(|known| !known.is_empty());
                        known
                            .map(|known| known.remove(0))
                            .unwrap_or_else(|| panic!("{name} makes up a path"))
                            .to_owned()
                    }
                };
                paths.insert(found);
            }
        }
    }
    assert!(made_up.values().all(Vec::is_empty), "gone: {made_up:?}");
    paths
}

#[test]
fn every_route_has_a_row() {
    let rows: BTreeSet<String> = TABLE.iter().map(|(_, path, ..)| (*path).to_owned()).collect();
    let written = written();
    assert!(written.len() > 30, "the source was not found");
    assert_eq!(written.difference(&rows).collect::<Vec<_>>(), Vec::<&String>::new(), "routes without a row");
    assert_eq!(rows.difference(&written).collect::<Vec<_>>(), Vec::<&String>::new(), "rows without a route");
}

/// A sidecar with everything that the public listener can have.
async fn whole() -> Sidecar {
    let about = get(|headers: HeaderMap| async move {
        let token = headers.get("authorization").and_then(|value| value.to_str().ok());
        let name = token.and_then(|token| token.strip_prefix("Bearer token-of-"));
        match name.filter(|name| PEOPLE.iter().any(|(known, _)| known == name)) {
            Some(name) => Ok(Json(json!({"username": name, "isadmin": false, "state": "READY"}))),
            None => Err(StatusCode::UNAUTHORIZED),
        }
    });
    let server = serve(Router::new().route("/about", about)).await;
    let directory = tempfile::tempdir().expect("a directory");
    let catalog = "projects:\n- {name: p, domains: [d], writers: {users: [alice]}, readers: {groups: [ml]}}\n";
    std::fs::write(directory.path().join("services.yaml"), SERVICES).expect("writes");
    std::fs::write(directory.path().join("catalog.yaml"), catalog).expect("writes");
    let stored = directory.path().join("objects/objects/uploads/p/d/r");
    std::fs::create_dir_all(&stored).expect("makes");
    std::fs::write(stored.join("f"), "stored").expect("writes");
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let people = tokens(&PEOPLE);
    let text = config(&format!(
        "keys: [{{id: k1, secret: \"{key}\"}}]\npublic: {{listen: \"127.0.0.1:0\"}}\naccess: {{}}\n\
         tasks:\n  store: sqlite:tasks.db\n  hsds: {{endpoint: \"{server}\"}}\n  workers: {{concurrent: 0}}\n\
         data:\n  stores: {{main: {{local: {{folder: objects, public_url: \"https://data.example.test\"}}}}}}\n  \
         catalog: [{{file: {{path: catalog.yaml}}}}]\n{people}"
    ));
    let sidecar = Sidecar::start_in(directory, &text).await;
    sidecar.table().await;
    sidecar
}

/// Sends a request; the status, with the code of a problem.
async fn outcome(sidecar: &Sidecar, who: &str, method: &str, path: &str, body: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.build().expect("a client");
    let request = client.request(method.parse().expect("a method"), public(sidecar, path)).body(body.to_owned());
    let request = request.header("content-type", "application/json").header("accept", "application/json");
    let request = if path.starts_with("/.taskgate/") {
        request.header("host", format!("{}.tasks.example.test", id(sidecar, "op1")))
    } else {
        request
    };
    let request = if who.is_empty() { request } else { request.bearer_auth(format!("token-of-{who}")) };
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&response.text().await.expect("text")).unwrap_or_default();
    match body["code"].as_str().filter(|_| status >= 400) {
        Some(code) => format!("{status} {code}"),
        None => status.to_string(),
    }
}

#[tokio::test]
async fn every_route_answers_everybody_as_the_table_says() {
    let sidecar = whole().await;
    let service = id(&sidecar, "op1");
    let (_, share_id) = share(&sidecar, "alice", json!({"service": service, "lifetime_secs": 60})).await;
    let to_alice = json!({"service": service, "lifetime_secs": 60, "to": "alice"});
    let (link, _) = share(&sidecar, "alice", to_alice).await;
    let code = link.split("?code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code").to_owned();
    let task = {
        let request = sidecar.client.post(public(&sidecar, "/tasks")).bearer_auth("token-of-alice");
        let body = json!({"operation": "noop", "args": {"steps": 1}});
        let answer: Value = request.json(&body).send().await.expect("an answer").json().await.expect("JSON");
        answer["taskid"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    let filled = |text: &str| {
        let text = text.replace("{service}", &service).replace("{share}", &share_id);
        text.replace("{code}", &code).replace("{task}", &task)
    };
    let mut wrong = Vec::new();
    for (method, _, path, body, expected) in TABLE {
        for (who, expected) in ["", "mallory", "bob", "alice"].into_iter().zip(expected) {
            let found = outcome(&sidecar, who, method, &filled(path), &filled(body)).await;
            if found != *expected {
                wrong.push(format!("{method} {path} as {who:?}: {found}, and not {expected}"));
            }
        }
    }
    // A method without a row is none.
    for (_, pattern, path, ..) in TABLE {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if TABLE.iter().any(|(rowed, other, ..)| rowed == &method && other == pattern) {
                continue;
            }
            let found = outcome(&sidecar, "alice", method, &filled(path), "").await;
            let is_none = found.starts_with("405") || found.starts_with("415");
            if !is_none {
                wrong.push(format!("{method} {pattern} has no row, and answers {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
