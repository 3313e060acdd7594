//! The way to containers through the controller.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use serde_json::{Value, json};
use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::visitor::{VISITOR_HEADER, vouch};
use taskgate_emulators::arvados::Fault;

use crate::arvados::support::{Stage, id};
use crate::kit::{START, Sidecar, bearer, outcome, serve};

/// What a job saw of the last request.
#[derive(Clone, Debug, Default)]
struct Seen {
    line: String,
    host: String,
    headers: HeaderMap,
}

/// Alice's service, whose job says what it saw, behind a sidecar.
struct Relayed {
    stage: Stage,
    sidecar: Sidecar,
    container: String,
    id: String,
    seen: Arc<Mutex<Seen>>,
}

impl Relayed {
    async fn new(access: &str, token: &str) -> Self {
        Self::with(access, token, json!({})).await
    }

    async fn with(access: &str, token: &str, properties: Value) -> Self {
        Self::configured(access, token, properties, "").await
    }

    async fn configured(access: &str, token: &str, properties: Value, more: &str) -> Self {
        let stage = Stage::new().await;
        let (_, container) = stage.service(access, properties);
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let job = serve(job(Arc::clone(&seen))).await;
        let address = job.trim_start_matches("http://").parse().expect("an address");
        stage.cluster.serve(&container, 8080, address);
        let connect = stage.cluster.address();
        let rest = format!(", controller: {{token: {token}, connect: \"{connect}\"{more}}}");
        let sidecar = stage.sidecar(&rest).await;
        let id = id(&sidecar, &container, 8080).await;
        Self { stage, sidecar, container, id, seen }
    }

    /// Where the proxy sends requests.
    fn url(&self, path: &str) -> String {
        let service = self.sidecar.running.app.registry.service(&self.id).expect("published");
        let address = service.entry.endpoints.first().expect("an endpoint").address;
        format!("http://{address}{path}")
    }

    /// A request that the filter vouches for, as that user's.
    fn ask(&self, path: &str, user: &str) -> reqwest::RequestBuilder {
        self.ask_about(path, user, &self.id)
    }

    fn ask_about(&self, path: &str, user: &str, service: &str) -> reqwest::RequestBuilder {
        let identity =
            WireIdentity { actor: user.into(), arvados_user_uuid: Some(user.into()), ..WireIdentity::default() };
        let identity = Identity::try_from(identity).expect("an identity");
        let vouch = vouch(&self.sidecar.running.app.control.ring(), service, &identity, START).expect("a key");
        let request = self.sidecar.client.get(self.url(path)).header("host", format!("{}.tasks.example.test", self.id));
        request.header(VISITOR_HEADER, vouch).header("x-forwarded-user", user).header("x-arvados-user-uuid", user)
    }

    fn seen(&self) -> Seen {
        self.seen.lock().expect("a lock").clone()
    }
}

fn job(seen: Arc<Mutex<Seen>>) -> Router {
    Router::new().fallback(move |request: Request| {
        let host = request.headers().get("host").map(|host| host.to_str().expect("text").to_owned());
        let line = format!("{} {}", request.method(), request.uri());
        *seen.lock().expect("a lock") =
            Seen { line, host: host.unwrap_or_default(), headers: request.headers().clone() };
        let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
        let host = request.headers()["host"].to_str().expect("text").to_owned();
        async move {
            if path == "/away" {
                let location = format!("http://{host}/here?{query}");
                return (StatusCode::FOUND, [("location", location)]).into_response();
            }
            words(&path)
        }
    })
}

