//! What refused clients get.

use http::Method;
use taskgate_test_kit::{ReservedAddress, wait_for};
use tonic::Code;

use super::gate::{Gate, Plan};
use crate::support::ask::{Answer, Ask};
use crate::support::ingress::message;
use crate::support::service::{ALICE, BOB, MALLORY, Service, host, id};
use crate::support::wire::Wire;
use crate::support::{Outcome, PATIENCE, soon};

/// Who asks for what, and what they are told.
const REFUSALS: [(&str, Option<&str>, u16, &str, Code); 6] = [
    ("web", None, 401, "credential-missing", Code::Unauthenticated),
    ("web", Some("wrong"), 401, "credential-rejected", Code::Unauthenticated),
    ("owners", Some(BOB), 403, "access-denied", Code::PermissionDenied),
    ("web", Some(MALLORY), 404, "unknown-service", Code::NotFound),
    ("none", Some(ALICE), 404, "unknown-service", Code::NotFound),
    ("empty", Some(ALICE), 503, "no-endpoint", Code::Unavailable),
];

/// Nobody listens there: a request that got so far would be a 502.
async fn gate() -> anyhow::Result<(Gate, ReservedAddress)> {
    let job = ReservedAddress::new()?;
    let services = [
        Service::http("web").at(job.address()),
        Service::http("owners").at(job.address()).access("owner"),
        Service::http("empty"),
    ];
    Ok((Plan::new(services).start().await?, job))
}

fn ask(method: Method, task: &str, token: Option<&str>) -> Ask {
    let ask = Ask::new(method, &host(task), "/some/page?q=1");
    token.map_or_else(|| Ask::new(Method::GET, &host(task), "/some/page?q=1"), |token| ask.token(token))
}

fn check(answer: &Answer, status: u16, code: &str, content_type: &str) {
    assert_eq!(answer.denial(), (status, code));
    assert_eq!(answer.header("content-type"), content_type, "{code}");
    assert_eq!(answer.header("cache-control"), "no-store", "{code}");
    assert_eq!(answer.header("www-authenticate").is_empty(), status != 401, "{code}");
    assert_eq!(answer.header("retry-after").is_empty(), status != 503, "{code}");
}

#[tokio::test]
async fn people_get_a_page_and_programs_a_problem_document() -> Outcome {
    let (gate, _job) = gate().await?;
    for (task, token, status, code, _) in REFUSALS {
        for mut link in gate.links().await? {
            let page = link.send(ask(Method::GET, task, token).header("accept", "text/html,*/*")).await?;
            check(&page, status, code, "text/html; charset=utf-8");
            assert!(page.text().starts_with("<!doctype html>") && page.text().contains(code), "{}", page.text());
            let problem = link.send(ask(Method::GET, task, token).header("accept", "application/json")).await?;
            check(&problem, status, code, "application/problem+json");
            assert_eq!(problem.json()?["code"], code);
            let head = link.send(ask(Method::GET, task, token).method(Method::HEAD)).await?;
            assert_eq!((head.denial(), head.body.len()), ((status, code), 0));
        }
    }
    Ok(())
}

#[tokio::test]
async fn grpc_clients_get_the_status_of_grpc() -> Outcome {
    let (gate, _job) = gate().await?;
    for (task, token, _, code, grpc) in REFUSALS {
        let mut client = gate.grpc(task).await?;
        let request = match token {
            Some(token) => message("hi", token)?,
            None => tonic::Request::new(taskgate_jobs::grpc::EchoRequest::new("hi")),
        };
        let status = soon("a status", client.unary(request)).await?.err();
        assert_eq!(status.map(|status| status.code()), Some(grpc), "{code}");
    }
    Ok(())
}

#[tokio::test]
async fn the_method_and_the_body_of_a_refused_request_do_not_matter() -> Outcome {
    let (gate, _job) = gate().await?;
    for mut link in gate.links().await? {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
            let answer = link.send(Ask::post(&host("web"), "/x", "a body").method(method.clone())).await?;
            check(&answer, 401, "credential-missing", "application/problem+json");
        }
    }
    for length in [300_000_usize, 20 << 20] {
        // A client that sends its whole body first gets the answer all the same.
        let answer = gate.send(Ask::post(&host("web"), "/x", vec![b'x'; length])).await?;
        check(&answer, 401, "credential-missing", "application/problem+json");
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_upload_is_not_waited_for() -> Outcome {
    let (gate, _job) = gate().await?;
    let head = format!("PUT /x HTTP/1.1\r\nHost: {}\r\n", host("web"));
    for framing in
        ["Content-Length: 100000000\r\n\r\nbegun", "Expect: 100-continue\r\nContent-Length: 100000000\r\n\r\n"]
    {
        let mut client = Wire::connect(gate.nginx.address()).await?;
        client.write(format!("{head}{framing}")).await?;
        assert!(client.read_head().await?.line.contains(" 401 "), "{framing}");
    }
    // Of unknown length: no more than a small part of it is taken.
    let mut client = Wire::connect(gate.nginx.address()).await?;
    client.write(format!("{head}Transfer-Encoding: chunked\r\n\r\n")).await?;
    for _ in 0..8 {
        client.write_chunk(vec![b'x'; 16 << 10]).await?;
    }
    assert!(client.read_head().await?.line.contains(" 401 "));
    Ok(())
}

#[tokio::test]
async fn names_that_disagree_are_refused_with_400() -> Outcome {
    let (gate, _job) = gate().await?;
    let answer = gate.send(Ask::get(&host("web"), "/").token(ALICE).header("x-yt-taskproxy-id", id("owners"))).await?;
    assert_eq!(answer.denial(), (400, "conflicting-address"));
    let answer = gate.send(Ask::get("elsewhere.test", "/").token(ALICE)).await?;
    assert!(answer.status >= 400 && !answer.header("x-taskgate-denial").is_empty(), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn the_log_says_who_was_refused_what_and_no_secret() -> Outcome {
    let (gate, _job) = gate().await?;
    gate.send(Ask::get(&host("owners"), "/page?api=s3cret").token(BOB)).await?;
    // The line is written once the client has its answer.
    let audit = async || Some(gate.nginx.audit()).filter(|audit| audit.ends_with('\n'));
    let audit = wait_for(PATIENCE, "a line of the log", audit).await?;
    let line: serde_json::Value = serde_json::from_str(audit.lines().next().unwrap_or_default())?;
    for (field, value) in [
        ("http.method", "GET"),
        ("http.path", "/page"),
        ("http.status", "403"),
        ("denial.code", "access-denied"),
        ("actor.id", "bob"),
        ("access.level", "owner"),
        ("service.id", &id("owners")),
    ] {
        assert_eq!(line[field], value, "{field} of {line}");
    }
    assert!(!audit.contains("s3cret") && !audit.contains(BOB), "{audit}");
    Ok(())
}
