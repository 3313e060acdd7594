//! WebSockets over HTTP/2 (RFC 8441): an extended CONNECT, without the key by which the sidecar knows others.

use anyhow::Context as _;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::front::{Front, Kind};
use crate::support::ask::{Answer, Ask, Link};
use crate::support::service::{ALICE, BOB, Service, host};
use crate::support::stage::Stage;
use crate::support::{Outcome, jobs, soon};

/// Those that take WebSockets over HTTP/2, by themselves or where an operator says so.
const CONNECTING: [Kind; 3] = [Kind::EnvoyHttp, Kind::Haproxy, Kind::EnvoyGrpc];

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// A WebSocket as browsers open one.
fn websocket(task: &str) -> Ask {
    Ask::connect("websocket", &host(task), "/api/kernels/1/channels").header("sec-websocket-version", "13")
}

/// The same, which a page of that task opens with the cookies of a visitor.
fn by_page(task: &str, page: &str) -> Ask {
    websocket(task)
        .header("origin", format!("http://{}", host(page)))
        .header("cookie", format!("YTCypressCookie={ALICE}"))
}

/// Opens it; or the answer that refuses it.
async fn open(front: &Front, ask: Ask) -> anyhow::Result<Result<Socket, Answer>> {
    let response = Link::http2(front.address()).await?.open(ask).await?;
    if response.status() != 200 {
        return Ok(Err(Answer::read(response).await?));
    }
    let stream = soon("a stream", hyper::upgrade::on(response)).await??;
    Ok(Ok(WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Client, None).await))
}

#[tokio::test]
async fn no_page_of_another_job_opens_one_with_a_visitors_cookies() -> Outcome {
    let job = jobs::websocket("W").await?;
    let services = [Service::websocket("victim").at(job.address()), Service::http("evil")];
    for kind in Kind::ALL {
        // As it comes, and where an operator lets it take such requests.
        for front in [Front::start(kind, &services).await?, Front::start_connecting(kind, &services, |_| {}).await?] {
            let opened = open(&front, by_page("victim", "evil")).await;
            assert!(!matches!(opened, Ok(Ok(_))), "{kind:?}");
        }
        if CONNECTING.contains(&kind) {
            let front = Front::start_connecting(kind, &services, |_| {}).await?;
            let refused = open(&front, by_page("victim", "evil")).await?.err().context("let in")?;
            assert_eq!(refused.denial(), (403, "cross-origin"), "{kind:?}");
        }
    }
    // Without what browsers always send it is known here too.
    let front = Front::start(Kind::Haproxy, &services).await?;
    let bare = Ask::connect("websocket", &host("victim"), "/").header("origin", "http://evil.example");
    let refused = open(&front, bare.header("cookie", format!("YTCypressCookie={ALICE}"))).await?.err();
    assert_eq!(refused.context("let in")?.denial(), (403, "cross-origin"));
    assert_eq!(job.connections(), 0, "no job heard of it");
    Ok(())
}

#[tokio::test]
async fn no_other_protocol_becomes_a_connection_past_the_gate() -> Outcome {
    const SECOND: &[u8] = b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n";
    let stage = Stage::open().await?;
    let address = stage.address();
    let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
    // It takes whatever it is offered, and listens to what comes then.
    let stage = stage.always(move |mut visit| {
        let sender = sender.clone();
        async move {
            let offered = [visit.head.all("Upgrade"), visit.head.all("upgrade")].concat().join(",");
            let answer = match offered.as_str() {
                "" => "HTTP/1.1 200 OK\r\n\r\nok".to_owned(),
                offered => format!("HTTP/1.1 101 Go on\r\nconnection: upgrade\r\nupgrade: {offered}\r\n\r\n"),
            };
            visit.wire.write(answer).await?;
            let rest = visit.wire.read_to_end().await?;
            // In a body it is no request.
            let has_body = visit.head.names().iter().any(|name| name.eq_ignore_ascii_case("transfer-encoding"));
            let has_second = !has_body && rest.windows(7).any(|part| part == b"/second");
            let _ = sender.send((!offered.is_empty() || has_second, format!("{:?} {rest:?}", visit.head)));
            Ok(())
        }
    });
    let mut ended = 0;
    for kind in Kind::ALL {
        let front = Front::start_connecting(kind, &[Service::http("web").at(address)], |_| {}).await?;
        for protocol in ["evil", "h2c", "connect-udp"] {
            let ask = Ask::connect(protocol, &host("web"), "/").token(BOB);
            // Most end such a request in their own way.
            let Ok(response) = Link::http2(front.address()).await?.open(ask).await else { continue };
            if response.status() == 200
                && let Ok(stream) = soon("a stream", hyper::upgrade::on(response)).await?
            {
                let mut stream = TokioIo::new(stream);
                let _ = stream.write_all(SECOND).await;
                let _ = stream.flush().await;
            }
        }
        // With it all of its connections end.
        drop(front);
        while ended < stage.seen() {
            let (is_past, what) = soon("a connection's end", heard.recv()).await?.context("the stage is closed")?;
            assert!(!is_past, "{kind:?}: {what}");
            ended += 1;
        }
    }
    Ok(())
}
