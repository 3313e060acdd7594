//! The client itself: what passes is waited for, and what is no answer is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use futures_util::future::join_all;
use taskgate::hsds::client::error::HsdsError;
use taskgate::hsds::client::settings::HsdsSettings;
use taskgate::hsds::client::{Hsds, Session};
use taskgate::hsds::dataspace::Dataspace;
use taskgate::hsds::datatype::{Datatype, Order};
use taskgate::hsds::domain::DomainName;
use taskgate::hsds::id::{Collection, ObjectId};
use taskgate::secret::SecretText;
use taskgate_test_kit::HsdsUser;

use crate::hsds::support::{dataset, new_domain, server, session};
use crate::kit::serve;

const DOMAIN: &str = r#"{"owner": "alice", "root": "g-01234567-89abcdef-89ab-cdef01-234567", "x": NaN}"#;

/// A server that gives each request one answer after the other, and the last one from then on.
#[derive(Clone)]
struct Script {
    answers: Arc<Vec<fn() -> Response>>,
    asked: Arc<AtomicUsize>,
}

async fn answer(State(script): State<Script>) -> Response {
    let number = script.asked.fetch_add(1, Ordering::SeqCst).min(script.answers.len() - 1);
    script.answers[number]()
}

async fn scripted(answers: Vec<fn() -> Response>) -> (Session, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let script = Script { answers: Arc::new(answers), asked: Arc::clone(&asked) };
    let address = serve(Router::new().fallback(answer).with_state(script)).await;
    (impatient(&address), asked)
}

fn impatient(url: &str) -> Session {
    let url = url.parse().expect("a URL");
    let settings = HsdsSettings {
        timeout: Duration::from_secs(2),
        patience: Duration::from_secs(10),
        max_answer: 1_000,
        max_values: 1_000,
        ..HsdsSettings::new(url)
    };
    let hsds = Hsds::new(settings).expect("a client");
    hsds.with(&SecretText::from("Bearer hunter2".to_owned())).expect("a session")
}

fn ok() -> Response {
    DOMAIN.into_response()
}

fn status(code: u16) -> Response {
    StatusCode::from_u16(code).expect("a status").into_response()
}

