//! What jobs get, and that everything passes that passes elsewhere.

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use http::Method;
use tokio_tungstenite::tungstenite::Message;

use super::front::{Front, Kind};
use crate::support::ask::{Ask, next_part};
use crate::support::ingress::{handshake, message};
use crate::support::service::{ALICE, Service, host};
use crate::support::stage::Stage;
use crate::support::{Outcome, jobs, soon};

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_without_its_credential() -> Outcome {
    let job = jobs::http("A").await?;
    for kind in Kind::ALL {
        let front = Front::start(kind, &[Service::http("web").at(job.address())]).await?;
        for mut link in front.links().await? {
            for target in ["/a%2Fb//c/./e%20?x=%2F&y=?z", "//x?a", "/a;b=c:@!$&'()*+,=~"] {
                let ask = Ask::post(&host("web"), target, "body").method(Method::PATCH).token(ALICE);
                let ask = ask.header("cookie", "a=1; YTCypressCookie=s3cret; b=2").header("x-own", "kept");
                let seen = link.send(ask).await?.json()?;
                let line = (seen["method"].as_str(), seen["target"].as_str());
                assert_eq!(line, (Some("PATCH"), Some(target)), "{kind:?}");
                let headers = seen["headers"].to_string().to_lowercase();
                for part in [
                    r#"["x-own","kept"]"#,
                    r#"["cookie","a=1; b=2"]"#,
                    r#"["x-forwarded-user","alice"]"#,
                    r#"["x-forwarded-groups","ml"]"#,
                ] {
                    assert!(headers.contains(part), "{kind:?}: {part} is not in {headers}");
                }
                assert!(!headers.contains(ALICE) && !headers.contains("s3cret"), "{kind:?}: {headers}");
                assert!(!headers.contains("taskgate"), "{kind:?}: {headers}");
            }
        }
        let logs = front.logs();
        assert!(!logs.contains(ALICE) && !logs.contains("s3cret"), "{kind:?}: {logs}");
    }
    Ok(())
}

#[tokio::test]
async fn bodies_arrive_whole_and_answers_as_they_are_sent() -> Outcome {
    let job = jobs::http("A").await?;
    let mut stage = Stage::open().await?;
    let services = [Service::http("web").at(job.address()), Service::http("sse").at(stage.address())];
    for kind in Kind::ALL {
        let front = Front::start(kind, &services).await?;
        let body = "0123456789".repeat(200_000);
        for mut link in front.links().await? {
            let answer = link.send(Ask::post(&host("web"), "/echo", body.clone()).token(ALICE)).await?;
            assert!(answer.text() == body, "{kind:?}: {} bytes came back", answer.body.len());
        }
        // Over others: Caddy ends a connection that had an answer before it had read the body.
        for mut link in front.links().await? {
            let (answer, visit) = tokio::join!(link.open(Ask::get(&host("sse"), "/sse").token(ALICE)), async {
                let mut visit = stage.next().await?;
                visit.begin("text/event-stream").await?;
                visit.wire.write_chunk("data: 0\n\n").await?;
                Ok::<_, anyhow::Error>(visit)
            });
            let (mut body, mut visit) = (answer.with_context(|| format!("{kind:?}"))?.into_body(), visit?);
            assert_eq!(next_part(&mut body).await?, "data: 0\n\n");
            // The next one is not even made before this one is there.
            visit.wire.write_chunk("data: 1\n\n").await?;
            assert_eq!(next_part(&mut body).await?, "data: 1\n\n");
        }
    }
    Ok(())
}

#[tokio::test]
async fn websockets_and_grpc_pass() -> Outcome {
    let (socket_job, grpc_job) = (jobs::websocket("W").await?, jobs::grpc("G").await?);
    let services = [Service::websocket("ws").at(socket_job.address()), Service::grpc("rpc").at(grpc_job.address())];
    for kind in Kind::ALL {
        let front = Front::start(kind, &services).await?;
        let socket = soon("a WebSocket", front.websocket(handshake("ws", Some(ALICE))?)).await?;
        let mut socket = socket.with_context(|| format!("{kind:?}"))?;
        for text in ["one", "two"] {
            soon("a message to go", socket.send(Message::text(text))).await??;
            let answer = soon("an answer", socket.next()).await?.ok_or_else(|| anyhow::anyhow!("ended"))??;
            assert_eq!(answer.into_text()?.as_str(), format!("W: {text}"), "{kind:?}");
        }
        let refused = front.websocket(handshake("ws", None)?).await;
        let status = match refused {
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => answer.status().as_u16(),
            other => anyhow::bail!("{kind:?}: {other:?}"),
        };
        assert_eq!(status, 401, "{kind:?}");
        let answer = front.grpc("rpc").await?.unary(message("hi", ALICE)?).await?;
        assert!(format!("{answer:?}").contains("hi"), "{kind:?}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_dead_is_passed_over() -> Outcome {
    let dead = jobs::http("dead").await?;
    let gone = dead.address();
    dead.stop().await;
    let job = jobs::http("B").await?;
    let services = [Service::http("web").at(gone).reserve(job.address())];
    for kind in Kind::ALL {
        let front = Front::start(kind, &services).await?;
        for _ in 0..3 {
            let answer = front.send(Ask::get(&host("web"), "/").token(ALICE)).await?;
            assert_eq!((answer.status, answer.text().as_str()), (200, "hello from B\n"), "{kind:?}");
        }
        let answer = front.send(Ask::post(&host("web"), "/echo", "body").token(ALICE)).await?;
        if kind.moves_bodies() {
            assert_eq!((answer.status, answer.text().as_str()), (200, "body"), "{kind:?}");
        } else {
            assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{kind:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_a_job_must_not_say_does_not_pass() -> Outcome {
    let stage = Stage::open().await?;
    let address = stage.address();
    let _stage = stage.always(|visit| async move {
        let cookies = [
            "own=1; domain=example.test; Path=/",
            "kept=\"a,b\"; Path=/x; HttpOnly",
            "many=1;Domain=a.test;\tdomain = b.test; DOMAIN=example.test; dOmAiN=c.test; Domain=",
        ];
        let cookies: String = cookies.iter().map(|line| format!("set-cookie: {line}\r\n")).collect();
        let headers = format!("x-taskgate-denial: made-up\r\nclear-site-data: \"*\"\r\nserver: mine\r\n{cookies}");
        visit.answer("403 No", &headers, "from the job").await
    });
    for kind in Kind::ALL {
        let front = Front::start(kind, &[Service::http("web").at(address)]).await?;
        let answer = front.send(Ask::get(&host("web"), "/").token(ALICE)).await?;
        assert_eq!((answer.status, answer.text().as_str()), (403, "from the job"), "{kind:?}");
        for name in ["x-taskgate-denial", "clear-site-data"] {
            assert_eq!(answer.header(name), "", "{kind:?}: {name}");
        }
        // Caddy says its own name too.
        assert!(answer.headers.get_all("server").iter().any(|value| value == "mine"), "{kind:?}");
        let cookies: Vec<&[u8]> = answer.headers.get_all("set-cookie").iter().map(|line| line.as_bytes()).collect();
        let wanted: [&[u8]; 3] = [b"own=1; Path=/", b"kept=\"a,b\"; Path=/x; HttpOnly", b"many=1"];
        assert_eq!(cookies, wanted, "{kind:?}: for the job's own host alone");
    }
    Ok(())
}
