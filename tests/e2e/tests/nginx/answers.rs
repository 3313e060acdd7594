//! What jobs may say, and what they may not.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use super::gate::Plan;
use crate::support::Outcome;
use crate::support::ask::Ask;
use crate::support::service::{ALICE, Service, host};
use crate::support::stage::Stage;

#[tokio::test]
async fn a_job_says_nothing_that_is_the_gates() -> Outcome {
    let job = Stage::open().await?;
    let address = job.address();
    let lines = "X-Taskgate-Denial: fake\r\nClear-Site-Data: \"*\"\r\nX-Own: 1\r\n\
                 Set-Cookie: a=1; Domain=tasks.example.test; Path=/; domain = .example.test\r\n\
                 Set-Cookie: b=2; DOMAIN=tasks.example.test\r\nSet-Cookie: c=3; HttpOnly\r\n";
    let _job = job.always(move |visit| visit.answer("418 Teapot", lines, "mine"));
    let gate = Plan::new([Service::http("web").at(address)]).start().await?;
    let web = host("web");
    for mut link in gate.links().await? {
        let answer = link.send(Ask::get(&web, "/").token(ALICE)).await?;
        assert_eq!((answer.status, answer.text().as_str(), answer.header("x-own")), (418, "mine", "1"));
        assert!(answer.header("x-taskgate-denial").is_empty() && answer.header("clear-site-data").is_empty());
        let cookies: Vec<&str> =
            answer.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok()).collect();
        let own = format!("a=1; Domain={web}; Path=/; domain={web}");
        assert_eq!(cookies, [&*own, &*format!("b=2; DOMAIN={web}"), "c=3; HttpOnly"]);
    }
    Ok(())
}

/// A job's page, with cookies.
async fn page(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, http::Error> {
    let answer = Response::builder().header("content-type", "text/html").header("x-own", "1");
    let answer = answer.header("set-cookie", "a=1; Domain=tasks.example.test").header("set-cookie", "b=2");
    answer.body(Full::new(Bytes::from_static(b"mine")))
}

#[tokio::test]
async fn a_job_of_http2_sets_no_cookies_for_other_services() -> Outcome {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let serving = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(serving.serve_connection(TokioIo::new(stream), service_fn(page)));
        }
    });
    let gate = Plan::new([Service::grpc("pages").at(address)]).start().await?;
    for mut link in gate.links().await? {
        let answer = link.send(Ask::get(&host("pages"), "/").token(ALICE).header("accept", "text/html")).await?;
        assert_eq!((answer.status, answer.text().as_str(), answer.header("x-own")), (200, "mine", "1"));
        assert!(answer.headers.get("set-cookie").is_none(), "{:?}", answer.headers);
    }
    Ok(())
}

#[tokio::test]
async fn a_job_does_not_choose_where_nginx_goes() -> Outcome {
    let job = Stage::open().await?;
    let address = job.address();
    let _job = job.always(|visit| async move {
        let target = visit.head.all("x-target").first().copied().unwrap_or_default().to_owned();
        visit.answer("200 OK", &format!("X-Accel-Redirect: {target}\r\nX-Accel-Limit-Rate: 1\r\n"), "mine").await
    });
    let gate = Plan::new([Service::http("web").at(address)]).start().await?;
    for target in ["@tg_unavailable", "/_taskgate/decide", "/_taskgate/reply", "/other"] {
        let answer = gate.send(Ask::get(&host("web"), "/").token(ALICE).header("x-target", target)).await?;
        assert_eq!((answer.status, answer.text().as_str()), (200, "mine"), "{target}");
    }
    Ok(())
}

#[tokio::test]
async fn a_jobs_own_errors_are_its_own() -> Outcome {
    let job = Stage::open().await?;
    let address = job.address();
    let job = job.always(|visit| async move {
        let status =
            visit.head.line.split('/').nth(1).unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
        visit.answer(&format!("{status} Own"), "", "mine").await
    });
    let gate = Plan::new([Service::http("web").at(address)]).start().await?;
    for status in [401, 403, 500, 502, 503, 504, 413] {
        let answer = gate.send(Ask::get(&host("web"), &format!("/{status}")).token(ALICE)).await?;
        assert_eq!((answer.status, answer.text().as_str()), (status, "mine"));
    }
    assert_eq!(job.seen(), 7, "none of them was asked twice");
    Ok(())
}
