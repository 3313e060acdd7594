//! The API of data as the sidecar serves it: beside tasks or alone, behind the gate and past it.

use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::key::{KeyRing, Secret};
use taskgate_core::service::Protocol;
use taskgate_core::visitor::{OWN_PROVIDER, VISITOR_HEADER, vouch};

use crate::kit::{START, Sidecar, bearer, config, outcome, tokens};

const CATALOG: &str = "
projects:
- {name: flytesnacks, domains: [development], writers: {users: [ann]}, readers: {groups: [ml]}}
";
const ASK: &str = r#"{"project": "flytesnacks", "domain": "development", "filename": "a b.txt", "filename_root": "r"}"#;

fn keys(key: &str, byte: u8) -> String {
    use base64::Engine as _;
    let secret = base64::engine::general_purpose::STANDARD.encode([byte; 32]);
    format!("keys: [{{id: {key}, secret: \"{secret}\"}}]\n")
}

fn settings(keys: &str) -> String {
    data(&format!("{keys}{}", tokens(&[("ann", ""), ("bob", ", groups: [ml]"), ("eve", "")])))
}

/// With the section `data` at the end.
fn data(before: &str) -> String {
    format!(
        "{before}public: {{listen: \"127.0.0.1:0\"}}\n\
         data:\n  stores: {{main: {{local: {{folder: objects, public_url: \"https://data.example.test\"}}}}}}\n  \
         catalog: [{{file: {{path: catalog.yaml}}}}]\n"
    )
}

async fn start(keys: &str) -> Sidecar {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), crate::kit::SERVICES).expect("writes");
    std::fs::write(directory.path().join("catalog.yaml"), CATALOG).expect("writes");
    Sidecar::start_in(directory, &config(&settings(keys))).await
}

fn public(sidecar: &Sidecar, path: &str) -> String {
    format!("http://{}{path}", sidecar.running.addresses.public.as_deref().expect("a public listener"))
}

/// Asks for a place; the status and the answer.
async fn place(sidecar: &Sidecar, headers: &[(&str, String)]) -> (u16, serde_json::Value) {
    let request = sidecar.client.post(public(sidecar, "/v1/data/uploads")).body(ASK);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    let answer = request.header("content-type", "application/json").send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.expect("text")).expect("JSON"))
}

