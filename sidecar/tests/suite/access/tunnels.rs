//! Tunnels that somebody between the gate and the sidecar opens late, or after the right to them has gone.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::revocation::Revoked;
use taskgate_core::token::TokenId;
use taskgate_core::visitor::{Term, vouch_tunnel};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::support::{id, public, settings};
use crate::kit::Sidecar;

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);
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
    vouch_for(sidecar, who, None)
}

/// The same where they were let in by something that ends.
fn vouch_for(sidecar: &Sidecar, who: &str, term: Option<Term>) -> String {
    let ring = sidecar.running.app.control.ring();
    let visitor = Identity::try_from(WireIdentity { actor: who.into(), ..WireIdentity::default() }).expect("a name");
    let now = sidecar.running.app.clock.now();
    vouch_tunnel(&ring, &id(sidecar, "op1"), Some(&visitor), term, now).expect("a key")
}

/// A session that ends so long from now, by a link or not.
fn session(sidecar: &Sidecar, number: u64, lifetime: Duration, share: Option<u64>) -> Option<Term> {
    let ends_at = sidecar.running.app.clock.now().after(lifetime);
    Some(Term { ends_at, session: Some(TokenId::new(number)), share: share.map(TokenId::new) })
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

/// Whether bytes still reach the job.
async fn is_open(socket: &mut WebSocketStream<TcpStream>, connection: &mut TcpStream) -> bool {
    let sent = socket.send(Message::binary(vec![7])).await.is_ok();
    sent && matches!(tokio::time::timeout(SOON, connection.read_u8()).await, Ok(Ok(7)))
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
async fn who_came_by_a_link_needs_no_right_and_stays_until_the_link_is_over() {
    let (sidecar, job) = start("").await;
    for (number, who) in [(1, "mallory"), (2, "share:0000000000000002")] {
        let term = session(&sidecar, 7, HOUR, Some(number));
        let mut socket = open(&sidecar, who, &vouch_for(&sidecar, who, term)).await.expect("a tunnel");
        let (mut connection, _) = job.accept().await.expect("a connection");
        assert!(is_open(&mut socket, &mut connection).await, "{who}");
        sidecar.clock.advance(HOUR - Duration::from_secs(1));
        assert!(is_open(&mut socket, &mut connection).await, "{who}");
        sidecar.clock.advance(Duration::from_secs(1));
        let words = closed(socket).await;
        assert!(words.contains("link is over"), "{who}: {words}");
    }
}

#[tokio::test]
async fn what_let_somebody_in_ends_the_tunnel_when_it_ends() {
    let (sidecar, job) = start("").await;
    for is_session in [true, false] {
        let term = session(&sidecar, 7, MINUTE, None);
        let term = if is_session { term } else { term.map(|term| Term { session: None, ..term }) };
        let socket = open(&sidecar, "alice", &vouch_for(&sidecar, "alice", term)).await.expect("a tunnel");
        let _first = job.accept().await.expect("a connection");
        let mut lasting = open(&sidecar, "alice", &vouch(&sidecar, "alice")).await.expect("a tunnel");
        let (mut connection, _) = job.accept().await.expect("a connection");
        sidecar.clock.advance(MINUTE);
        let words = closed(socket).await;
        assert!(words.contains("was let in with is over"), "{words}");
        assert!(is_open(&mut lasting, &mut connection).await, "the visitor's own right goes on");
    }
}

#[tokio::test]
async fn one_session_or_one_link_that_is_ended_ends_its_tunnels_alone() {
    let (sidecar, job) = start("").await;
    let link = Some(9);
    for (revoked, one, other) in [
        (Revoked::Session(TokenId::new(1)), (1, None), (2, None)),
        (Revoked::Session(TokenId::new(3)), (3, link), (4, link)),
        (Revoked::Share(TokenId::new(9)), (5, link), (6, Some(10))),
    ] {
        let [one, other] = [one, other].map(|(number, link)| session(&sidecar, number, HOUR, link));
        let ended = open(&sidecar, "alice", &vouch_for(&sidecar, "alice", one)).await.expect("a tunnel");
        let _first = job.accept().await.expect("a connection");
        let mut stays = open(&sidecar, "alice", &vouch_for(&sidecar, "alice", other)).await.expect("a tunnel");
        let (mut connection, _) = job.accept().await.expect("a connection");
        sidecar.clock.advance(Duration::from_secs(1));
        sidecar.running.app.access.end_sessions(revoked, "alice", HOUR).await.expect("ends");
        assert!(closed(ended).await.contains("ended"));
        assert!(is_open(&mut stays, &mut connection).await);
    }
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
