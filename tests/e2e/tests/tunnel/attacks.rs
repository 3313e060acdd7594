//! What clients make up reaches no job but their own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::key::{KeyId, KeyRing, Secret};
use taskgate_core::visitor::{VISITOR_HEADER, vouch_tunnel};
use taskgate_test_kit::ReservedAddress;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use crate::support::Outcome;
use crate::support::ingress::handshake;
use crate::support::service::{BOB, Service, host, id};
use crate::support::setup::{Setup, key};
use crate::support::wire::{Wire, latin1};

use super::site::{Job, stock_with, with_tunnels};

/// A handshake with these headers.
fn with(task: &str, token: Option<&str>, headers: &[(&'static str, &str)]) -> anyhow::Result<Request> {
    let mut request = handshake(task, token)?;
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse()?);
    }
    Ok(request)
}

#[tokio::test]
async fn what_a_client_says_of_tunnels_is_not_believed() -> Outcome {
    let (mine, victim) = (Job::open().await?, Job::open().await?);
    let services = [
        Service::tcp("mine").access("public").at(mine.address),
        Service::tcp("victim").access("owner").at(victim.address),
    ];
    let gateway = with_tunnels(Setup::new(services)).start().await?;
    let public = gateway.sidecar.home().public_address();
    let ring = KeyRing::new([(
        KeyId::parse("k1")?,
        Secret::new(STANDARD.decode(key('B'))?.try_into().map_err(|_| anyhow::anyhow!("not 32 bytes"))?),
    )]);
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let now = taskgate_core::time::UnixTime::from_millis(seconds * 1000);
    let bob = Identity::try_from(WireIdentity { actor: "bob".into(), ..WireIdentity::default() })?;
    let vouched =
        |task: &str, visitor: Option<&Identity>| vouch_tunnel(&ring, &id(task), visitor, None, now).unwrap_or_default();

    // A vouch that somebody got hold of leads nowhere through the gateway.
    let stolen = vouched("victim", None);
    stock_with(gateway.ingress.address, with("mine", None, &[(VISITOR_HEADER, &stolen)])?).await?;
    mine.next().await?;
    assert!(stock_with(gateway.ingress.address, with("victim", None, &[(VISITOR_HEADER, &stolen)])?).await.is_err());

    // Past the gateway nothing counts but a vouch, for whom and for what it was made.
    let direct = async |headers: &[(&'static str, &str)]| stock_with(public, with("victim", Some(BOB), headers)?).await;
    let (of_bob, of_anybody, of_mine) = (vouched("victim", Some(&bob)), vouched("victim", None), vouched("mine", None));
    let moved = of_mine.replace(&id("mine"), &id("victim"));
    for headers in [
        &[][..],
        &[(VISITOR_HEADER, "tunnel.")],
        &[(VISITOR_HEADER, "tunnel.x.9999999999.k1.AAAA")],
        &[(VISITOR_HEADER, &moved)],
        &[(VISITOR_HEADER, &of_bob)],
        &[(VISITOR_HEADER, &of_bob), ("x-forwarded-user", "alice")],
        &[(VISITOR_HEADER, &of_bob), ("x-forwarded-user", "bob"), ("x-forwarded-groups", "admins")],
        &[(VISITOR_HEADER, &of_anybody), ("x-forwarded-user", "alice")],
        &[(VISITOR_HEADER, &of_anybody), (VISITOR_HEADER, &of_mine)],
    ] {
        assert!(direct(headers).await.is_err(), "{headers:?}");
    }
    let untouched = tokio::time::timeout(std::time::Duration::from_millis(300), victim.next()).await;
    assert!(untouched.is_err(), "the victim was reached");
    // That these were refused for what they are: as the gateway would say it, it is taken.
    direct(&[(VISITOR_HEADER, &of_bob), ("x-forwarded-user", "bob")]).await?;
    victim.next().await?;
    Ok(())
}

#[tokio::test]
async fn what_follows_a_refused_tunnel_is_no_request() -> Outcome {
    let dead = ReservedAddress::new()?;
    let gateway = with_tunnels(Setup::new([Service::tcp("dead").at(dead.address())])).start().await?;
    let upgrade = format!(
        "GET / HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {BOB}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        host("dead"),
    );
    let hidden = "GET /nothing-is-here HTTP/1.1\r\nhost: taskgate\r\n\r\n";
    let mut wire = Wire::connect(gateway.ingress.address).await?;
    wire.write([upgrade.as_bytes(), hidden.as_bytes()].concat()).await?;
    let head = wire.read_head().await?;
    assert!(head.line.contains("502"), "{}", head.line);
    let answer = latin1(&wire.read_to_end().await?);
    assert!(!answer.contains("no-such-path"), "the sidecar read it as a request: {answer}");

    // Whatever proxies make of it, the sidecar answers once.
    let mut wire = Wire::connect(gateway.sidecar.home().public_address()).await?;
    let unvouched = upgrade.replace("connection: upgrade", "x-taskgate-visitor: tunnel.x\r\nconnection: upgrade");
    wire.write([unvouched.as_bytes(), hidden.as_bytes()].concat()).await?;
    let answers = latin1(&wire.read_to_end().await?);
    assert!(answers.starts_with("HTTP/1.1 403 ") && answers.matches("HTTP/1.1 ").count() == 1, "{answers}");
    Ok(())
}
