//! Answers that are none: whatever a proxy or a broken sidecar makes up, nobody is let in.

use taskgate_test_host::Answer;

use super::stage::{Stage, allow, deny, page_answer, verdict_answer, with_token};

fn marked(status: u16) -> Answer {
    Answer::new(status).header("x-taskgate-answer", "verdict-v1")
}

fn no_answers() -> Vec<(String, Answer)> {
    let body = allow("mallory").encode();
    let mut answers: Vec<(String, Answer)> = vec![
        ("no marker".into(), Answer::new(200).body(body.clone())),
        ("another marker".into(), Answer::new(200).header("x-taskgate-answer", "verdict-v2").body(body.clone())),
        ("the table's marker".into(), page_answer(body.clone())),
        ("marker twice".into(), marked(200).header("x-taskgate-answer", "verdict-v1").body(body.clone())),
        ("two markers".into(), marked(200).header("x-taskgate-answer", "table-v1").body(body.clone())),
        (
            "marker in two values".into(),
            Answer::new(200).header("x-taskgate-answer", "verdict-v1, verdict-v1").body(body.clone()),
        ),
        ("status twice".into(), marked(200).header(":status", "200").body(body.clone())),
        ("refused by the proxy".into(), Answer::refused()),
        ("reset".into(), Answer::reset()),
        ("timed out".into(), Answer::timed_out()),
        ("no body".into(), marked(200)),
        ("dispatch failed".into(), marked(200).header(":dispatch_status", "reader failure").body(body.clone())),
        ("dispatch timed out".into(), marked(200).header(":dispatch_status", "timeout").body(body.clone())),
        ("another format".into(), marked(200).body([&[9], &body[1..]].concat())),
        ("longer than the verdict".into(), marked(200).body([&body[..], b"\0"].concat())),
        ("far too long".into(), marked(200).body([&body[..], &[0; 100_000]].concat())),
        ("an HTML page".into(), marked(200).body("<html>allow</html>")),
        ("unavailable".into(), verdict_answer(&taskgate_core::verdict::WireVerdict::Unavailable)),
        ("an actor that breaks headers".into(), verdict_answer(&allow("a\r\nx-forwarded-groups: wheel"))),
        ("an actor without a name".into(), verdict_answer(&allow(""))),
        ("not text".into(), marked(200).body([0xff; 40])),
    ];
    for status in [100, 201, 204, 301, 400, 401, 403, 404, 500, 502, 503, 504] {
        answers.push((format!("status {status}"), marked(status).body(body.clone())));
    }
    for length in 0..body.len() {
        answers.push((format!("cut at {length}"), marked(200).body(&body[..length])));
    }
    answers
}

#[test]
fn what_is_no_answer_lets_nobody_in() {
    let mut stage = Stage::ready();
    for (what, answer) in no_answers() {
        let leader = stage.send(with_token("closed", "t"));
        let follower = stage.send(with_token("closed", "t"));
        assert!(stage.vm.outcome(leader).is_paused(), "{what}: the one before was remembered");
        let (callout, _) = stage.question();
        stage.answer(callout, answer);
        for stream in [leader, follower] {
            assert_eq!(stage.denial(stream), (503, "verdict-unavailable".into()), "{what}");
            assert_eq!(stage.vm.upstream(stream), None, "{what}");
        }
        stage.assert_alive();
    }
    let stream = stage.send(with_token("closed", "t"));
    stage.decide(&allow("alice"));
    stage.job(stream);
}

#[test]
fn the_same_on_nginx() {
    let mut stage = Stage::nginx();
    for (what, answer) in no_answers() {
        let stream = stage.send(with_token("closed", "t"));
        let (callout, _) = stage.question();
        stage.answer(callout, answer);
        assert_eq!(stage.denial(stream), (503, "verdict-unavailable".into()), "{what}");
        assert_eq!(stage.vm.property(stream, &["ngx", "tg_upstream"]).as_deref(), Some(&b""[..]), "{what}");
        stage.assert_alive();
    }
}

#[test]
fn a_body_shorter_than_announced_is_no_verdict() {
    use taskgate_test_host::{Calls, Corruption, HostFunction};
    for verdict in [allow("mallory"), deny()] {
        let mut stage = Stage::ready();
        for length in 0..verdict.encode().len() {
            let stream = stage.send(with_token("closed", "t"));
            stage.host.corrupt(HostFunction::GetBufferBytes, Calls::Nth(1), Corruption::Truncate(length));
            stage.decide(&verdict);
            stage.host.clear_faults();
            stage.assert_denied(stream, 503, "verdict-unavailable");
        }
    }
}

#[test]
fn an_outage_of_the_sidecar_lets_decided_requests_go_on_for_the_grace() {
    let mut stage = Stage::ready();
    let first = stage.send(with_token("closed", "t"));
    stage.decide(&allow("alice"));
    stage.job(first);
    stage.vm.finish(first);
    stage.pass(std::time::Duration::from_secs(61));
    // Past its lifetime: asked again, and the old verdict counts while there is no other.
    let second = stage.send(with_token("closed", "t"));
    let (callout, _) = stage.question();
    stage.answer(callout, Answer::refused());
    assert_eq!(stage.job(second).text("x-forwarded-user"), Some("alice"));
    stage.vm.finish(second);
    // For a second after that nobody waits for a sidecar that is away.
    let third = stage.send(with_token("closed", "t"));
    assert_eq!(stage.job(third).text("x-forwarded-user"), Some("alice"));
    stage.vm.finish(third);
    assert!(stage.questions().is_empty());
    let undecided = stage.send(with_token("closed", "new"));
    let (callout, _) = stage.question();
    stage.answer(callout, Answer::refused());
    stage.assert_denied(undecided, 503, "verdict-unavailable");
    stage.pass(std::time::Duration::from_secs(300));
    let late = stage.send(with_token("closed", "t"));
    let (callout, _) = stage.question();
    stage.answer(callout, Answer::refused());
    stage.assert_denied(late, 503, "verdict-unavailable");
}
