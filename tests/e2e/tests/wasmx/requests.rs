//! What clients and jobs notice.

use http::Method;

use super::gate;
use crate::support::ask::Ask;
use crate::support::ingress::{handshake, message};
use crate::support::service::{ALICE, MALLORY, Service, host};
use crate::support::stage::Stage;
use crate::support::wire::Wire;
use crate::support::{Outcome, jobs};
use taskgate_jobs::grpc::EchoClient;

#[tokio::test]
async fn who_may_reaches_the_job_and_nobody_else_in_both_protocols() -> Outcome {
    let job = jobs::http("A").await?;
    let services = [Service::http("web").at(job.address()), Service::http("open").at(job.address()).access("public")];
    let Some(mut gate) = gate::start(services).await? else { return Ok(()) };
    for mut link in gate.links().await? {
        // The job answers without reading it, so it is no longer than what a socket takes.
        let ask = Ask::post(&host("web"), "/x", vec![b'x'; 10_000]).method(Method::PATCH).token(ALICE);
        let seen = link.send(ask.header("cookie", "a=1; YTCypressCookie=s3cret; b=2")).await?.json()?;
        assert_eq!((seen["method"].as_str(), seen["target"].as_str()), (Some("PATCH"), Some("/x")));
        let headers = seen["headers"].to_string();
        for part in ["[\"cookie\",\"a=1; b=2\"]", "\"alice\"]", "\"alice@example.test\"]", "\"ml\"]"] {
            assert!(headers.to_lowercase().contains(part), "{part} is not in {headers}");
        }
        assert!(!headers.contains(ALICE) && !headers.contains("s3cret"), "{headers}");
        for (ask, denial) in [
            (Ask::get(&host("web"), "/"), (401, "credential-missing")),
            (Ask::get(&host("web"), "/").token("wrong"), (401, "credential-rejected")),
            (Ask::get(&host("web"), "/").token(MALLORY), (404, "unknown-service")),
            (Ask::get(&host("none"), "/"), (404, "unknown-service")),
            (Ask::get(&host("web"), "/?token=a"), (401, "credential-missing")),
        ] {
            let answer = link.send(ask).await?;
            assert_eq!(answer.denial(), denial);
            assert_eq!(answer.header("cache-control"), "no-store");
        }
        assert_eq!(link.send(Ask::get(&host("open"), "/")).await?.status, 200);
    }
    let audit = gate.audit();
    assert!(audit.contains("\"actor.id\":\"alice\"") && audit.contains("\"access.rule\":\"verdict\""), "{audit}");
    assert!(audit.contains("\"denial.code\":\"credential-rejected\""), "{audit}");
    gate.assert_alive().await
}

#[tokio::test]
async fn jobs_get_what_was_sent_byte_for_byte_and_nothing_under_our_names() -> Outcome {
    let mut job = Stage::open().await?;
    let Some(mut gate) = gate::start([Service::http("open").at(job.address()).access("public")]).await? else {
        return Ok(());
    };
    let ours: String = [
        "X-Forwarded-User",
        "x-forwarded-email",
        "x_forwarded_groups",
        "X-Arvados-User-Uuid",
        "X-Taskgate-Up1",
        "X-Taskgate-Visitor",
        "X-Taskgate-Assertion",
        "X-Yt-User-Name",
        "x-taskgate-internal",
        "x-taskgate_up1",
    ]
    .iter()
    .map(|name| format!("{name}: root\r\n{name}: root\r\n"))
    .collect();
    for target in ["/a%2Fb//c/../d/./e%20?x=%2F&y=?z", "/%2Etaskgate/sign-out", "//x?"] {
        let mut client = Wire::connect(gate.address()).await?;
        client.write(format!("GET {target} HTTP/1.1\r\nHost: {}\r\nX-Own: kept\r\n{ours}\r\n", host("open"))).await?;
        let visit = job.next().await?;
        assert_eq!(visit.head.line, format!("GET {target} HTTP/1.1"));
        assert_eq!((visit.head.all("Host"), visit.head.all("X-Own")), (vec![host("open").as_str()], vec!["kept"]));
        assert!(!visit.head.contains("root"), "{:?}", visit.head);
        let cookies = "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Domain=tasks.example.test\r\n\
                       Set-Cookie: c=3; Path=/x\r\nX-Accel-Redirect: /_x\r\nX-Taskgate-Denial: none\r\n";
        visit.answer("200 OK", cookies, "hello").await?;
        let answer = client.read_head().await?;
        assert!(answer.line.contains(" 200 "), "{answer:?}");
        assert_eq!(answer.all("set-cookie"), ["a=1; Path=/", "c=3; Path=/x"], "cookies of others go");
        assert!(!answer.contains("none"), "{answer:?}");
    }
    gate.assert_alive().await
}

#[tokio::test]
async fn more_headers_than_the_filter_sees_are_refused() -> Outcome {
    let job = jobs::http("A").await?;
    let Some(mut gate) = gate::start([Service::http("open").at(job.address()).access("public")]).await? else {
        return Ok(());
    };
    for (count, status) in [(90, " 200 "), (96, " 431 "), (500, " 431 ")] {
        let mut client = Wire::connect(gate.address()).await?;
        let many: String = (0..count).map(|nth| format!("a{nth}: b\r\n")).collect();
        client.write(format!("GET / HTTP/1.1\r\nHost: {}\r\n{many}\r\n", host("open"))).await?;
        let answer = client.read_head().await?;
        assert!(answer.line.contains(status), "{count}: {answer:?}");
    }
    gate.assert_alive().await
}

#[tokio::test]
async fn websockets_work_and_grpc_is_refused_in_grpc() -> Outcome {
    let (socket, rpc) = (jobs::websocket("W").await?, jobs::grpc("G").await?);
    let services = [Service::websocket("ws").at(socket.address()), Service::grpc("rpc").at(rpc.address())];
    let Some(mut gate) = gate::start(services).await? else { return Ok(()) };
    let open = async |token| {
        let stream = tokio::net::TcpStream::connect(gate.address()).await?;
        anyhow::Ok(tokio_tungstenite::client_async(handshake("ws", token)?, stream).await)
    };
    use futures_util::{SinkExt as _, StreamExt as _};
    let (mut client, _) = open(Some(ALICE)).await??;
    client.send("hello".into()).await?;
    let said = client.next().await.ok_or_else(|| anyhow::anyhow!("it ended"))??;
    assert_eq!(said.into_text()?.as_str(), "W: hello");
    assert!(open(None).await?.is_err(), "nobody");

    let mut client = EchoClient::connect(gate.http2_address(), Some(&host("rpc"))).await?;
    let refused = client.unary(message("hello", ALICE)?).await.expect_err("no gRPC here");
    assert_eq!(refused.code(), tonic::Code::Unimplemented, "{refused:?}");
    gate.assert_alive().await
}
