//! Following the table: pages, deltas, new lives of the sidecar, and a sidecar that is away.

use std::time::Duration;

use taskgate_core::config::GateConfig;
use taskgate_core::feed::FeedPage;
use taskgate_test_host::Answer;

use super::stage::{
    CLOSED, ENVOY, OPEN, Row, Sidecar, Stage, TICK, allow, candidates, get, key, packed, page_answer, parameter,
    with_token,
};

const MOVED: Row = Row { jobs: &["10.9.9.9:9"], ..OPEN };

#[test]
fn a_table_arrives_page_by_page_without_a_pause() {
    let mut sidecar = Sidecar::new(7);
    for nth in 0..1_000 {
        let id = format!("s{nth}");
        sidecar.put(&id, packed(&id, &OPEN));
    }
    sidecar.page_rows = 100;
    let mut stage = Stage::start(ENVOY, sidecar);
    stage.pass(TICK);
    for page in 0..10_u64 {
        let poll = stage.poll().expect("the next page is asked for at once");
        assert_eq!(parameter(poll.path(), "since"), page * 100);
        assert_eq!(parameter(poll.path(), "began"), if page == 0 { 0 } else { 1_000 });
        let early = stage.send(get("s999"));
        stage.assert_denied(early, 503, "table-loading");
        stage.confirm();
    }
    for id in ["s0", "s500", "s999"] {
        let stream = stage.send(get(id));
        stage.job(stream);
    }
    let unknown = stage.send(get("s1000"));
    stage.assert_denied(unknown, 404, "unknown-service");
    assert_eq!(parameter(stage.poll().expect("a poll").path(), "since"), 1_000);
}

#[test]
fn what_is_there_serves_while_the_rest_arrives() {
    let mut stage = Stage::empty();
    stage.sidecar.page_rows = 1;
    stage.pass(TICK);
    stage.confirm();
    let here = stage.send(get("open"));
    stage.job(here);
    let missing = stage.send(get("rpc"));
    stage.assert_denied(missing, 503, "table-loading");
}

#[test]
fn changes_arrive_with_the_poll() {
    let mut stage = Stage::ready();
    stage.sidecar.put("new", packed("new", &OPEN));
    stage.sidecar.put("open", MOVED.packed());
    stage.sidecar.remove("rpc");
    stage.confirm();
    let new = stage.send(get("new"));
    stage.job(new);
    let moved = stage.send(get("open"));
    assert_eq!(candidates(&stage.job(moved)), [MOVED.jobs[0]; 3]);
    let gone = stage.send(get("rpc"));
    stage.assert_denied(gone, 404, "unknown-service");
}

#[test]
fn closing_a_service_closes_it_for_the_next_request() {
    let mut stage = Stage::ready();
    stage.sidecar.put("open", packed("open", &CLOSED));
    stage.confirm();
    let stream = stage.send(get("open"));
    stage.assert_denied(stream, 401, "credential-missing");
}

#[test]
fn another_life_of_the_sidecar_replaces_the_table_whatever_its_number() {
    let mut stage = Stage::ready();
    let mut reborn = Sidecar::new(8);
    reborn.put("open", MOVED.packed());
    assert!(reborn.number < stage.sidecar.number);
    stage.sidecar = reborn;
    stage.lose_poll();
    stage.confirm();
    let moved = stage.send(get("open"));
    assert_eq!(candidates(&stage.job(moved)), [MOVED.jobs[0]; 3]);
    let gone = stage.send(get("closed"));
    stage.assert_denied(gone, 404, "unknown-service");
    stage.pass(TICK);
    let poll = stage.poll().expect("a poll");
    assert_eq!((parameter(poll.path(), "epoch"), parameter(poll.path(), "since")), (8, 1));
}

#[test]
fn until_another_life_is_whole_the_old_table_serves_too() {
    let mut stage = Stage::ready();
    let mut reborn = Sidecar::standard(8);
    reborn.page_rows = 1;
    stage.sidecar = reborn;
    stage.confirm();
    let not_yet_seen_again = stage.send(get("rpc"));
    stage.job(not_yet_seen_again);
}

