//! The listener that ingresses ask.

use axum::http::HeaderMap;
use reqwest::Response;

use crate::kit::{GREETER, Sidecar, config, tokens};
use crate::log_lines::Lines;

const HOST: &str = "ae5cf6f5.tasks.example.test";
const OPEN: &str = "forward_auth: {listen: \"127.0.0.1:0\"}";
/// More gates than there are.
const MAX_GATES: usize = 8;

async fn start(rest: &str) -> Sidecar {
    let sidecar = Sidecar::start(&format!("{}{rest}", tokens(&[("alice", ""), ("mallory", "")]))).await;
    loaded(&sidecar, HOST).await;
    sidecar
}

/// Waits until every gate has the table: they take turns, and until they have it they say so.
async fn loaded(sidecar: &Sidecar, host: &str) {
    let mut in_turn = 0;
    while in_turn < 2 * MAX_GATES {
        let answer = ask(sidecar, "/v1/decide", host, &[]).await;
        in_turn = if code(&answer) == Some("table-loading") { 0 } else { in_turn + 1 };
        tokio::task::yield_now().await;
    }
}

async fn ask(sidecar: &Sidecar, path: &str, host: &str, headers: &[(&str, &str)]) -> Response {
    let base = sidecar.running.addresses.forward_auth.as_deref().expect("a listener");
    let mut request = sidecar.client.get(format!("http://{base}{path}"));
    for (name, value) in
        [("x-forwarded-method", "GET"), ("x-forwarded-host", host), ("x-forwarded-uri", "/a%2Fb/../c?x=%20")]
    {
        if !headers.iter().any(|(other, _)| *other == name) {
            request = request.header(name, value);
        }
    }
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

fn code(answer: &Response) -> Option<&str> {
    value(answer.headers(), "x-taskgate-denial")
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

const ALICE: (&str, &str) = ("authorization", "Bearer token-of-alice");

#[tokio::test]
async fn a_permit_says_where_to_go_and_who_asks() {
    let sidecar = start(OPEN).await;
    let answer = ask(&sidecar, "/v1/decide?for=nginx", HOST, &[ALICE, ("cookie", "own=1")]).await;
    assert_eq!(answer.status(), 200);
    let said = |name| value(answer.headers(), name);
    assert_eq!(said("upstream-taskgate"), Some("127.0.0.1:27001"));
    assert_eq!(said("protocol-taskgate"), Some("h2"));
    assert_eq!(said("uri-taskgate"), Some("/a%2Fb/../c?x=%20"));
    assert_eq!(said("x-forwarded-user"), Some("alice"));
    // It removes what it is not told to keep.
    assert_eq!((said("edit-authorization-taskgate"), said("edit-cookie-taskgate")), (None, Some("keep")));
    assert_eq!((said("service-taskgate"), said("rule-taskgate")), (Some(GREETER), Some("verdict")));
    assert_eq!(said("x-accel-expires"), Some("1"));
    assert_eq!(answer.bytes().await.expect("a body").len(), 0);
    assert_eq!(sidecar.metric("taskgate_decisions_total{ingress=\"nginx\",outcome=\"permit\"}").await, Some(1));
}

#[tokio::test]
async fn nginx_hears_of_two_statuses_and_asks_for_the_rest() {
    let sidecar = start(OPEN).await;
    for (host, headers, status, code_of, squeezed) in [
        (HOST, vec![], 401, "credential-missing", 401),
        (HOST, vec![("authorization", "Bearer token-of-mallory")], 404, "unknown-service", 403),
        ("nothing.tasks.example.test", vec![ALICE], 404, "unknown-service", 403),
        ("a.b.c", vec![ALICE], 404, "address-missing", 403),
    ] {
        let short = ask(&sidecar, "/v1/decide?for=nginx", host, &headers).await;
        assert_eq!(
            (short.status().as_u16(), value(short.headers(), "denial-taskgate")),
            (squeezed, Some(code_of)),
            "{host}"
        );
        assert_eq!(value(short.headers(), "status-taskgate"), Some(status.to_string().as_str()), "{host}");
        let whole = ask(&sidecar, "/v1/reply", host, &headers).await;
        assert_eq!((whole.status().as_u16(), code(&whole)), (status, Some(code_of)), "{host}");
        let other = ask(&sidecar, "/v1/decide?for=caddy", host, &headers).await;
        assert_eq!(other.status().as_u16(), status, "{host}");
        assert!(other.text().await.expect("a body").contains(code_of), "{host}");
    }
    // What was refused and would be permitted now is no permit.
    let late = ask(&sidecar, "/v1/reply", HOST, &[ALICE]).await;
    assert_eq!((late.status().as_u16(), code(&late)), (503, Some("verdict-unavailable")));
    assert!(late.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn an_ingress_that_does_not_say_what_was_asked_for_gets_no_answer() {
    let sidecar = start(OPEN).await;
    for name in ["x-forwarded-method", "x-forwarded-host", "x-forwarded-uri"] {
        let missing = ask(&sidecar, "/v1/decide", HOST, &[ALICE, (name, "")]).await;
        assert_eq!(missing.status(), 400, "{name}");
        assert!(missing.text().await.expect("text").contains(name));
        let twice = ask(&sidecar, "/v1/decide", HOST, &[ALICE, (name, "/a"), (name, "/b")]).await;
        assert_eq!(twice.status(), 400, "{name} twice");
    }
    let foreign = ask(&sidecar, "/v1/decide", HOST, &[ALICE, ("x-forwarded-uri", "http://elsewhere/")]).await;
    assert_eq!(foreign.status(), 400);
    assert_eq!(ask(&sidecar, "/v1/decide?for=apache", HOST, &[ALICE]).await.status(), 400);
    assert_eq!(ask(&sidecar, "/v1/decide/more", HOST, &[ALICE]).await.status(), 404);
}

#[tokio::test]
async fn an_ingress_that_has_chosen_the_service_hears_of_no_other() {
    let sidecar = start(OPEN).await;
    for (label, expected) in [(GREETER, 200), ("greeter-example_grpc_server-server", 200), ("2ef4261c", 400), ("", 400)]
    {
        let answer = ask(&sidecar, &format!("/v1/decide?for=traefik&service={label}"), HOST, &[ALICE]).await;
        assert_eq!(answer.status(), expected, "{label}");
        assert_eq!(code(&answer), (expected == 400).then_some("conflicting-address"), "{label}");
    }
}

#[tokio::test]
async fn a_tunnel_goes_through_no_ingress_that_might_take_it_to_a_job() {
    let directory = tempfile::tempdir().expect("a directory");
    let services = "services:\n- {operation: op1, task: web, service: db, endpoints: [\"10.0.0.1:5432\"], \
                    access: can_read, owner: alice, protocol: tcp}\n";
    std::fs::write(directory.path().join("services.yaml"), services).expect("writes");
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let rest = format!(
        "{}{OPEN}\nkeys: [{{id: k1, secret: \"{key}\"}}]\npublic: {{listen: \"127.0.0.1:0\"}}\ntunnels: {{}}\n",
        tokens(&[("alice", "")])
    );
    let sidecar = Sidecar::start_in(directory, &config(&rest)).await;
    sidecar.table().await;
    let services = sidecar.running.app.registry.services();
    let id = services.iter().find(|service| &*service.provider == "file").expect("a service").id.to_string();
    let host = format!("{id}.tasks.example.test");
    let headers = [ALICE, ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-version", "13")];
    loaded(&sidecar, &host).await;
    for (query, expected) in [
        (format!("for=traefik&service={id}"), 400),
        ("for=traefik".to_owned(), 400),
        (format!("for=traefik&service={id}&tunnel=no"), 400),
        // The operator says that the router leads to where tunnels end.
        (format!("for=traefik&service={id}&tunnel=yes"), 200),
        ("for=caddy".to_owned(), 200),
    ] {
        let answer = ask(&sidecar, &format!("/v1/decide?{query}"), &host, &headers).await;
        assert_eq!(answer.status(), expected, "{query}: {:?}", code(&answer));
        let is_vouched = answer.headers().contains_key("x-taskgate-visitor");
        assert_eq!(
            (code(&answer), is_vouched),
            if expected == 200 { (None, true) } else { (Some("protocol-mismatch"), false) }
        );
    }
}

/// With what serves paths below `/.taskgate/`.
fn with_access(forward_auth: &str) -> String {
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    format!(
        "{forward_auth}\nkeys: [{{id: k1, secret: \"{key}\"}}]\npublic: {{listen: \"127.0.0.1:0\"}}\naccess: {{}}\n"
    )
}

#[tokio::test]
async fn what_is_for_the_sidecar_goes_through_no_ingress_that_might_take_it_to_a_job() {
    let sidecar = start(&with_access(OPEN)).await;
    let own: &[_] = &[("x-forwarded-uri", "/.taskgate/../admin")];
    let of_the_job: &[_] = &[ALICE];
    for (query, headers, expected) in [
        ("for=traefik&service=ae5cf6f5", own, (400, Some("conflicting-address"))),
        ("for=traefik", own, (400, Some("conflicting-address"))),
        ("service=ae5cf6f5", own, (400, Some("conflicting-address"))),
        ("for=traefik&tunnel=yes", own, (400, Some("protocol-mismatch"))),
        // The operator says that the router leads to the sidecar: with nothing else.
        ("for=traefik&own=yes", own, (200, None)),
        ("for=traefik&own=yes&service=ae5cf6f5", own, (200, None)),
        ("for=traefik&own=yes", of_the_job, (400, Some("conflicting-address"))),
        ("for=traefik&own=yes&tunnel=yes", own, (400, None)),
        ("for=traefik&service=ae5cf6f5", of_the_job, (200, None)),
        // Who goes where the answer says, but for a router that is for these alone.
        ("for=caddy", own, (200, None)),
        ("own=yes", own, (200, None)),
        ("own=yes", of_the_job, (400, Some("conflicting-address"))),
        ("for=caddy&tunnel=yes", of_the_job, (400, Some("protocol-mismatch"))),
    ] {
        let answer = ask(&sidecar, &format!("/v1/decide?{query}"), HOST, headers).await;
        assert_eq!((answer.status().as_u16(), code(&answer)), expected, "{query} {headers:?}");
    }
}

#[tokio::test]
async fn a_group_is_for_jobs_alone() {
    let groups = "forward_auth: {listen: \"127.0.0.1:0\", groups: [{service: ae5cf6f5, group: greeters}]}";
    let sidecar = start(&with_access(groups)).await;
    let public = sidecar.running.addresses.public.clone().expect("a listener");
    for path in ["/.taskgate/sign-in?to=/", "/.taskgate/../admin"] {
        let answer = ask(&sidecar, "/v1/decide?for=nginx", HOST, &[("x-forwarded-uri", path)]).await;
        assert_eq!(value(answer.headers(), "upstream-taskgate"), Some(public.as_str()), "{path}");
    }
    let answer = ask(&sidecar, "/v1/decide?for=nginx", HOST, &[ALICE]).await;
    assert_eq!(value(answer.headers(), "upstream-taskgate"), Some("greeters"));
}

#[tokio::test]
async fn the_audit_says_what_went_out() {
    let sidecar = start(OPEN).await;
    let long = format!("__Host-taskgate=tg1.k.x; own={}", "a".repeat(7_900));
    for (query, headers, status, denial) in [
        ("for=traefik&service=2ef4261c", vec![ALICE], 400, "conflicting-address"),
        ("for=haproxy", vec![ALICE, ("cookie", long.as_str())], 431, "headers-too-large"),
    ] {
        let (lines, _guard) = Lines::capture();
        let answer = ask(&sidecar, &format!("/v1/decide?{query}"), HOST, &headers).await;
        assert_eq!((answer.status().as_u16(), code(&answer)), (status, Some(denial)));
        let text = lines.text();
        let decisions: Vec<&str> = text.lines().filter(|line| line.contains("taskgate::audit")).collect();
        let [line] = decisions[..] else { panic!("one line, but {text}") };
        for part in ["outcome=\"refuse\"", &format!("http.status={status}"), &format!("denial.code=\"{denial}\"")] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert!(line.contains("actor.id=\"alice\"") && line.contains("access.rule=\"\""), "{line}");
    }
    for (ingress, permits) in [("traefik", None), ("haproxy", None)] {
        let line = format!("taskgate_decisions_total{{ingress=\"{ingress}\",outcome=\"permit\"}}");
        assert_eq!(sidecar.metric(&line).await, permits, "{ingress}");
        let line = line.replace("permit", "refuse");
        assert_eq!(sidecar.metric(&line).await, Some(1), "{ingress}");
    }
}

#[tokio::test]
async fn a_refused_grpc_call_is_no_yes() {
    let sidecar = start(OPEN).await;
    for dialect in ["traefik", "generic"] {
        let grpc = [("content-type", "application/grpc")];
        let answer = ask(&sidecar, &format!("/v1/decide?for={dialect}"), HOST, &grpc).await;
        assert_eq!((answer.status().as_u16(), value(answer.headers(), "grpc-status")), (401, Some("16")), "{dialect}");
    }
}

#[tokio::test]
async fn a_group_takes_the_place_of_addresses() {
    let groups = "forward_auth: {listen: \"127.0.0.1:0\", groups: [{service: ae5cf6f5, group: greeters}]}";
    let sidecar = start(groups).await;
    let answer = ask(&sidecar, "/v1/decide", HOST, &[ALICE]).await;
    assert_eq!(value(answer.headers(), "x-taskgate-upstream"), Some("greeters"));
    assert!(!answer.headers().contains_key("x-taskgate-next"));
}

#[tokio::test]
async fn what_does_not_fit_into_8_kb_is_refused_and_says_why() {
    let sidecar = start(OPEN).await;
    let cookie = |length: usize| format!("__Host-taskgate=tg1.k.x; own={}", "a".repeat(length));
    for (length, expected) in [(7_000, 200), (7_900, 431)] {
        let text = cookie(length);
        let answer = ask(&sidecar, "/v1/decide", HOST, &[ALICE, ("cookie", &text)]).await;
        assert_eq!(answer.status(), expected, "{length}");
        let size: usize = answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        assert!(size < 8_192, "{size}");
        let whole = ask(&sidecar, "/v1/reply", HOST, &[ALICE, ("cookie", &text)]).await;
        let code_of = if expected == 431 { "headers-too-large" } else { "verdict-unavailable" };
        assert_eq!(code(&whole), Some(code_of), "{length}");
    }
}

#[tokio::test]
async fn with_a_secret_nobody_else_is_answered() {
    let sidecar = Sidecar::start(&format!(
        "{}forward_auth: {{listen: \"127.0.0.1:0\", secret: s3cret}}",
        tokens(&[("alice", "")])
    ))
    .await;
    for (headers, expected) in [
        (vec![ALICE], 401),
        (vec![ALICE, ("x-taskgate-internal", "wrong")], 401),
        (vec![ALICE, ("x-taskgate-internal", "s3cret"), ("x-taskgate-internal", "s3cret")], 401),
    ] {
        let answer = ask(&sidecar, "/v1/decide", HOST, &headers).await;
        assert_eq!(answer.status(), expected, "{headers:?}");
        assert!(!answer.headers().contains_key("x-taskgate-upstream"));
    }
    let right = ask(&sidecar, "/v1/decide", HOST, &[ALICE, ("x-taskgate-internal", "s3cret")]).await;
    assert_ne!(right.status(), 401);
}

#[tokio::test]
async fn a_websocket_of_another_origin_does_not_come_in_by_a_cookie() {
    let sidecar = start(OPEN).await;
    // Over HTTP/2 it has no key.
    for of_websockets in [("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-version", "13")] {
        let headers = [of_websockets, ("origin", "https://evil.example"), ("cookie", "YTCypressCookie=token-of-alice")];
        let answer = ask(&sidecar, "/v1/decide", HOST, &headers).await;
        assert_eq!((answer.status().as_u16(), code(&answer)), (403, Some("cross-origin")), "{of_websockets:?}");
    }
}
