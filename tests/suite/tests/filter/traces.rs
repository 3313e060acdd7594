//! A request's trace goes along with what is asked about it, and no further.

use taskgate_core::trace_context::TraceParent;
use taskgate_test_host::Request;

use super::stage::{Stage, allow, with_token};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn traced(request: Request) -> Request {
    request.header("traceparent", PARENT).header("tracestate", "a=1").header("tracestate", "b=2")
}

#[test]
fn a_question_has_the_trace_of_who_asks_and_the_job_what_the_client_sent() {
    let mut stage = Stage::ready();
    let stream = stage.send(traced(with_token("closed", "t")));
    let [question] = &stage.questions()[..] else { panic!("one question") };
    assert_eq!(question.headers.text("traceparent"), Some(PARENT));
    stage.decide(&allow("alice"));
    let job = stage.job(stream);
    assert_eq!((job.text("traceparent"), job.text("tracestate")), (Some(PARENT), Some("a=1")));
    // The table is nobody's request.
    let poll = stage.poll().expect("a poll");
    assert_eq!(poll.headers.text("traceparent"), None);
}

#[test]
fn what_can_be_no_trace_is_not_one() {
    let twice = |request: Request| request.header("traceparent", PARENT).header("traceparent", PARENT);
    let long = |request: Request| request.header("traceparent", format!("{PARENT}-more"));
    for change in [twice, long] {
        let mut stage = Stage::ready();
        stage.send(change(with_token("closed", "t")));
        let [question] = &stage.questions()[..] else { panic!("one question") };
        let told = question.headers.text("traceparent").unwrap_or_default();
        assert!(TraceParent::parse(told.as_bytes()).is_none(), "{told}");
    }
}

#[test]
fn the_trace_of_one_request_is_not_that_of_the_next() {
    let mut stage = Stage::ready();
    stage.send(traced(with_token("closed", "t")));
    stage.send(with_token("closed", "u"));
    let told: Vec<bool> = stage.questions().iter().map(|one| one.headers.contains("traceparent")).collect();
    assert_eq!(told, [true, false]);
}