/// A page of the sidecar's life 7 that changes `open`.
fn page(from: u64, to: u64) -> Vec<u8> {
    let row = MOVED.packed();
    let page = FeedPage {
        epoch: 7,
        from,
        to,
        last: to,
        reset: false,
        complete: true,
        upserts: vec![&row],
        removals: vec!["closed"],
        control: None,
    };
    page.encode().expect("encodes")
}

#[test]
fn a_page_that_does_not_fit_changes_nothing_and_everything_is_asked_for() {
    for (what, bytes) in [("a gap", page(40, 41)), ("backwards", page(4, 1)), ("from the past", page(1, 9))] {
        let mut stage = Stage::ready();
        let poll = stage.poll().expect("a poll");
        stage.answer(poll.id, page_answer(bytes));
        let stream = stage.send(get("open"));
        assert_ne!(candidates(&stage.job(stream)), [MOVED.jobs[0]; 3], "{what}");
        let stream = stage.send(get("closed"));
        stage.assert_denied(stream, 401, "credential-missing");
        stage.pass(TICK * 3);
        let poll = stage.poll().expect("a poll");
        assert_eq!(parameter(poll.path(), "since"), 0, "{what}: {}", poll.path());
        stage.sidecar.put("new", packed("new", &OPEN));
        stage.follow();
        let new = stage.send(get("new"));
        stage.job(new);
        assert!(parameter(stage.poll().expect("a poll").path(), "since") > 0, "{what}: back to deltas");
    }
}

#[test]
fn rows_that_are_none_cost_their_own_service_alone() {
    let mut sidecar = Sidecar::standard(7);
    sidecar.put("broken", b"\xff\xff\xff\xffnonsense".to_vec());
    sidecar.put("empty", Vec::new());
    let mut port_zero = packed("zero", &OPEN);
    port_zero.truncate(port_zero.len() - 1);
    sidecar.put("zero", port_zero);
    let mut stage = Stage::following(ENVOY, sidecar);
    for id in ["broken", "empty", "zero"] {
        let stream = stage.send(get(id));
        stage.assert_denied(stream, 404, "unknown-service");
    }
    let open = stage.send(get("open"));
    stage.job(open);
    assert!(stage.host.logs().iter().any(|line| line.message.contains("3 rows")), "{:?}", stage.host.logs());
}

#[test]
fn pages_that_are_none_change_nothing() {
    let good = page(4, 5);
    let mut foreign = good.clone();
    foreign[0] = 9;
    let answers = [
        ("another format", page_answer(foreign)),
        ("cut", page_answer(&good[..good.len() - 1])),
        ("longer", page_answer([&good[..], b"\0"].concat())),
        ("empty", page_answer("")),
        ("garbage", page_answer([0xff; 500])),
        ("no marker", Answer::new(200).body(good.clone())),
        ("a verdict's marker", Answer::new(200).header("x-taskgate-answer", "verdict-v1").body(good.clone())),
        ("marker twice", page_answer(good.clone()).header("x-taskgate-answer", "table-v1")),
        ("another status", Answer::new(500).header("x-taskgate-answer", "table-v1").body(good.clone())),
        ("dispatch failed", page_answer(good.clone()).header(":dispatch_status", "reader failure")),
        ("refused", Answer::refused()),
        ("reset", Answer::reset()),
    ];
    for (what, answer) in answers {
        let mut stage = Stage::ready();
        assert_eq!(stage.sidecar.number, 4);
        let poll = stage.poll().expect("a poll");
        stage.answer(poll.id, answer);
        let stream = stage.send(get("open"));
        assert_ne!(candidates(&stage.job(stream)), [MOVED.jobs[0]; 3], "{what}");
        stage.sidecar.put("open", MOVED.packed());
        stage.follow();
        let stream = stage.send(get("open"));
        assert_eq!(candidates(&stage.job(stream)), [MOVED.jobs[0]; 3], "{what}: it goes on");
    }
}