/// Puts the bytes with a URL of a place; the status.
async fn put(sidecar: &Sidecar, place: &serde_json::Value, bytes: &str) -> u16 {
    let url = place["url"].as_str().expect("a URL");
    let path = url.strip_prefix("https://data.example.test").expect("where clients are told to go");
    let request = sidecar.client.put(public(sidecar, path)).body(bytes.to_owned());
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn whoever_comes_past_the_gate_shows_a_credential() {
    let sidecar = start("").await;
    let token = |name: &str| [("authorization", format!("Bearer token-of-{name}"))];
    let (status, found) = place(&sidecar, &token("ann")).await;
    assert_eq!(
        (status, found["native_url"].as_str()),
        (200, Some("taskgate://main/uploads/flytesnacks/development/r/a b.txt"))
    );
    assert_eq!(put(&sidecar, &found, "hello").await, 201);
    let kept = sidecar.directory.path().join("objects/objects/uploads/flytesnacks/development/r/a b.txt");
    assert_eq!(std::fs::read_to_string(kept).expect("is there"), "hello");
    assert_eq!(place(&sidecar, &token("bob")).await.0, 403, "reads, but does not write");
    assert_eq!(place(&sidecar, &token("eve")).await.0, 404, "there is no such project for her");
    assert_eq!(place(&sidecar, &[]).await.0, 401);
    assert_eq!(place(&sidecar, &[("x-forwarded-user", "ann".into())]).await.0, 401);
}

#[tokio::test]
async fn behind_the_gate_it_is_a_service_whose_callers_the_gate_vouches_for() {
    let sidecar = start(&keys("k1", 7)).await;
    let reader = sidecar.table().await;
    let service = reader.table.service("data").expect("has its label");
    assert_eq!((service.provider, service.protocol), (OWN_PROVIDER, Protocol::Grpc));
    assert_eq!(Some(service.endpoints[0].address.to_string()), sidecar.running.addresses.public);
    assert_eq!(outcome(&sidecar.verdict(service.id, bearer("token-of-eve")).await), "eve", "whoever is known");
    assert_eq!(outcome(&sidecar.verdict(service.id, bearer("token-of-nobody")).await), "CredentialRejected");

    let control = reader.control.expect("control");
    let ring = KeyRing::new(control.keys.iter().map(|(id, key)| (id.clone(), Secret::new(*key))));
    let ann = WireIdentity { actor: "ann".into(), ..WireIdentity::default() };
    let text = vouch(&ring, service.id, &Identity::try_from(ann).expect("valid"), START).expect("a key");
    let as_user = |user: &str| [(VISITOR_HEADER, text.clone()), ("x-forwarded-user", user.to_owned())];
    assert_eq!(place(&sidecar, &as_user("ann")).await.0, 200);
    assert_eq!(place(&sidecar, &as_user("root")).await.0, 401);
    sidecar.clock.advance(std::time::Duration::from_secs(61));
    assert_eq!(place(&sidecar, &as_user("ann")).await.0, 401, "it ends with the request");
}

#[tokio::test]
async fn keys_of_urls_change_with_a_reload() {
    let sidecar = start(&keys("k1", 7)).await;
    let mut reader = sidecar.table().await;
    let token = [("authorization", "Bearer token-of-ann".to_owned())];
    let (_, before) = place(&sidecar, &token).await;
    sidecar.write("taskgate.yaml", &config(&settings(&keys("k2", 9))));
    sidecar.running.reload();
    while reader.control.as_ref().is_none_or(|control| control.keys[0].0.as_str() != "k2") {
        sidecar.next_page(&mut reader).await;
    }
    // The table's readers hear of it before the store does, by a moment.
    let after = loop {
        let (_, after) = place(&sidecar, &token).await;
        if after["url"].as_str().expect("a URL").contains("tg-key=k2") {
            break after;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(put(&sidecar, &before, "x").await, 403, "its key is gone");
    assert_eq!(put(&sidecar, &after, "x").await, 201);
}

#[tokio::test]
async fn catalogs_are_read_again_and_a_bad_one_costs_nothing() {
    let sidecar = start("").await;
    let token = [("authorization", "Bearer token-of-eve".to_owned())];
    assert_eq!(place(&sidecar, &token).await.0, 404);
    sidecar.write("catalog.yaml", "projects: [");
    assert_eq!(place(&sidecar, &[("authorization", "Bearer token-of-ann".to_owned())]).await.0, 200);
    sidecar.write("catalog.yaml", &CATALOG.replace("users: [ann]", "users: [ann, eve]"));
    while place(&sidecar, &token).await.0 != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn pages_of_origins_that_are_named_may_ask_from_a_browser() {
    let sidecar = start("").await;
    let settings = format!("{}  service: {{origins: [\"https://console.example.test\"]}}\n", data(""));
    let named = Sidecar::start_in(sidecar.end().await, &config(&settings)).await;
    let ask = |origin: &'static str| {
        let request = named.client.request(reqwest::Method::OPTIONS, public(&named, "/v1/data/uploads"));
        let request = request.header("origin", origin).header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "authorization,content-type")
    };
    let answer = ask("https://console.example.test").send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://console.example.test");
    assert_eq!(answer.headers()["access-control-allow-headers"], "authorization,content-type");
    assert!(answer.headers()["access-control-allow-methods"].to_str().expect("text").contains("PUT"));
    assert!(!answer.headers().contains_key("access-control-allow-credentials"));
    let answer = ask("https://evil.example.test").send().await.expect("an answer");
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    // What a page can send without asking beforehand is looked at when it comes.
    let post = async |origin: &str| {
        let request = named.client.post(public(&named, "/v1/data/uploads")).body(ASK).header("origin", origin);
        request.bearer_auth("token-of-nobody").send().await.expect("an answer").status().as_u16()
    };
    let own = public(&named, "");
    assert_eq!(post("https://evil.example.test").await, 403);
    assert_eq!(post("https://console.example.test").await, 401);
    assert_eq!(post(&own).await, 401);
    // tus asks with the same method.
    let options = named.client.request(reqwest::Method::OPTIONS, public(&named, "/v1/data/objects/main/x"));
    let answer = options.send().await.expect("an answer");
    assert_eq!(answer.status(), 403, "it needs a signed URL");
}

#[test]
fn what_can_not_be_served_is_said_when_the_configuration_is_read() {
    let data =
        "data:\n  stores: {main: {local: {folder: o, public_url: \"http://a.b\"}}}\n  catalog: [{file: {path: c}}]\n";
    let public = "public: {listen: \"127.0.0.1:0\"}\n";
    for (text, because) in [
        (data.to_owned(), "public: {listen"),
        (format!("{public}{}", data.replace("main: {local", "Main: {local")), "data.stores.Main"),
        (format!("{public}{data}  service: {{label: taskgate}}\n"), "gateway_labels"),
        (format!("{public}{data}  placement: [{{store: other}}]\n"), "no store `other`"),
        (public.to_owned(), "without `tasks`, `data`, `access` or `tunnels`"),
    ] {
        let error = taskgate::config::load::read(&config(&text), std::path::Path::new("/")).expect_err("refused");
        assert!(error.to_string().contains(because), "{error}");
    }
}
