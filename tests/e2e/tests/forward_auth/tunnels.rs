//! Tunnels through each of these ingresses.

use futures_util::future::try_join_all;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::ingress::handshake;
use crate::support::service::{BOB, MALLORY, Service, id};
use crate::support::{Outcome, soon};

use super::front::{Front, Kind};

#[tokio::test]
async fn a_tunnel_goes_through_to_the_sidecar_for_who_may() -> Outcome {
    let job = TcpListener::bind("127.0.0.1:0").await?;
    let address = job.local_addr()?;
    let services = [Service::tcp("job").at(address), Service::tcp("open").access("public").at(address)];
    for kind in Kind::ALL {
        let front = Front::start_with(kind, &services, |config| {
            config["public"] = json!({"listen": "127.0.0.1:0"});
            config["tunnels"] = json!({});
        });
        let front = front.await?;
        for (task, token) in [("job", Some(BOB)), ("open", None)] {
            let mut request = handshake(task, token)?;
            // What a client says of itself is replaced.
            let lie = format!("tunnel.{}.9999999999.k1.AAAA", id("job"));
            request.headers_mut().append("x-taskgate-visitor", lie.parse()?);
            let mut socket = soon("a WebSocket", front.websocket(request)).await??;
            let mut connection = soon("a connection to the job", job.accept()).await??.0;
            soon("a message to be taken", socket.send(Message::binary(b"to".to_vec()))).await??;
            let mut heard = [0; 2];
            soon("the job to hear it", connection.read_exact(&mut heard)).await??;
            connection.write_all(b"and fro").await?;
            let message = soon("a message", socket.next()).await?.transpose()?;
            let expected = Some(Message::binary(b"and fro".to_vec()));
            assert_eq!((&heard, message), (b"to", expected), "{kind:?} {task}");
        }
        for token in [Some(MALLORY), None] {
            assert!(front.websocket(handshake("job", token)?).await.is_err(), "{kind:?} {token:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_tunnel_ends_with_the_session_that_let_its_visitor_in() -> Outcome {
    // Their sessions end at the same time, which no machine is too busy to wait for.
    try_join_all(Kind::ALL.map(ends_with_the_session)).await?;
    Ok(())
}

async fn ends_with_the_session(kind: Kind) -> Outcome {
    let job = TcpListener::bind("127.0.0.1:0").await?;
    let services = [Service::tcp("job").at(job.local_addr()?)];
    let front = Front::start_with(kind, &services, |config| {
        config["public"] = json!({"listen": "127.0.0.1:0"});
        config["tunnels"] = json!({});
    });
    let front = front.await?;
    let wanted = json!({"service": id("job"), "actor": "bob", "lifetime_secs": 15});
    let made = front.operate("/internal/session", &wanted).await?;
    let mut of_session = front.websocket(handshake("job", made["token"].as_str())?).await?;
    let _first = soon("a connection to the job", job.accept()).await??;
    let mut of_bob = front.websocket(handshake("job", Some(BOB))?).await?;
    let mut connection = soon("a connection to the job", job.accept()).await??.0;

    // None of these ingresses ends it; the sidecar does.
    let message = soon("the tunnel to end", of_session.next()).await?.transpose()?;
    let Some(Message::Close(Some(close))) = message else { anyhow::bail!("{kind:?}: {message:?}") };
    assert!(close.code == CloseCode::Policy && close.reason.contains("is over"), "{kind:?}: {close:?}");
    soon("a message to be taken", of_bob.send(Message::binary(b"!".to_vec()))).await??;
    assert_eq!(soon("a byte", connection.read_u8()).await??, b'!', "{kind:?}: his own right goes on");
    Ok(())
}
