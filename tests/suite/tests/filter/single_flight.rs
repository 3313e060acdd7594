//! Many requests, one question: whoever leaves takes nothing from the others.

use std::time::Duration;

use taskgate_test_host::{Outcome, StreamId};

use super::stage::{Sidecar, Stage, TICK, allow, deny, verdict_answer, with_token};

fn ask(stage: &mut Stage, count: usize, token: &str) -> Vec<StreamId> {
    (0..count).map(|_| stage.send(with_token("closed", token))).collect()
}

#[test]
fn twenty_requests_with_one_key_ask_once() {
    let mut stage = Stage::ready();
    let streams = ask(&mut stage, 20, "t");
    assert!(streams.iter().all(|stream| stage.vm.outcome(*stream).is_paused()));
    stage.decide(&allow("alice"));
    for stream in streams {
        assert_eq!(stage.job(stream).text("x-forwarded-user"), Some("alice"));
    }
    assert_eq!(stage.host.metric("taskgate.verdicts.asked"), Some(1));
    let cached = stage.send(with_token("closed", "t"));
    stage.job(cached);
    assert!(stage.questions().is_empty());
}

#[test]
fn a_refusal_reaches_everyone_who_waits() {
    let mut stage = Stage::ready();
    let streams = ask(&mut stage, 5, "t");
    stage.decide(&deny());
    for stream in streams {
        stage.assert_denied(stream, 403, "access-denied");
    }
}

#[test]
fn a_leader_that_leaves_hurts_nobody() {
    let mut stage = Stage::ready();
    let streams = ask(&mut stage, 6, "t");
    stage.vm.disconnect(streams[0]);
    stage.decide(&allow("alice"));
    assert_eq!(stage.vm.outcome(streams[0]), Outcome::Gone);
    for stream in &streams[1..] {
        assert_eq!(stage.job(*stream).text("x-forwarded-user"), Some("alice"));
    }
    let next = stage.send(with_token("closed", "t"));
    stage.job(next);
    stage.assert_alive();
}

#[test]
fn when_everyone_has_left_the_verdict_is_still_learned() {
    let mut stage = Stage::ready();
    let streams = ask(&mut stage, 4, "t");
    for stream in &streams {
        stage.vm.disconnect(*stream);
    }
    stage.decide(&allow("alice"));
    stage.assert_alive();
    assert!(streams.iter().all(|stream| stage.vm.upstream(*stream).is_none()));
    let next = stage.send(with_token("closed", "t"));
    assert_eq!(stage.job(next).text("x-forwarded-user"), Some("alice"));
    assert!(stage.questions().is_empty());
}

#[test]
fn followers_that_leave_are_passed_over() {
    let mut stage = Stage::ready();
    let streams = ask(&mut stage, 5, "t");
    for stream in [streams[1], streams[4]] {
        stage.vm.disconnect(stream);
    }
    stage.decide(&allow("alice"));
    for stream in [streams[0], streams[2], streams[3]] {
        stage.job(stream);
    }
}

#[test]
fn other_questions_are_asked_on_their_own() {
    let mut stage = Stage::ready();
    let requests = [
        with_token("closed", "a"),
        with_token("closed", "b"),
        with_token("other", "a"),
        super::stage::get("closed").header("authorization", "OAuth a"),
        super::stage::get("closed").header("cookie", "YTCypressCookie=a"),
    ];
    let streams: Vec<StreamId> = requests.into_iter().map(|request| stage.send(request)).collect();
    let questions = stage.questions();
    assert_eq!(questions.len(), streams.len());
    // Answered in another order than asked, each gets its own answer.
    for (nth, question) in questions.iter().enumerate().rev() {
        stage.answer(question.id, verdict_answer(&allow(&format!("actor{nth}"))));
    }
    for (nth, stream) in streams.iter().enumerate() {
        assert_eq!(stage.job(*stream).text("x-forwarded-user"), Some(format!("actor{nth}").as_str()));
    }
}

#[test]
fn beyond_the_limit_requests_are_refused_and_the_limit_frees_itself() {
    let mut stage = Stage::following("cluster = taskgate-sidecar; max_waiting = 3", Sidecar::standard(7));
    let waiting = ask(&mut stage, 3, "t");
    for token in ["t", "u"] {
        let stream = stage.send(with_token("closed", token));
        stage.assert_denied(stream, 503, "overloaded");
    }
    let open = stage.send(super::stage::get("open"));
    stage.job(open);
    stage.decide(&allow("alice"));
    for stream in waiting {
        stage.job(stream);
    }
    let next = stage.send(with_token("closed", "u"));
    assert!(stage.vm.outcome(next).is_paused());
    stage.decide(&allow("bob"));
    stage.job(next);
}

#[test]
fn an_answer_that_never_comes_is_given_up_and_asked_for_anew() {
    let mut stage = Stage::ready();
    let streams = ask(&mut stage, 3, "t");
    let (lost, _) = stage.question();
    stage.pass(Duration::from_secs(1));
    assert!(streams.iter().all(|stream| stage.vm.outcome(*stream).is_paused()), "a second is not too long");
    stage.pass(Duration::from_secs(9));
    for stream in &streams {
        stage.assert_denied(*stream, 503, "verdict-unavailable");
    }
    let next = stage.send(with_token("closed", "t"));
    assert!(stage.vm.outcome(next).is_paused());
    assert_eq!(stage.questions().len(), 2, "asked anew");
    // The lost answer turns up: it is nobody's any more, and nothing is learned of it.
    stage.answer(lost, verdict_answer(&allow("mallory")));
    assert!(stage.vm.outcome(next).is_paused());
    assert!(streams.iter().all(|stream| stage.vm.upstream(*stream).is_none()));
    stage.decide(&allow("alice"));
    assert_eq!(stage.job(next).text("x-forwarded-user"), Some("alice"));
}

#[test]
fn a_callout_that_times_out_is_no_verdict() {
    let mut stage = Stage::ready();
    let streams = ask(&mut stage, 3, "t");
    stage.vm.run(Duration::from_secs(2));
    for stream in streams {
        stage.assert_denied(stream, 503, "verdict-unavailable");
    }
    assert!(stage.questions().is_empty());
}

#[test]
fn a_proxy_that_refuses_the_call_is_no_verdict() {
    let host = taskgate_test_host::Host::envoy(["taskgate-sidecar"]);
    let (vm, root) = super::stage::worker(&host, super::stage::ENVOY);
    let mut stage = Stage { host, vm, root, sidecar: Sidecar::standard(7) };
    stage.follow();
    stage.host.fail(
        taskgate_test_host::HostFunction::HttpCall,
        taskgate_test_host::Calls::Every,
        taskgate_test_host::Status::BadArgument,
    );
    let stream = stage.send(with_token("closed", "t"));
    stage.assert_denied(stream, 503, "verdict-unavailable");
    stage.host.clear_faults();
    stage.pass(TICK);
    let stream = stage.send(with_token("closed", "t"));
    assert!(stage.vm.outcome(stream).is_paused());
}

#[test]
fn an_answer_to_a_question_that_was_never_asked_changes_nothing() {
    let mut stage = Stage::ready();
    let before = stage.send(with_token("closed", "t"));
    let (callout, _) = stage.question();
    // Another configuration takes the VM over: it has asked nothing.
    let root = stage.vm.add_plugin("cluster = taskgate-sidecar; max_waiting = 9").expect("starts");
    stage.assert_denied(before, 503, "verdict-unavailable");
    stage.root = root;
    stage.answer(callout, verdict_answer(&allow("mallory")));
    stage.assert_alive();
    assert_eq!(stage.vm.upstream(before), None);
}
