//! Tunnels through NGINX: as through Envoy.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use crate::support::ask::Ask;
use crate::support::ingress::handshake;
use crate::support::service::{BOB, MALLORY, Service, host};
use crate::support::{Outcome, soon};

use super::gate::Plan;

#[tokio::test]
async fn a_tunnel_goes_to_the_sidecar_and_ends_when_the_right_does() -> Outcome {
    let job = TcpListener::bind("127.0.0.1:0").await?;
    let service = Service::tcp("job").at(job.local_addr()?);
    // NGINX has a group for the service, which speaks no HTTP.
    let plan = Plan::new([service.clone(), Service::tcp("open").access("public").at(job.local_addr()?)]);
    let plan = plan.group("job", "job_group", &[job.local_addr()?]).configure(|config| {
        config["public"] = json!({"listen": "127.0.0.1:0"});
        config["tunnels"] = json!({});
    });
    let gate = plan.start().await?;
    let mut socket = soon("a WebSocket", gate.websocket(handshake("job", Some(BOB))?)).await??;
    let mut connection = soon("a connection to the job", job.accept()).await??.0;
    soon("a message to be taken", socket.send(Message::binary(b"to".to_vec()))).await??;
    let mut heard = [0; 2];
    soon("the job to hear it", connection.read_exact(&mut heard)).await??;
    connection.write_all(b"and fro").await?;
    let message = soon("a message", socket.next()).await?.transpose()?;
    assert_eq!((&heard, message), (b"to", Some(Message::binary(b"and fro".to_vec()))));

    assert!(gate.websocket(handshake("job", Some(MALLORY))?).await.is_err());
    assert!(gate.websocket(handshake("job", None)?).await.is_err());
    let plain = gate.send(Ask::get(&host("job"), "/").token(BOB)).await?;
    assert_eq!(plain.status, 400);
    let _open = soon("a WebSocket of nobody", gate.websocket(handshake("open", None)?)).await??;

    // NGINX can't end it; the sidecar does.
    gate.sidecar.home().write("services.yaml", &crate::support::service::file(&[service.without_grants()]))?;
    let ended = async { while !matches!(socket.next().await, None | Some(Err(_) | Ok(Message::Close(_)))) {} };
    soon("the tunnel to end", ended).await
}