/// A service node that started at that time; it is 00:01:40 on the first day of UNIX time.
fn about(start: u64) -> Response {
    let date = [("date", "Thu, 01 Jan 1970 00:01:40 GMT")];
    (date, format!(r#"{{"start_time": {start}, "dn_ids": ["dn-001"]}}"#)).into_response()
}

fn broken() -> Response {
    let pieces = [Ok("{\"owner\""), Err(std::io::Error::other("the disk is gone"))];
    Body::from_stream(futures_util::stream::iter(pieces)).into_response()
}

fn large() -> Response {
    " ".repeat(1_001).into_response()
}

fn redirect() -> Response {
    (StatusCode::FOUND, [("location", "http://127.0.0.1:9/")]).into_response()
}

#[tokio::test]
async fn what_passes_is_asked_again() {
    let domain = DomainName::new("/a");
    for first in
        [|| status(503), || status(502), || status(504), || status(500), || status(429), broken as fn() -> Response]
    {
        let (session, asked) = scripted(vec![first, first, ok]).await;
        assert_eq!(session.domain(&domain).await.map(|domain| domain.owner), Ok("alice".into()));
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }
    // What may have been carried out is not carried out twice; what was refused was not.
    let (session, asked) = scripted(vec![|| status(503), broken, ok]).await;
    let made = session.create_domain(&domain).await;
    assert!(matches!(made, Err(HsdsError::Exchange(_))), "{made:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // The server's own failure may be for ever.
    let (session, asked) = scripted(vec![|| status(500)]).await;
    assert_eq!(session.domain(&domain).await, Err(HsdsError::Unavailable { status: 500 }));
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    // One that starts is away first, and then fails until all its nodes are there.
    let away: fn() -> Response = || status(503);
    let (session, _) = scripted(vec![away, away, away, away, || status(500), ok]).await;
    assert_eq!(session.domain(&domain).await.map(|domain| domain.owner), Ok("alice".into()));
    let (session, asked) = scripted(vec![|| status(503)]).await;
    let patient = session.patient(Duration::from_millis(300));
    assert_eq!(patient.domain(&domain).await, Err(HsdsError::Unavailable { status: 503 }));
    assert!(asked.load(Ordering::SeqCst) >= 1);
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_at_once() {
    let domain = DomainName::new("/a");
    let malformed: [fn() -> Response; 4] =
        [|| "{".into_response(), || "[]".into_response(), || r#"{"owner": 1}"#.into_response(), redirect];
    for first in malformed {
        let (session, asked) = scripted(vec![first, ok]).await;
        let found = session.domain(&domain).await;
        assert!(matches!(found, Err(HsdsError::Malformed(_))), "{found:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
    let (session, asked) = scripted(vec![large, ok]).await;
    assert_eq!(session.domain(&domain).await, Err(HsdsError::TooLarge));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let dataset = ObjectId::parse("d-01234567-89abcdef-0123-456789-abcdef").expect("an id");
    let (session, _) = scripted(vec![large]).await;
    assert_eq!(session.read_values(&domain, dataset, None, None).await, Err(HsdsError::TooLarge));
}

#[tokio::test]
async fn an_error_never_has_the_credential() {
    let nobody = impatient("http://127.0.0.1:9/").patient(Duration::from_millis(100));
    let domain = DomainName::new("/a");
    let refused = nobody.domain(&domain).await.expect_err("an error");
    assert!(refused.is_passing());
    let (session, _) = scripted(vec![|| (StatusCode::BAD_REQUEST, "400: no\r\nsense").into_response()]).await;
    let reason = session.domain(&domain).await.expect_err("an error");
    assert_eq!(reason, HsdsError::BadRequest { reason: "no sense".into() });
    for shown in [format!("{refused:?} {refused}"), format!("{session:?} {:?}", session.server())] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test]
async fn the_servers_address_may_have_a_path() {
    async fn echo(uri: Uri, headers: HeaderMap) -> Response {
        let shown = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        serde_json::json!({"username": format!("{} {shown}", uri.path())}).to_string().into_response()
    }
    let address = serve(Router::new().fallback(echo)).await;
    for (prefix, path) in [("", "/about"), ("/", "/about"), ("/hsds", "/hsds/about"), ("/a/b/", "/a/b/about")] {
        let who = impatient(&format!("{address}{prefix}")).whoami().await.expect("somebody");
        assert_eq!(who.username, format!("{path} Bearer hunter2"));
    }
}

#[tokio::test]
async fn requests_at_one_time_are_bounded() {
    #[derive(Clone, Default)]
    struct Load(Arc<AtomicU32>, Arc<AtomicU32>);
    async fn count(State(load): State<Load>) -> Response {
        let now = load.0.fetch_add(1, Ordering::SeqCst) + 1;
        load.1.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(5)).await;
        load.0.fetch_sub(1, Ordering::SeqCst);
        ok()
    }
    let load = Load::default();
    let address = serve(Router::new().fallback(count).with_state(load.clone())).await;
    let one = impatient(&address);
    // Whoever asks: the bound is the server's.
    let other = one.server().anonymous();
    let domain = DomainName::new("/a");
    let calls = (0..100).map(|n| if n % 2 == 0 { one.domain(&domain) } else { other.domain(&domain) });
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!(load.1.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn four_hundred_reads_at_once_all_succeed() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let (domain, root) = new_domain(&one, "/home/test_user1/parallel.h5").await;
    let wanted = dataset(Datatype::integer(1, true, Order::Little), Dataspace::simple([4]));
    let x = one.create(&domain, &wanted).await.expect("a dataset").id;
    let reads = join_all((0..400).map(|_| one.read_values(&domain, x, None, Some(4)))).await;
    assert!(reads.iter().all(|read| read.as_ref().is_ok_and(|bytes| bytes.len() == 4)));
    let none = ObjectId::derived(Collection::Groups, root, &[b"none"]);
    assert_eq!(one.object(&domain, none).await.map(|_| ()), Err(HsdsError::NotFound));
}

#[tokio::test]
async fn service_nodes_behind_one_address_are_one_run() {
    // A connection leads to one of them; the next one may lead to another.
    let answers: Vec<fn() -> Response> = vec![|| about(10), || about(10), || about(10), || about(90)];
    let (session, _) = scripted(answers).await;
    let noted = session.incarnation().await.expect("an answer");
    let other = session.incarnation().await.expect("an answer");
    assert!(noted.goes_on_in(&other) && other.goes_on_in(&noted));
    let (session, _) = scripted(vec![|| about(101)]).await;
    let again = session.incarnation().await.expect("an answer");
    assert!(!noted.goes_on_in(&again), "it started after the run was noted");
}
