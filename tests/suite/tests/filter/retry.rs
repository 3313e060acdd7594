//! The upstream's side: later attempts of a permitted request, which say what address has failed.

use std::time::Duration;

use taskgate_test_host::{Request, StreamId};

use super::stage::{OPEN, Stage, candidates, get, with_token};

const ATTEMPTS: [&str; 2] = ["upstream", "request_attempt_count"];

fn metadata(slot: &'static str) -> [&'static str; 4] {
    ["metadata", "filter_metadata", "taskgate", slot]
}

/// The request as the filter on the upstream's side sees its nth attempt.
fn attempt(request: Request, nth: u64, up1: &str, up2: &str) -> Request {
    request
        .header("x-envoy-attempt-count", nth.to_string())
        .property(&ATTEMPTS, nth.to_le_bytes())
        .property(&metadata("up1"), up1)
        .property(&metadata("up2"), up2)
}

fn first_choices(stage: &mut Stage, count: usize) -> Vec<String> {
    let streams: Vec<StreamId> = (0..count).map(|_| stage.send(get("open"))).collect();
    streams.into_iter().map(|stream| candidates(&stage.job(stream))[0].clone()).collect()
}

#[test]
fn a_second_attempt_goes_on_untouched_and_its_first_address_comes_last_for_ten_seconds() {
    let [dead, live] = OPEN.jobs else { panic!("two jobs") };
    let mut stage = Stage::ready();
    let before = first_choices(&mut stage, 4);
    assert!(before.iter().any(|first| first == dead) && before.iter().any(|first| first == live), "{before:?}");

    let request = get("closed").header("cookie", "YTCypressCookie=jobs-own").header("x-taskgate-x", "1");
    let stream = stage.send(attempt(request, 2, dead, live));
    let job = stage.job(stream);
    assert_eq!(job.text("cookie"), Some("YTCypressCookie=jobs-own"), "permitted long ago: nothing is changed");
    assert!(!job.contains("x-taskgate-up1") && job.contains("x-taskgate-x"));
    assert_eq!(stage.host.metric("taskgate.endpoints.failed"), Some(1));

    let after = first_choices(&mut stage, 6);
    assert!(after.iter().all(|first| first == live), "{after:?}");
    stage.pass(Duration::from_millis(9_800));
    let late = first_choices(&mut stage, 6);
    assert!(late.iter().all(|first| first == live), "{late:?}");
    stage.pass(Duration::from_millis(400));
    let again = first_choices(&mut stage, 4);
    assert!(again.iter().any(|first| first == dead), "{again:?}");
}

#[test]
fn a_third_attempt_demotes_both_and_both_are_still_tried() {
    let [one, two] = OPEN.jobs else { panic!("two jobs") };
    let mut stage = Stage::ready();
    for nth in [2, 3] {
        let stream = stage.send(attempt(get("open"), nth, one, two));
        stage.job(stream);
    }
    assert_eq!(stage.host.metric("taskgate.endpoints.failed"), Some(2), "each failure counts once");
    let stream = stage.send(get("open"));
    let slots = candidates(&stage.job(stream));
    assert!(slots.iter().any(|slot| slot == one) && slots.iter().any(|slot| slot == two));
}

#[test]
fn a_first_attempt_demotes_nothing() {
    let [one, two] = OPEN.jobs else { panic!("two jobs") };
    let mut stage = Stage::ready();
    stage.send(attempt(get("open"), 1, one, two));
    assert_eq!(stage.host.metric("taskgate.endpoints.failed"), Some(0));
}

#[test]
fn the_header_alone_is_no_way_past_the_gate() {
    let mut stage = Stage::ready();
    let count = |request: Request| request.header("x-envoy-attempt-count", "2");
    let bare = count(get("closed"));
    let no_metadata = count(get("closed")).property(&ATTEMPTS, 2_u64.to_le_bytes());
    let no_count = count(get("closed")).property(&metadata("up1"), OPEN.jobs[0]);
    let first = attempt(get("closed"), 1, OPEN.jobs[0], OPEN.jobs[1]);
    let short = count(get("closed")).property(&ATTEMPTS, [2, 0]).property(&metadata("up1"), OPEN.jobs[0]);
    let text = count(get("closed")).property(&ATTEMPTS, "2").property(&metadata("up1"), OPEN.jobs[0]);
    let no_address = attempt(get("closed"), 2, "elsewhere", "");
    let not_text = count(get("closed")).property(&ATTEMPTS, 2_u64.to_le_bytes()).property(&metadata("up1"), [0xff; 4]);
    for request in [bare, no_metadata, no_count, first, short, text, no_address, not_text] {
        let stream = stage.send(request);
        stage.assert_denied(stream, 401, "credential-missing");
    }
    let asked = stage.send(count(with_token("closed", "t")));
    assert!(stage.vm.outcome(asked).is_paused());
    let open = stage.send(count(get("open").header("x-forwarded-user", "root")));
    let job = stage.job(open);
    assert!(!job.contains("x-forwarded-user"));
    candidates(&job);
    assert_eq!(stage.host.metric("taskgate.endpoints.failed"), Some(0));
}

#[test]
fn properties_without_the_header_are_no_way_past_the_gate() {
    let mut stage = Stage::ready();
    let request = get("closed").property(&ATTEMPTS, 2_u64.to_le_bytes()).property(&metadata("up1"), OPEN.jobs[0]);
    let stream = stage.send(request);
    stage.assert_denied(stream, 401, "credential-missing");
}

#[test]
fn a_host_that_fails_makes_a_retry_an_ordinary_request() {
    use taskgate_test_host::{Calls, HostFunction, Status};
    let statuses =
        [Status::NotFound, Status::BadArgument, Status::Empty, Status::InternalFailure, Status::Unimplemented];
    for status in statuses {
        for calls in [Calls::Nth(1), Calls::Nth(2), Calls::Nth(3), Calls::Nth(4), Calls::From(2), Calls::Every] {
            let mut stage = Stage::ready();
            stage.host.fail(HostFunction::GetProperty, calls, status);
            let request = attempt(get("closed").header("x-mine", "1"), 3, OPEN.jobs[0], OPEN.jobs[1]);
            let expected = request.clone();
            let stream = stage.send(request);
            stage.assert_alive();
            match stage.vm.outcome(stream) {
                taskgate_test_host::Outcome::Continued { headers } => {
                    assert!(matches!(calls, Calls::Nth(2..)), "{calls:?} {status:?}");
                    stage.host.clear_faults();
                    let untouched = stage.send(expected);
                    assert_eq!(headers, stage.job(untouched), "{calls:?} {status:?}");
                }
                _ => stage.assert_denied(stream, 401, "credential-missing"),
            }
        }
    }
}
