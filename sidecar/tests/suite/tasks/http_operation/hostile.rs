//! Services that mean no good.

use axum::body::Body;
use axum::body::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use taskgate::tasks::operation::WorkError;

use crate::tasks::attempt::{Attempt, permanent};
use crate::tasks::http_operation::service::{Reply, Service, reply, taken};

async fn outcome(answers: impl IntoIterator<Item = Reply>) -> (Result<Value, WorkError>, Service) {
    let service = Service::start(answers).await;
    let outcome = Attempt::new(json!({})).run(service.operation(&json!({"secret": "shown"})).as_ref()).await;
    (outcome, service)
}

/// A body without an end.
fn endless() -> Body {
    let chunk = Bytes::from(vec![b' '; 64 << 10]);
    Body::from_stream(stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone())))
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_it() {
    let (refused, _) = outcome([Reply::Plain(200, vec![], endless())]).await;
    assert_eq!(permanent(refused).0, "answer-too-large");
    let (refused, _) = outcome([Reply::Plain(500, vec![], endless())]).await;
    assert_eq!(permanent(refused).0, "answer-too-large");
    let (refused, _) = outcome([taken("/1"), Reply::Plain(200, vec![], endless())]).await;
    assert_eq!(permanent(refused).0, "answer-too-large");
}

#[tokio::test]
async fn nobody_else_is_asked() {
    let (_, other) = outcome([]).await;
    let seen = other.asked().len();
    for place in [
        format!("{}/x", other.url),
        other.url.replace("http:", ""),
        "https://127.0.0.1/".to_owned(),
        "http://user:secret@127.0.0.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://[".to_owned(),
    ] {
        let (refused, service) = outcome([taken(&place)]).await;
        assert_eq!(permanent(refused).0, "answer-malformed", "{place}");
        assert_eq!(service.lines().len(), 1, "{place}");
    }
    for status in [301, 302, 303, 307, 308] {
        let (refused, service) =
            outcome([Reply::Plain(status, vec![("location", format!("{}/x", other.url))], Body::empty())]).await;
        assert_eq!(permanent(refused).0, "redirected");
        assert_eq!(service.lines().len(), 1);
    }
    assert_eq!(other.asked().len(), seen);
}

#[tokio::test]
async fn a_place_of_a_former_configuration_is_not_asked() {
    let other = Service::start([]).await;
    let service = Service::start([reply(200, &json!({"result": 1}))]).await;
    let attempt = Attempt::new(json!({})).from(json!({"status": format!("{}/1", other.url)}));
    assert_eq!(attempt.run(service.operation(&json!({})).as_ref()).await, Ok(json!(1)));
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn what_is_no_answer_is_not_taken_for_one() {
    let text = |text: &str| Reply::Plain(200, vec![], Body::from(text.to_owned()));
    let deep = format!("{{\"result\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for answer in [text(""), text("{}"), text("<html>"), text("{\"result\":1}x"), text(&deep), text("\u{0}")] {
        assert_eq!(permanent(outcome([answer]).await.0).0, "answer-malformed");
    }
    for status in [201, 204, 206] {
        assert_eq!(permanent(outcome([reply(status, &json!({"result": 1}))]).await.0).0, "answer-malformed");
    }
    let nowhere = Reply::Plain(202, vec![], Body::empty());
    assert_eq!(permanent(outcome([nowhere]).await.0).0, "answer-malformed");
}

#[tokio::test]
async fn a_service_can_ask_for_patience_but_not_for_haste() {
    let hasty = |status| {
        Reply::Plain(200, vec![("retry-after", "0".to_owned())], Body::from(format!("{{\"status\":{status:?}}}")))
    };
    let began = std::time::Instant::now();
    let (done, service) = outcome([taken("/1"), hasty("queued"), hasty("queued"), hasty("complete")]).await;
    assert_eq!(done, Ok(Value::Null));
    assert_eq!(service.lines().len(), 4);
    assert!(began.elapsed() >= std::time::Duration::from_millis(600), "{:?}", began.elapsed());
}
