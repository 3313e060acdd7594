//! What jobs get, and that everything passes that passes elsewhere.

use http::Method;
use sha2::{Digest as _, Sha256};
use taskgate_jobs::grpc::EchoRequest;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::gate::{Plan, say};
use crate::support::ask::{Ask, Link, next_part};
use crate::support::ingress::{handshake, message, with_token};
use crate::support::service::{ALICE, Service, host};
use crate::support::stage::Stage;
use crate::support::wire::Wire;
use crate::support::{Outcome, jobs, soon};

#[tokio::test]
async fn paths_arrive_byte_for_byte() -> Outcome {
    let mut job = Stage::open().await?;
    let gate = Plan::new([Service::http("web").at(job.address())]).start().await?;
    for target in
        ["/a%2Fb//c/../d/./e%20?x=%2F&y=?z", "/%2e%2E/%00%ff", "//x?", "/?", "/a;b=c:@!$&'()*+,=~", "/%zz\u{7f}"]
    {
        let mut client = Wire::connect(gate.nginx.address()).await?;
        client
            .write(format!("GET {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {ALICE}\r\n\r\n", host("web")))
            .await?;
        if target.contains("%00") || target.contains("%zz") {
            // NGINX itself refuses what has no meaning.
            assert!(client.read_head().await?.line.contains(" 400 "), "{target}");
            continue;
        }
        let visit = job.next().await?;
        assert_eq!(visit.head.line, format!("GET {target} HTTP/1.1"));
        assert_eq!(visit.head.all("Host"), [host("web")]);
        visit.answer("200 OK", "", "").await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_a_visitor_sends_beside_its_credential_arrives_in_both_protocols() -> Outcome {
    let job = jobs::http("A").await?;
    let gate = Plan::new([Service::http("web").at(job.address())]).start().await?;
    for mut link in gate.links().await? {
        let ask = Ask::post(&host("web"), "/x", "body").method(Method::PATCH).token(ALICE);
        let ask = ask.header("cookie", "a=1; YTCypressCookie=s3cret; b=2").header("x-own", "kept");
        let seen = link.send(ask).await?.json()?;
        assert_eq!((seen["method"].as_str(), seen["target"].as_str()), (Some("PATCH"), Some("/x")));
        let headers = seen["headers"].to_string();
        for part in [
            "[\"x-own\",\"kept\"]",
            "[\"cookie\",\"a=1; b=2\"]",
            "[\"x-forwarded-user\",\"alice\"]",
            "[\"x-forwarded-groups\",\"ml\"]",
        ] {
            assert!(headers.contains(part), "{part} is not in {headers}");
        }
        assert!(!headers.contains(ALICE) && !headers.contains("s3cret") && !headers.contains("taskgate"), "{headers}");
    }
    Ok(())
}

#[tokio::test]
async fn a_websocket_is_decided_once_and_stays() -> Outcome {
    let job = jobs::websocket("W").await?;
    let gate = Plan::new([Service::websocket("ws").at(job.address())]).start().await?;
    let mut socket = gate.websocket(handshake("ws", Some(ALICE))?).await?;
    for number in 0..20 {
        assert_eq!(say(&mut socket, &format!("message {number}")).await?, format!("W: message {number}"));
    }
    let refused = gate.websocket(handshake("ws", None)?).await;
    assert!(matches!(refused, Err(tokio_tungstenite::tungstenite::Error::Http(answer)) if answer.status() == 401));
    Ok(())
}

#[tokio::test]
async fn no_other_protocol_is_switched_to() -> Outcome {
    let mut job = Stage::open().await?;
    let gate = Plan::new([Service::http("web").at(job.address())]).start().await?;
    let mut client = Wire::connect(gate.nginx.address()).await?;
    let (host, upgrade) =
        (host("web"), "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n");
    client.write(format!("GET / HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ALICE}\r\n{upgrade}\r\n")).await?;
    let visit = job.next().await?;
    assert!(visit.head.all("Upgrade").is_empty() && visit.head.all("Connection").is_empty(), "{:?}", visit.head);
    Ok(())
}

#[tokio::test]
async fn parts_of_an_answer_come_as_they_are_sent() -> Outcome {
    let mut job = Stage::open().await?;
    let gate = Plan::new([Service::http("web").at(job.address())]).start().await?;
    for mut link in gate.links().await? {
        let opening = link.open(Ask::get(&host("web"), "/sse").token(ALICE));
        let (answer, visit) = tokio::join!(opening, async {
            let mut visit = job.next().await?;
            visit.begin("text/event-stream").await?;
            Ok::<_, anyhow::Error>(visit)
        });
        let (mut body, mut visit) = (answer?.into_body(), visit?);
        for number in 0..3 {
            // The next one is not even made before this one is there.
            visit.wire.write_chunk(format!("data: {number}\n\n")).await?;
            assert_eq!(next_part(&mut body).await?, format!("data: {number}\n\n"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_large_upload_reaches_the_job_while_it_is_sent() -> Outcome {
    let mut job = Stage::open().await?;
    let gate = Plan::new([Service::http("web").at(job.address())]).start().await?;
    let (host, length) = (host("web"), 20 << 20);
    let head = format!("PUT /up HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ALICE}\r\n");
    for framing in [
        format!("Content-Length: {length}\r\n\r\nfirst"),
        "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n".to_owned(),
    ] {
        let mut client = Wire::connect(gate.nginx.address()).await?;
        client.write(format!("{head}{framing}")).await?;
        let mut visit = job.next().await?;
        let is_chunked = !visit.head.all("Transfer-Encoding").is_empty();
        let begun = visit.wire.read_until(b"first").await?;
        assert_eq!(begun, if is_chunked { b"5\r\nfirst".to_vec() } else { b"first".to_vec() });
        visit.answer("200 OK", "", "thanks").await?;
        assert_eq!(client.read_head().await?.line, "HTTP/1.1 200 OK");
    }
    Ok(())
}

#[tokio::test]
async fn uploads_of_every_size_arrive_whole() -> Outcome {
    let job = jobs::http("A").await?;
    let gate = Plan::new([Service::http("web").at(job.address())]).start().await?;
    for mut link in gate.links().await? {
        for length in [0_usize, 300_000, 20 << 20] {
            let body: Vec<u8> = (0..length).map(|at| (at * 31 + (at >> 9)).to_le_bytes()[0]).collect();
            let digest: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
            let seen = link.send(Ask::post(&host("web"), "/digest", body).token(ALICE)).await?.json()?;
            assert_eq!((seen["sha256"].as_str(), seen["length"].as_u64()), (Some(&*digest), Some(length as u64)));
        }
    }
    Ok(())
}

#[tokio::test]
async fn grpc_calls_of_every_kind_work_with_a_group_and_without() -> Outcome {
    let (job, dead) = (jobs::grpc("G").await?, taskgate_test_kit::ReservedAddress::new()?);
    let plan = Plan::new([Service::grpc("plain").at(job.address()), Service::grpc("grouped").at(job.address())]);
    let gate = plan.group("grouped", "echo", &[dead.address(), job.address()]).start().await?;
    for task in ["plain", "grouped"] {
        let mut client = gate.grpc(task).await?;
        for _ in 0..4 {
            let reply = soon("a reply", client.unary(message("hi", ALICE)?)).await??.into_inner();
            assert_eq!((reply.name.as_str(), reply.message.as_str()), ("G", "hi"));
            assert!(reply.metadata_names.iter().any(|name| name == "x-forwarded-user"));
            let ours = |name: &&String| *name == "authorization" || name.starts_with("x-taskgate-");
            assert_eq!(reply.metadata_names.iter().find(ours), None);
        }
        let (sender, receiver) = mpsc::channel(1);
        let chat = client.chat(with_token(ReceiverStream::new(receiver), ALICE)?);
        let mut replies = soon("the call", chat).await??.into_inner();
        for number in 0..20 {
            let said = format!("message {number}");
            sender.send(EchoRequest::new(&said)).await?;
            let reply = soon("an answer", replies.message()).await??;
            assert_eq!(reply.map(|reply| reply.message), Some(said));
        }
        drop(sender);
        assert_eq!(soon("the end", replies.message()).await??, None);
    }
    Ok(())
}

#[tokio::test]
async fn a_group_keeps_its_connections() -> Outcome {
    let job = jobs::http("A").await?;
    let plan = Plan::new([Service::http("web").at(job.address())]).group("web", "web_jobs", &[job.address()]);
    let gate = plan.start().await?;
    let mut link = Link::http1(gate.nginx.address()).await?;
    for _ in 0..10 {
        assert_eq!(link.send(Ask::get(&host("web"), "/").token(ALICE)).await?.text(), "hello from A\n");
    }
    assert_eq!((job.requests(), job.connections()), (10, 1));
    Ok(())
}