#[test]
fn a_configuration_that_can_not_be_used_leaves_the_last_one_in_force() {
    let mut stage = Stage::ready();
    stage.sidecar.control.number += 1;
    stage.sidecar.control.gate.base_domains = vec!["not a domain".into()];
    stage.confirm();
    let stream = stage.send(get("open"));
    stage.job(stream);
    stage.sidecar.control.number += 1;
    stage.sidecar.control.gate = GateConfig::for_domain("other.test");
    stage.follow();
    let stream = stage.send(taskgate_test_host::Request::get("open.other.test", "/"));
    stage.job(stream);
}

#[test]
fn another_verdict_epoch_voids_verdicts() {
    let mut stage = Stage::ready();
    let stream = stage.send(with_token("closed", "t"));
    stage.decide(&allow("alice"));
    stage.job(stream);
    stage.sidecar.control.number += 1;
    stage.sidecar.control.verdict_epoch += 1;
    stage.confirm();
    let stream = stage.send(with_token("closed", "t"));
    assert!(stage.vm.outcome(stream).is_paused(), "asked again");
}

#[test]
fn a_verdict_that_was_asked_for_in_the_last_epoch_is_not_kept_in_the_next() {
    let mut stage = Stage::ready();
    stage.send(with_token("closed", "t"));
    stage.sidecar.control.number += 1;
    stage.sidecar.control.verdict_epoch += 1;
    stage.confirm();
    // The sidecar had answered before the change; its answer arrives after it.
    stage.decide(&allow("alice"));
    let stream = stage.send(with_token("closed", "t"));
    assert!(stage.vm.outcome(stream).is_paused(), "a void verdict was kept");
}

#[test]
fn a_key_that_is_gone_opens_nothing() {
    let mut stage = Stage::ready();
    let session = stage.session("closed", 600);
    let request = || get("closed").header("cookie", format!("__Host-taskgate={session}"));
    let stream = stage.send(request());
    stage.job(stream);
    stage.sidecar.rotate(vec![key("k2", 3), key("k1", 2)]);
    stage.confirm();
    let stream = stage.send(request());
    stage.job(stream);
    stage.sidecar.rotate(vec![key("k2", 3)]);
    stage.follow();
    let stream = stage.send(request());
    stage.assert_denied(stream, 401, "credential-missing");
}

// === a sidecar that is away, or too fast ===

/// Answers whatever poll there is, that often without time passing.
fn answer_at_once(stage: &mut Stage, times: usize, mut answer: impl FnMut(&str) -> Answer) -> usize {
    let mut polls = 0;
    while let Some(poll) = stage.poll().filter(|_| polls < times) {
        polls += 1;
        let answer = answer(poll.path());
        stage.answer(poll.id, answer);
    }
    polls
}

fn polls_in(stage: &mut Stage, ticks: usize, mut answer: impl FnMut(&str) -> Answer) -> usize {
    let mut polls = 0;
    for _ in 0..ticks {
        stage.pass(TICK);
        polls += answer_at_once(stage, 50, &mut answer);
    }
    polls
}

#[test]
fn a_sidecar_that_is_away_is_asked_once_a_second_and_found_again() {
    let mut stage = Stage::ready();
    for answer in [Answer::refused(), Answer::reset(), page_answer("garbage")] {
        let polls = polls_in(&mut stage, 600, |_| answer.clone());
        assert!((55..=75).contains(&polls), "{polls} polls in a minute");
        let stream = stage.send(get("open"));
        stage.job(stream);
        let warnings = stage.host.logs().iter().filter(|line| line.message.contains("can't follow")).count();
        assert!(warnings <= 3, "one line an outage, not one a poll: {warnings}");
        stage.sidecar.put("open", MOVED.packed());
        // Found again within the longest pause.
        stage.pass(TICK * 11);
        stage.follow();
        let stream = stage.send(get("open"));
        assert_eq!(candidates(&stage.job(stream)), [MOVED.jobs[0]; 3]);
    }
}

