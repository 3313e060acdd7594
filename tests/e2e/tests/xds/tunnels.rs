//! Tunnels where Envoy is told of addresses: the sidecar's own is among them.

use serde_json::json;
use tokio::net::TcpListener;

use crate::support::ingress::handshake;
use crate::support::service::{BOB, Service};
use crate::support::{Outcome, soon};

use super::site::Plan;

#[tokio::test]
async fn a_tunnel_reaches_the_sidecar_and_from_there_the_job() -> Outcome {
    let job = TcpListener::bind("127.0.0.1:0").await?;
    let plan = Plan::new([Service::tcp("job").at(job.local_addr()?)])?.configure(|config| {
        config["public"] = json!({"listen": "127.0.0.1:0"});
        config["tunnels"] = json!({});
    });
    // Jobs that speak TCP are not Envoy's to reach.
    let site = plan.start(1, 0).await?;
    let _socket = soon("a WebSocket", site.gateway.ingress.websocket_with(handshake("job", Some(BOB))?)).await??;
    soon("a connection to the job", job.accept()).await??;
    Ok(())
}
