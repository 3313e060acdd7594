//! What refused clients get, on the wire.

use http::Method;
use taskgate_test_kit::ReservedAddress;
use tokio_tungstenite::tungstenite;
use tonic::Code;

use crate::support::ask::{Answer, Ask};
use crate::support::gateway::Gateway;
use crate::support::ingress::{handshake, message};
use crate::support::service::{ALICE, BASE_DOMAIN, BOB, MALLORY, Service, host, id};
use crate::support::setup::Setup;
use crate::support::{Outcome, soon};

/// A refusal: who asks for what, and what they are told.
struct Refusal {
    task: &'static str,
    token: Option<&'static str>,
    status: u16,
    code: &'static str,
    grpc: Code,
    challenge: &'static str,
    retry_after: &'static str,
}

const CHALLENGE: &str = "Bearer realm=\"taskgate\"";
const INVALID: &str = "Bearer realm=\"taskgate\", error=\"invalid_token\"";

const REFUSALS: [Refusal; 6] = [
    refusal("web", None, 401, "credential-missing", Code::Unauthenticated).challenge(CHALLENGE),
    refusal("web", Some("wrong"), 401, "credential-rejected", Code::Unauthenticated).challenge(INVALID),
    refusal("owners", Some(BOB), 403, "access-denied", Code::PermissionDenied),
    refusal("web", Some(MALLORY), 404, "unknown-service", Code::NotFound),
    refusal("none", Some(ALICE), 404, "unknown-service", Code::NotFound),
    refusal("empty", Some(ALICE), 503, "no-endpoint", Code::Unavailable).retry_after("5"),
];

const fn refusal(
    task: &'static str,
    token: Option<&'static str>,
    status: u16,
    code: &'static str,
    grpc: Code,
) -> Refusal {
    Refusal { task, token, status, code, grpc, challenge: "", retry_after: "" }
}

impl Refusal {
    const fn challenge(self, challenge: &'static str) -> Self {
        Self { challenge, ..self }
    }

    const fn retry_after(self, retry_after: &'static str) -> Self {
        Self { retry_after, ..self }
    }

    fn ask(&self, method: Method) -> Ask {
        let ask = Ask::new(method, &host(self.task), "/some/page?q=1");
        match self.token {
            Some(token) => ask.token(token),
            None => ask,
        }
    }

    /// What all clients but gRPC are told in the same way.
    fn check(&self, answer: &Answer, content_type: &str) {
        let code = self.code;
        assert_eq!(answer.denial(), (self.status, code));
        assert_eq!(answer.header("www-authenticate"), self.challenge, "{code}");
        assert_eq!(answer.header("retry-after"), self.retry_after, "{code}");
        assert_eq!(answer.header("content-type"), content_type, "{code}");
        assert_eq!(answer.header("cache-control"), "no-store", "{code}");
    }
}

async fn gateway() -> anyhow::Result<(Gateway, ReservedAddress)> {
    // Nobody listens there: a request that got so far would be a 503 without a reason.
    let job = ReservedAddress::new()?;
    let services = [
        Service::http("web").at(job.address()),
        Service::http("owners").at(job.address()).access("owner"),
        Service::http("empty"),
    ];
    Ok((Setup::new(services).start().await?, job))
}

#[tokio::test]
async fn people_get_a_page_and_programs_a_problem_document() -> Outcome {
    let (gateway, _job) = gateway().await?;
    for refusal in &REFUSALS {
        let code = refusal.code;
        for mut link in [gateway.ingress.http1().await?, gateway.ingress.http2().await?] {
            for page in [("accept", "text/html,*/*"), ("sec-fetch-mode", "navigate")] {
                let answer = link.send(refusal.ask(Method::GET).header(page.0, page.1)).await?;
                refusal.check(&answer, "text/html; charset=utf-8");
                let text = answer.text();
                assert!(text.starts_with("<!doctype html>") && text.contains(code), "{text}");
            }
            for (method, accept) in [(Method::GET, "application/json"), (Method::POST, "*/*"), (Method::PUT, "a/b")] {
                let answer = link.send(refusal.ask(method).header("accept", accept)).await?;
                refusal.check(&answer, "application/problem+json");
                let problem = answer.json()?;
                assert_eq!(
                    (problem["status"].as_u64(), problem["code"].as_str()),
                    (Some(refusal.status.into()), Some(code))
                );
            }
            let answer = link.send(refusal.ask(Method::HEAD)).await?;
            refusal.check(&answer, "application/problem+json");
            assert!(answer.body.is_empty(), "the answer to HEAD has a body");
            // A request that could not be read to its end would break the next one.
            assert_eq!(link.send(refusal.ask(Method::GET)).await?.denial(), (refusal.status, code));
        }
    }
    Ok(())
}

#[tokio::test]
async fn grpc_clients_get_the_status_of_grpc() -> Outcome {
    let (gateway, _job) = gateway().await?;
    for refusal in &REFUSALS {
        let mut client = gateway.ingress.grpc(refusal.task).await?;
        let mut request = message("hi", "-")?;
        match refusal.token {
            Some(token) => request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?),
            None => request.metadata_mut().remove("authorization"),
        };
        let Err(status) = soon("the call", client.unary(request)).await? else { anyhow::bail!("{}", refusal.code) };
        assert_eq!(status.code(), refusal.grpc, "{}: {status:?}", refusal.code);
        assert!(status.message().starts_with(&format!("{}: ", refusal.code)), "{status:?}");
        let metadata =
            |name: &str| status.metadata().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!(metadata("x-taskgate-denial"), refusal.code);
        assert_eq!(metadata("retry-after"), refusal.retry_after);
        assert_eq!(metadata("www-authenticate"), refusal.challenge);
    }
    Ok(())
}

#[tokio::test]
async fn websocket_handshakes_fail_with_the_reason() -> Outcome {
    let (gateway, _job) = gateway().await?;
    for refusal in &REFUSALS {
        let connected = gateway.ingress.websocket_with(handshake(refusal.task, refusal.token)?);
        let answer = match soon("the handshake", connected).await? {
            Err(tungstenite::Error::Http(answer)) => answer.map(Option::unwrap_or_default),
            other => anyhow::bail!("{}: {other:?}", refusal.code),
        };
        let (head, body) = answer.into_parts();
        let answer = Answer { status: head.status.as_u16(), headers: head.headers, body: body.into() };
        refusal.check(&answer, "application/problem+json");
    }
    Ok(())
}

#[tokio::test]
async fn requests_that_name_no_service_or_two_are_refused() -> Outcome {
    let (gateway, _job) = gateway().await?;
    let send = async |ask: Ask| gateway.ingress.send(ask.token(ALICE)).await;
    let by_header = |id: &str| Ask::get(&format!("task-proxy.{BASE_DOMAIN}"), "/").header("x-yt-taskproxy-id", id);
    assert_eq!(send(by_header(&id("empty"))).await?.denial(), (503, "no-endpoint"));
    assert_eq!(send(by_header(&id("none"))).await?.denial(), (404, "unknown-service"));
    assert_eq!(send(by_header("not/an/id")).await?.denial(), (400, "malformed-address"));
    assert_eq!(send(Ask::get("elsewhere.example", "/")).await?.denial(), (404, "address-missing"));
    let twice = by_header(&id("web")).header("x-yt-taskproxy-id", id("web"));
    assert_eq!(send(twice).await?.denial(), (400, "duplicate-address"));
    let incomplete = Ask::get("elsewhere.example", "/").header("x-yt-taskproxy-task-name", "web");
    assert_eq!(send(incomplete).await?.denial(), (400, "incomplete-address"));
    Ok(())
}