#[test]
fn a_proxy_that_refuses_the_call_is_asked_once_a_second() {
    use taskgate_test_host::{Calls, HostFunction, Status};
    let mut stage = Stage::empty();
    stage.host.fail(HostFunction::HttpCall, Calls::Every, Status::BadArgument);
    stage.pass(Duration::from_secs(60));
    let calls = stage.host.calls(HostFunction::HttpCall);
    assert!((55..=75).contains(&calls), "{calls} calls in a minute");
    stage.host.clear_faults();
    stage.pass(TICK * 11);
    stage.follow();
    let stream = stage.send(get("open"));
    stage.job(stream);
}

#[test]
fn a_sidecar_that_answers_at_once_with_nothing_is_asked_once_a_tick() {
    let mut stage = Stage::ready();
    let sidecar = stage.sidecar.clone();
    let polls = polls_in(&mut stage, 100, |path| page_answer(sidecar.page(path).0));
    assert!(polls <= 101, "{polls} polls in ten seconds");
}

#[test]
fn a_sidecar_that_answers_at_once_with_nothing_whole_is_asked_once_a_tick() {
    let mut stage = Stage::ready();
    let nothing = |path: &str| {
        let since = parameter(path, "since");
        let page = FeedPage {
            epoch: 7,
            from: since,
            to: since,
            last: since,
            reset: false,
            complete: false,
            upserts: Vec::new(),
            removals: Vec::new(),
            control: None,
        };
        page_answer(page.encode().expect("encodes"))
    };
    let polls = polls_in(&mut stage, 20, nothing);
    assert!(polls <= 40, "{polls} polls in two seconds: a page without news is followed by another at once");
}

#[test]
fn a_sidecar_that_has_the_filter_begin_anew_each_time_is_asked_once_a_tick() {
    let mut stage = Stage::ready();
    let row = MOVED.packed();
    let first = FeedPage {
        epoch: 7,
        from: 0,
        to: 1,
        last: 100,
        reset: true,
        complete: false,
        upserts: vec![&row],
        removals: Vec::new(),
        control: None,
    };
    let first = first.encode().expect("encodes");
    let polls = polls_in(&mut stage, 20, |_| page_answer(first.clone()));
    assert!(polls <= 21, "{polls} polls in two seconds");
    // What it had goes on meanwhile.
    let stream = stage.send(get("rpc"));
    stage.job(stream);
}

#[test]
fn two_sidecars_behind_one_name_are_no_busy_loop() {
    let mut stage = Stage::ready();
    let lives = [Sidecar::standard(8), Sidecar::standard(9)];
    let mut turn = 0;
    // Each poll meets the other one, which knows nothing of the life that the filter is in.
    let polls = polls_in(&mut stage, 20, |path| {
        turn += 1;
        page_answer(lives[turn % 2].page(path).0)
    });
    assert!(polls <= 200, "{polls} whole tables in two seconds");
    let stream = stage.send(get("open"));
    stage.job(stream);
}

#[test]
fn a_poll_that_a_host_forgot_is_given_up() {
    let mut stage = Stage::start("cluster = taskgate-sidecar; poll_wait_ms = 1000", Sidecar::standard(7));
    stage.pass(TICK);
    let lost = stage.poll().expect("a poll");
    stage.pass(Duration::from_secs(20));
    let polls: Vec<_> = stage.vm.callouts();
    assert_eq!(polls.len(), 2, "asked anew, once");
    // The lost answer is nobody's: it is not applied behind the new poll's back.
    let (page, _) = stage.sidecar.page(lost.path());
    stage.answer(lost.id, page_answer(page));
    let stream = stage.send(get("open"));
    stage.assert_denied(stream, 503, "table-loading");
    stage.follow();
    let stream = stage.send(get("open"));
    stage.job(stream);
}

fn with_max_age(secs: u64) -> Stage {
    let mut sidecar = Sidecar::standard(7);
    sidecar.control.gate.table_max_age_secs = secs;
    Stage::following(ENVOY, sidecar)
}

