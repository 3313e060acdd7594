//! `Upgrade` and `Connection`: what a client says of its own hop gets nobody past the gate.

use anyhow::Context as _;

use super::front::{Front, Kind};
use crate::support::Outcome;
use crate::support::service::{BOB, Service, host};
use crate::support::stage::Stage;
use crate::support::wire::Wire;

#[tokio::test]
async fn a_connection_becomes_a_websocket_or_stays_http() -> Outcome {
    let stage = Stage::open().await?;
    let address = stage.address();
    // It takes every other protocol that it is offered.
    let _stage = stage.always(|mut visit| async move {
        let offered = [visit.head.all("Upgrade"), visit.head.all("upgrade")].concat();
        let is_other = offered.iter().any(|value| !value.eq_ignore_ascii_case("websocket"));
        if is_other || visit.head.line.starts_with("CONNECT") {
            let protocol = offered.join(",");
            visit
                .wire
                .write(format!(
                    "HTTP/1.1 101 Go on\r\nconnection: upgrade\r\nupgrade: {protocol}\r\nx-from: job\r\n\r\n"
                ))
                .await
        } else {
            visit.answer("200 OK", "", "from the job").await
        }
    });
    for kind in Kind::ALL {
        let front = Front::start(kind, &[Service::http("web").at(address)]).await?;
        for (request, offers) in [
            ("GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: evil\r\n"),
            ("POST / HTTP/1.1", "Connection: keep-alive, upgrade\r\nUpgrade: evil\r\nContent-Length: 0\r\n"),
            (
                "GET / HTTP/1.1",
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
            ),
            ("GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket, evil\r\n"),
            ("GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: evil\r\n"),
            ("GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: evil\r\nUpgrade: websocket\r\n"),
            ("CONNECT web.tasks.example.test:80 HTTP/1.1", ""),
        ] {
            let mut client = Wire::connect(front.address()).await?;
            let head = format!("{request}\r\nHost: {}\r\nAuthorization: Bearer {BOB}\r\n", host("web"));
            client.write(format!("{head}{offers}\r\n")).await?;
            let answer = client.read_head().await.with_context(|| format!("{kind:?}: {request} {offers}"))?;
            // Caddy takes a client's `h2c` for itself, and what comes then is asked about too.
            let is_own = kind == Kind::Caddy && offers.contains("h2c") && !answer.contains("x-from");
            assert!(is_own || !answer.line.contains(" 101 "), "{kind:?}: {request} {offers}: {answer:?}");
            let may_go_on = !request.starts_with("CONNECT");
            assert!(may_go_on || !answer.line.contains(" 200 "), "{kind:?}: {request}: {answer:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn no_client_has_headers_dropped_by_naming_them() -> Outcome {
    let mut job = Stage::open().await?;
    for kind in Kind::ALL {
        let front = Front::start(kind, &[Service::http("web").at(job.address())]).await?;
        let mut client = Wire::connect(front.address()).await?;
        // Envoy drops what is named before it asks: then there is no credential, and nobody gets in.
        let is_envoy = matches!(kind, Kind::EnvoyGrpc | Kind::EnvoyHttp);
        let named = if is_envoy { "cookie" } else { "cookie, authorization" };
        let named = format!("close, X-Forwarded-User, x-forwarded-groups, origin, {named}");
        let head = format!("GET / HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {BOB}\r\n", host("web"));
        client.write(format!("{head}Connection: {named}\r\nOrigin: http://{}\r\n\r\n", host("web"))).await?;
        let visit = tokio::select! {
            visit = job.next() => visit?,
            answer = client.read_head() => anyhow::bail!("{kind:?}: {answer:?}"),
        };
        let seen = format!("{:?}", visit.head).to_lowercase();
        assert!(seen.contains(r#"("x-forwarded-user", "bob")"#), "{kind:?}: {seen}");
        // What is left here would have the job's server drop them.
        let passed = [visit.head.all("Connection"), visit.head.all("connection")].concat().join(",").to_lowercase();
        assert!(!passed.contains("x-forwarded") && !passed.contains("authorization"), "{kind:?}: {passed}");
        visit.answer("204 No Content", "", "").await?;
    }
    Ok(())
}
