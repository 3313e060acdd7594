//! Tunnels that somebody between the gate and the sidecar opens late, or after the right to them has gone.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::revocation::Revoked;
use taskgate_core::visitor::vouch_tunnel;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::support::{id, public, settings};
use crate::kit::Sidecar;

const HOUR: Duration = Duration::from_secs(3_600);
const SOON: Duration = Duration::from_secs(20);

/// A sidecar, and the job of its one service, which takes connections.
async fn start(rest: &str) -> (Sidecar, TcpListener) {
    let job = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let address = job.local_addr().expect("an address");
    let services = format!(
        "services:\n- {{operation: op1, task: web, service: ui, endpoints: [\"{address}\"], access: can_read, \
         owner: alice, protocol: tcp}}\n"
    );
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), services).expect("writes");
    let sidecar = Sidecar::start_in(directory, &settings(&format!("tunnels: {{{rest}}}"))).await;
    sidecar.table().await;
    (sidecar, job)
}

/// What vouches for somebody now.
fn vouch(sidecar: &Sidecar, who: &str) -> String {
    let ring = sidecar.running.app.control.ring();
    let visitor = Identity::try_from(WireIdentity { actor: who.into(), ..WireIdentity::default() }).expect("a name");
    let now = sidecar.running.app.clock.now();
    vouch_tunnel(&ring, &id(sidecar, "op1"), Some(&visitor), now).expect("a key")
}

/// Opens a tunnel with that, or the status of what is answered.
async fn open(sidecar: &Sidecar, who: &str, vouch: &str) -> Result<WebSocketStream<TcpStream>, StatusCode> {
    let url = public(sidecar, "/").replace("http://", "ws://");
    let mut request = url.as_str().into_client_request().expect("a request");
    let headers = request.headers_mut();
    headers.insert("x-taskgate-visitor", vouch.parse().expect("a header"));
    headers.insert("x-forwarded-user", who.parse().expect("a header"));
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let stream = TcpStream::connect(address).await.expect("connects");
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(answer.status()),
        Err(error) => panic!("{error}"),
    }
}

/// With what words it is closed.
async fn closed(mut socket: WebSocketStream<TcpStream>) -> String {
    let words = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.reason.to_string(),
                Some(Ok(_)) => {}
                other => panic!("no close: {other:?}"),
            }
        }
    };
    tokio::time::timeout(SOON, words).await.expect("closed soon")
}

#[tokio::test]
async fn what_was_vouched_for_before_an_end_is_ended() {
    let (sidecar, job) = start("").await;
    let early = vouch(&sidecar, "alice");
    sidecar.clock.advance(Duration::from_secs(5));
    let access = &sidecar.running.app.access;
    access.end_sessions(Revoked::Actor("alice".into()), "alice", HOUR).await.expect("ends");
    sidecar.clock.advance(Duration::from_secs(5));
    let socket = open(&sidecar, "alice", &early).await.expect("a tunnel");
    assert!(closed(socket).await.contains("ended"));
    // Who is let in after that stays.
    job.accept().await.expect("the first one's connection");
    let mut socket = open(&sidecar, "alice", &vouch(&sidecar, "alice")).await.expect("a tunnel");
    let (mut connection, _) = job.accept().await.expect("a connection");
    for turn in 0..3_u8 {
        socket.send(Message::binary(vec![turn])).await.expect("sends");
        assert_eq!(connection.read_u8().await.expect("comes"), turn);
    }
}

#[tokio::test]
async fn a_right_that_is_gone_is_seen_when_the_tunnel_begins() {
    let (sidecar, _job) = start("").await;
    let socket = open(&sidecar, "mallory", &vouch(&sidecar, "mallory")).await.expect("a tunnel");
    assert!(closed(socket).await.contains("may not"));
}

#[tokio::test]
async fn one_visitor_does_not_take_all_places() {
    let (sidecar, _job) = start("max_open: 4, max_open_per_visitor: 2").await;
    let vouch = vouch(&sidecar, "alice");
    let first = open(&sidecar, "alice", &vouch).await.expect("a tunnel");
    let _second = open(&sidecar, "alice", &vouch).await.expect("a tunnel");
    assert_eq!(open(&sidecar, "alice", &vouch).await.err(), Some(StatusCode::SERVICE_UNAVAILABLE));
    drop(first);
    super::support::until(async || open(&sidecar, "alice", &vouch).await.is_ok()).await;
}