#[test]
fn without_a_word_from_the_sidecar_the_table_serves_until_it_is_too_old() {
    let mut stage = with_max_age(60);
    let session = stage.session("closed", 600);
    let known = stage.send(with_token("closed", "t"));
    stage.decide(&allow("alice"));
    stage.job(known);
    let away = |_: &str| Answer::refused();
    polls_in(&mut stage, 590, away);
    for request in [get("open"), with_token("closed", &session)] {
        let stream = stage.send(request);
        stage.job(stream);
    }
    polls_in(&mut stage, 20, away);
    for request in [get("open"), with_token("closed", "t"), with_token("closed", &session)] {
        let stream = stage.send(request);
        stage.assert_denied(stream, 503, "table-expired");
    }
    let unknown = stage.send(get("unknown"));
    assert_eq!(stage.vm.upstream(unknown), None);
    stage.pass(TICK * 11);
    let poll = stage.poll().expect("a poll");
    let (page, _) = stage.sidecar.page(poll.path());
    stage.answer(poll.id, page_answer(page));
    let stream = stage.send(get("open"));
    stage.job(stream);
}

#[test]
fn an_empty_page_keeps_the_table_alive() {
    let mut stage = with_max_age(60);
    for _ in 0..6 {
        stage.pass(Duration::from_secs(30));
        stage.confirm();
        stage.pass(TICK);
    }
    let stream = stage.send(get("open"));
    stage.job(stream);
}

#[test]
fn clock_jumps_neither_expire_a_table_nor_keep_it() {
    const HOURS: u64 = 5 * 3_600 * 1_000_000_000;
    for ahead in [true, false] {
        let mut stage = with_max_age(60);
        let asked = stage.send(with_token("closed", "t"));
        stage.decide(&allow("alice"));
        stage.job(asked);
        let now = stage.host.now_ns();
        stage.host.set_now_ns(if ahead { now + HOURS } else { now - HOURS });
        for request in [get("open"), with_token("closed", "t")] {
            let stream = stage.send(request);
            stage.job(stream);
        }
        assert!(stage.questions().is_empty(), "the verdict is still fresh");
        stage.pass(Duration::from_secs(40));
        let stream = stage.send(get("open"));
        stage.job(stream);
        stage.pass(Duration::from_secs(25));
        let stream = stage.send(get("open"));
        stage.assert_denied(stream, 503, "table-expired");
        stage.assert_alive();
    }
}

#[test]
fn a_clock_that_swings_keeps_nothing_for_ever() {
    let mut stage = with_max_age(60);
    let start = stage.host.now_ns();
    for nth in 0..1_000_u64 {
        let swing = if nth % 2 == 0 { 0 } else { 3_600 * 1_000_000_000 };
        stage.host.set_now_ns(start + nth * 100_000_000 + swing);
        stage.vm.tick(stage.root);
    }
    let stream = stage.send(get("open"));
    stage.assert_denied(stream, 503, "table-expired");
}

#[test]
fn sealed_tokens_end_by_the_wall_clock() {
    let mut stage = Stage::ready();
    let session = stage.session("closed", 60);
    let request = || get("closed").header("cookie", format!("__Host-taskgate={session}"));
    let stream = stage.send(request());
    stage.job(stream);
    stage.host.advance(Duration::from_secs(61));
    let stream = stage.send(request());
    stage.assert_denied(stream, 401, "session-ended");
}

#[test]
fn a_clock_that_fails_revives_no_session() {
    use taskgate_test_host::{Calls, HostFunction, Status};
    let mut stage = Stage::ready();
    let session = stage.session("closed", -60);
    let request = || get("closed").header("cookie", format!("__Host-taskgate={session}"));
    let stream = stage.send(request());
    stage.assert_denied(stream, 401, "session-ended");
    stage.host.fail(HostFunction::GetCurrentTime, Calls::Every, Status::InternalFailure);
    let stream = stage.send(request());
    assert_eq!(stage.vm.upstream(stream), None, "an ended session got in while the proxy's clock failed");
}