/// What the job says.
fn words(path: &str) -> Response {
    let json = ("content-type", "application/json");
    match path {
        "/plain" => "no header".into_response(),
        "/errors" => {
            let headers = [json, ("x-content-type-options", "nosniff"), ("vary", "accept")];
            (StatusCode::BAD_REQUEST, headers, r#"{"errors":[{"title":"mine"}]}"#).into_response()
        }
        "/missing" => (StatusCode::NOT_FOUND, [json, ("vary", "origin")], r#"{"errors":["mine"]}"#).into_response(),
        "/down" => (StatusCode::SERVICE_UNAVAILABLE, "mine").into_response(),
        _ => ([("set-cookie", "mine=1"), ("vary", "accept")], "the job's words").into_response(),
    }
}

/// Status and code of a refusal.
async fn refused(request: reqwest::RequestBuilder) -> (u16, String) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let problem: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_visitors_own_token_goes_to_the_controller_and_not_to_the_job() {
    let relayed = Relayed::new("private", "visitor").await;
    let token = relayed.stage.cluster.add_token(&relayed.stage.alice);
    let asked = relayed.ask("/a%2Fb?x=1&&y", &relayed.stage.alice).bearer_auth(&token).header("cookie", "jobs=1");
    let answer = asked.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["mine=1"]);
    assert_eq!(answer.headers()["vary"], "accept");
    assert_eq!(answer.text().await.expect("text"), "the job's words");
    let seen = relayed.seen();
    assert_eq!(seen.line, "GET /a%2Fb?x=1&&y");
    assert!(seen.host.starts_with(&format!("{}-8080.containers.", relayed.container)), "{}", seen.host);
    assert_eq!(seen.headers["cookie"], "jobs=1");
    assert_eq!(seen.headers["x-forwarded-user"], relayed.stage.alice.as_str());
    assert!(!seen.headers.contains_key("authorization") && !seen.headers.contains_key(VISITOR_HEADER));
    let secret = token.rsplit('/').next().expect("a secret");
    assert!(!format!("{:?}", seen.headers).contains(secret));
}

#[tokio::test]
async fn nobody_gets_in_whom_the_filter_does_not_vouch_for() {
    let relayed = Relayed::new("private", "service").await;
    let alice = relayed.stage.alice.clone();
    let not_vouched = (403, "not-vouched".to_owned());
    assert_eq!(refused(relayed.sidecar.client.get(relayed.url("/"))).await, not_vouched);
    // Vouched for, of another service.
    assert_eq!(refused(relayed.ask_about("/", &alice, "ae5cf6f5")).await, not_vouched);
    // Vouched for, as somebody else.
    assert_eq!(refused(relayed.ask("/", &alice).header("x-forwarded-user", "root")).await, not_vouched);
    let before = relayed.stage.cluster.seen("/").iter().filter(|call| call.host.contains("containers.")).count();
    assert_eq!(before, 0, "the controller hears nothing of it");
    assert_eq!(relayed.ask("/", &alice).send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_jobs_own_credential_is_not_taken_for_a_token() {
    let relayed = Relayed::new("private", "service").await;
    let asked = relayed.ask("/?api_token=jobs-own", &relayed.stage.bob).bearer_auth("jobs-own");
    assert_eq!(asked.send().await.expect("an answer").status(), 200);
    let seen = relayed.seen();
    assert_eq!(seen.headers["authorization"], "Bearer jobs-own");
    assert_eq!(seen.line, "GET /?api_token=jobs-own");
    let relayed = Relayed::new("private", "visitor").await;
    let asked = relayed.ask("/", &relayed.stage.alice).bearer_auth("jobs-own");
    assert_eq!(refused(asked).await, (403, "arvados-token-required".to_owned()));
}

#[tokio::test]
async fn what_somebody_was_let_in_with_goes_with_their_requests_and_nobody_elses() {
    let relayed = Relayed::new("private", "visitor").await;
    let token = relayed.stage.cluster.add_token(&relayed.stage.alice);
    let required = (403, "arvados-token-required".to_owned());
    assert_eq!(refused(relayed.ask("/", &relayed.stage.alice)).await, required);
    let told = relayed.sidecar.verdict(&relayed.id, bearer(&token)).await;
    assert_eq!(outcome(&told), relayed.stage.alice);
    assert_eq!(relayed.ask("/", &relayed.stage.alice).send().await.expect("an answer").status(), 200);
    assert_eq!(refused(relayed.ask("/", &relayed.stage.bob)).await, required);
    // It is good for as long as the cluster says.
    relayed.stage.cluster.revoke_token(&token);
    let asked = relayed.ask("/", &relayed.stage.alice);
    assert_eq!(refused(asked).await, (502, "upstream-failed".to_owned()));
}

#[tokio::test]
async fn a_public_port_needs_no_token_and_none_goes_there() {
    let relayed = Relayed::new("public", "service").await;
    let plain = relayed.sidecar.client.get(relayed.url("/x"));
    assert_eq!(plain.send().await.expect("an answer").status(), 200);
    let token = relayed.stage.cluster.add_token(&relayed.stage.bob);
    let with = relayed.sidecar.client.get(relayed.url("/x")).bearer_auth(&token);
    assert_eq!(with.send().await.expect("an answer").status(), 200);
    let calls = relayed.stage.cluster.seen("/x");
    assert!(calls.len() == 2 && calls.iter().all(|call| !call.headers.contains_key("cookie")), "{calls:?}");
    assert!(calls.iter().all(|call| !call.headers.contains_key("authorization")), "{calls:?}");
}

#[tokio::test]
async fn a_way_that_became_anothers_does_not_answer_for_the_one_before() {
    let relayed = Relayed::new("public", "service").await;
    let (_, other) = relayed.stage.service("public", json!({}));
    let other = id(&relayed.sidecar, &other, 8080).await;
    for (label, expected) in [(&other, 421), (&relayed.id, 200)] {
        let asked = relayed.sidecar.client.get(relayed.url("/")).header("host", format!("{label}.tasks.example.test"));
        assert_eq!(asked.send().await.expect("an answer").status(), expected, "{label}");
    }
}

#[tokio::test]
async fn an_upgrade_is_refused_with_words_instead_of_silence() {
    let relayed = Relayed::new("public", "service").await;
    let asked = relayed.sidecar.client.get(relayed.url("/ws"));
    let asked = asked.header("connection", "Upgrade").header("upgrade", "websocket");
    assert_eq!(refused(asked).await, (501, "upgrade-not-supported".to_owned()));
    let asked = relayed.sidecar.client.get(relayed.url("/events")).header("accept", "text/event-stream");
    assert_eq!(refused(asked).await, (501, "stream-not-supported".to_owned()));
    assert!(relayed.stage.cluster.seen("/ws").is_empty() && relayed.stage.cluster.seen("/events").is_empty());
}

#[tokio::test]
async fn the_controllers_own_words_are_not_shown() {
    let relayed = Relayed::new("private", "visitor").await;
    let bobs = relayed.stage.cluster.add_token(&relayed.stage.bob);
    // Arvados lets nobody in but the submitter, and says 500 where it means 404.
    let asked = relayed.ask("/", &relayed.stage.bob).bearer_auth(&bobs);
    let answer = asked.send().await.expect("an answer");
    let (status, text) = (answer.status().as_u16(), answer.text().await.expect("text"));
    assert_eq!(status, 502);
    assert!(text.contains("upstream-failed") && !text.contains("railsapi") && !text.contains("172.17"), "{text}");
    let alices = relayed.stage.cluster.add_token(&relayed.stage.alice);
    relayed.stage.cluster.serve(&relayed.container, 8080, ([127, 0, 0, 1], 1).into());
    assert_eq!(
        refused(relayed.ask("/", &relayed.stage.alice).bearer_auth(&alices)).await,
        (502, "upstream-failed".to_owned())
    );
}

#[tokio::test]
async fn a_containers_logs_are_not_for_visitors_of_its_service() {
    let relayed = Relayed::new("public", "service").await;
    for name in ["x-webdav-source", "X_Webdav_Source"] {
        let asked = relayed.sidecar.client.get(relayed.url("/")).header(name, "/log").header("x-webdav-prefix", "/");
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.text().await.expect("text"), "the job's words", "{name}");
        assert!(relayed.seen().headers.keys().all(|name| !name.as_str().contains("webdav")));
    }
}

#[tokio::test]
async fn a_jobs_own_errors_get_through() {
    let relayed = Relayed::new("public", "service").await;
    for (path, status, text) in [
        ("/plain", 200, "no header"),
        ("/errors", 400, r#"{"errors":[{"title":"mine"}]}"#),
        ("/missing", 404, r#"{"errors":["mine"]}"#),
        ("/down", 503, "mine"),
    ] {
        let answer = relayed.sidecar.client.get(relayed.url(path)).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
        assert!(!format!("{:?}", answer.headers()).contains("x-arvados"), "{path}: {:?}", answer.headers());
        assert_eq!(answer.text().await.expect("text"), text, "{path}");
    }
}

#[tokio::test]
async fn addresses_inside_the_cluster_are_not_shown() {
    let relayed = Relayed::new("public", "service").await;
    for (port, status, code) in [(1, 502, "upstream-failed"), (0, 503, "service-starting")] {
        relayed.stage.cluster.serve(&relayed.container, 8080, ([127, 0, 0, 1], port).into());
        let answer = relayed.sidecar.client.get(relayed.url("/")).send().await.expect("an answer");
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers().contains_key("retry-after"), status == 503);
        let text = answer.text().await.expect("text");
        assert!(text.contains(code) && !text.contains("172.17") && !text.contains("IP address"), "{text}");
    }
}

#[tokio::test]
async fn what_nobody_vouches_for_is_not_told_to_a_job() {
    let relayed = Relayed::new("public", "service").await;
    let names = [
        "x-forwarded-user",
        "x-forwarded-email",
        "x-forwarded-groups",
        "x-arvados-user-uuid",
        "x-taskgate-assertion",
        "x_forwarded_user",
    ];
    let mut asked = relayed.sidecar.client.get(relayed.url("/"));
    for name in names {
        asked = asked.header(name, "root");
    }
    assert_eq!(asked.send().await.expect("an answer").status(), 200);
    let seen = relayed.seen();
    assert!(names.iter().all(|name| !seen.headers.contains_key(*name)), "{:?}", seen.headers);
    assert_eq!(relayed.ask("/", &relayed.stage.bob).send().await.expect("an answer").status(), 200);
    assert_eq!(relayed.seen().headers["x-forwarded-user"], relayed.stage.bob.as_str());
}

#[tokio::test]
async fn the_operators_token_does_not_go_where_the_api_might_be() {
    let relayed = Relayed::new("private", "service").await;
    for path in
        ["/arvados/v1/users", "/%61rvados/v1/users", "/login?return_to=x", "/auth/x", "/metrics", "/_health/ping"]
    {
        let refusal = refused(relayed.ask(path, &relayed.stage.alice)).await;
        assert_eq!(refusal, (400, "path-not-carried".to_owned()), "{path}");
    }
    assert_eq!(relayed.ask("/authors", &relayed.stage.alice).send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn the_way_closes_when_the_cluster_calls_containers_otherwise() {
    let relayed = Relayed::new("private", "service").await;
    let url = relayed.url("/");
    relayed.stage.cluster.set_external_url("http://*.elsewhere.example.test/");
    crate::arvados::support::eventually("the way closes", async || {
        relayed.sidecar.client.get(&url).send().await.is_err()
    })
    .await;
}

#[tokio::test]
async fn a_job_is_told_which_host_was_asked_for() {
    let relayed = Relayed::new("public", "visitor").await;
    let host = format!("{}.tasks.example.test", relayed.id);
    let asked = relayed.sidecar.client.get(relayed.url("/")).header("host", &host);
    assert_eq!(asked.send().await.expect("an answer").status(), 200);
    assert_eq!(relayed.seen().headers["x-forwarded-host"], host.as_str());
}

#[tokio::test]
async fn a_port_that_is_private_to_arvados_needs_a_token_though_the_gate_opens_it() {
    let open = json!({"taskgate.access": {"8080": "public"}});
    let relayed = Relayed::with("private", "visitor", open.clone()).await;
    let plain = || relayed.sidecar.client.get(relayed.url("/x"));
    assert_eq!(refused(plain()).await, (403, "arvados-token-required".to_owned()));
    let token = relayed.stage.cluster.add_token(&relayed.stage.alice);
    assert_eq!(plain().bearer_auth(&token).send().await.expect("an answer").status(), 200);
    let relayed = Relayed::with("private", "service", open).await;
    let plain = relayed.sidecar.client.get(relayed.url("/x"));
    assert_eq!(plain.send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_port_that_is_open_in_arvados_needs_no_token_though_the_gate_asks_who_it_is() {
    let readers = json!({"taskgate.access": {"8080": "can_read"}});
    let relayed = Relayed::with("public", "visitor", readers).await;
    assert_eq!(relayed.ask("/", &relayed.stage.alice).send().await.expect("an answer").status(), 200);
    assert_eq!(refused(relayed.sidecar.client.get(relayed.url("/"))).await, (403, "not-vouched".to_owned()));
}

#[tokio::test]
async fn a_token_for_less_does_not_take_the_place_of_one_for_everything() {
    let relayed = Relayed::new("private", "visitor").await;
    let alice = relayed.stage.alice.clone();
    let whole = relayed.stage.cluster.add_token(&alice);
    let scoped = relayed.stage.cluster.add_scoped_token(&alice, &["GET /arvados/v1/container_requests"]);
    for token in [&whole, &scoped] {
        let told = relayed.sidecar.verdict(&relayed.id, bearer(token)).await;
        assert_eq!(outcome(&told), alice);
    }
    assert_eq!(relayed.ask("/x", &alice).send().await.expect("an answer").status(), 200);
    let cookie = format!("arvados_api_token={}", base64::engine::general_purpose::URL_SAFE.encode(&whole));
    let calls = relayed.stage.cluster.seen("/x");
    assert!(calls.iter().all(|call| call.headers["cookie"] == cookie.as_str()), "{calls:?}");
}

#[tokio::test]
async fn a_redirect_to_the_controllers_name_leads_back() {
    let relayed = Relayed::new("public", "visitor").await;
    let host = format!("{}.tasks.example.test", relayed.id);
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let asked = browser.get(relayed.url("/away?x=%2F")).header("host", &host);
    let answer = asked.send().await.expect("an answer");
    assert_eq!(answer.headers()["location"], format!("https://{host}/here?x=%2F").as_str());
}

#[tokio::test]
async fn the_controller_is_busy_with_so_many_requests_and_no_more() {
    let stage_rest = ", max_requests: 1";
    let relayed = Relayed::configured("public", "service", json!({}), stage_rest).await;
    relayed.stage.cluster.fail("/slow", 1, Fault::Hang);
    let slow = tokio::spawn(relayed.sidecar.client.get(relayed.url("/slow")).send());
    // It is at the controller when nobody else gets a place.
    crate::arvados::support::eventually("others find no place", async || {
        let answer = relayed.sidecar.client.get(relayed.url("/")).send().await.expect("an answer");
        answer.status() == 503 && answer.headers().contains_key("retry-after")
    })
    .await;
    slow.abort();
    assert!(slow.await.is_err());
    crate::arvados::support::eventually("the place is free", async || {
        relayed.sidecar.client.get(relayed.url("/")).send().await.expect("an answer").status() == 200
    })
    .await;
}

#[tokio::test]
async fn the_way_closes_with_the_service() {
    let relayed = Relayed::new("public", "service").await;
    let url = relayed.url("/");
    relayed.stage.cluster.set_state(&relayed.container, "Cancelled");
    crate::arvados::support::eventually("the way closes", async || {
        relayed.sidecar.client.get(&url).send().await.is_err()
    })
    .await;
}
