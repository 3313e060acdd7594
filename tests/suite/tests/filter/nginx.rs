//! NGINX with `WasmX`: variables and no header edits, one question a request, the tick alone refreshes.

use std::time::Duration;

use taskgate_test_host::{Answer, HostFunction, Outcome, Request, StreamId};

use super::stage::{
    CLOSED, DOMAIN, NGINX, OPEN, RPC, Sidecar, Stage, TICK, allow, get, packed, wasmx_conf, with_token,
};

fn variable(stage: &Stage, stream: StreamId, name: &str) -> Option<String> {
    stage.vm.property(stream, &["ngx", name]).map(|value| String::from_utf8_lossy(&value).into_owned())
}

/// Where NGINX would send the request.
fn upstream(stage: &Stage, stream: StreamId) -> Option<String> {
    variable(stage, stream, "tg_upstream").filter(|upstream| !upstream.is_empty())
}

#[test]
fn a_permitted_request_gets_variables_and_the_configuration_makes_headers_of_them() {
    let mut stage = Stage::nginx();
    let request = with_token("closed", "t")
        .header("cookie", "a=1; YTCypressCookie=s3cret; b=2")
        .header("x-forwarded-user", "root")
        .header("x-taskgate-up1", "6.6.6.6:1");
    stage.host.reset_calls();
    let stream = stage.send(request);
    assert!(stage.vm.outcome(stream).is_paused());
    assert_eq!(upstream(&stage, stream), None);
    stage.decide(&allow("alice"));
    let Outcome::Continued { headers } = stage.vm.outcome(stream) else { panic!("{:?}", stage.vm.outcome(stream)) };

    let upstream = variable(&stage, stream, "tg_upstream").expect("an upstream");
    let next = variable(&stage, stream, "tg_next").expect("another");
    assert!(CLOSED.jobs.contains(&upstream.as_str()) && CLOSED.jobs.contains(&next.as_str()) && upstream != next);
    for (name, value) in [
        ("tg_user", "alice"),
        ("tg_email", "alice@example.test"),
        ("tg_groups", "ml,ops"),
        ("tg_authorization", ""),
        ("tg_cookie", "a=1; b=2"),
    ] {
        assert_eq!(variable(&stage, stream, name).as_deref(), Some(value), "{name}");
    }
    let destination = stage.vm.destination(stream).expect("a destination");
    assert_eq!((destination.address, destination.http2), (upstream, false));
    for (name, value) in [
        ("x-taskgate-up1", None),
        ("authorization", None),
        ("cookie", Some("a=1; b=2")),
        ("x-forwarded-user", Some("alice")),
        ("x-forwarded-email", Some("alice@example.test")),
    ] {
        assert_eq!(headers.text(name), value, "{name}");
    }
    for function in [
        HostFunction::RemoveHeaderMapValue,
        HostFunction::ReplaceHeaderMapValue,
        HostFunction::AddHeaderMapValue,
        HostFunction::SetEffectiveContext,
    ] {
        assert_eq!(stage.host.calls(function), 0, "{}", function.name());
    }
    stage.assert_alive();
}

#[test]
fn the_upstream_is_the_last_variable() {
    use taskgate_test_host::{Calls, Status};
    for nth in 1..=11 {
        let mut stage = Stage::nginx();
        let session = stage.session("closed", 60);
        stage.host.fail(HostFunction::SetProperty, Calls::Nth(nth), Status::InternalFailure);
        let stream = stage.send(with_token("closed", &session).header("cookie", "__Host-taskgate=x"));
        stage.host.clear_faults();
        assert_eq!(upstream(&stage, stream), None, "variable {nth} failed");
        assert_eq!(stage.denial(stream), (503, "proxy-failure".into()), "variable {nth} failed");
    }
}

#[test]
fn a_variable_that_is_not_declared_is_noticed() {
    let host = taskgate_test_host::Host::new(taskgate_test_host::Flavour::WasmX);
    for name in wasmx_conf().variables().filter(|name| *name != "tg_groups") {
        host.declare_variable(name);
    }
    let (vm, root) = super::stage::worker(&host, NGINX);
    let mut stage = Stage { host, vm, root, sidecar: Sidecar::standard(7) };
    stage.follow();
    let stream = stage.send(get("open"));
    assert_eq!(stage.denial(stream), (503, "proxy-failure".into()));
    assert_eq!(upstream(&stage, stream), None);
}

#[test]
fn variables_of_a_visitor_without_a_name_are_empty() {
    let mut stage = Stage::nginx();
    let stream = stage.send(get("open").header("x-forwarded-user", "root"));
    assert!(stage.vm.outcome(stream).continued().is_some());
    for name in ["tg_user", "tg_email", "tg_groups"] {
        assert_eq!(variable(&stage, stream, name).as_deref(), Some(""), "{name}");
    }
    assert!(OPEN.jobs.contains(&variable(&stage, stream, "tg_upstream").expect("an upstream").as_str()));
}

#[test]
fn the_host_header_names_the_service_and_authority_does_not() {
    let mut stage = Stage::nginx();
    let stream = stage.send(Request::new([
        ("host", format!("open.{DOMAIN}")),
        (":path", "/".into()),
        (":method", "GET".into()),
    ]));
    assert!(upstream(&stage, stream).is_some());
    let none = stage.send(Request::new([(":path", "/"), (":method", "GET")]));
    assert_eq!(stage.denial(none), (404, "address-missing".into()));
}

#[test]
fn refusals_set_no_upstream() {
    let mut stage = Stage::nginx();
    for (request, status) in [(get("closed"), 401), (get("unknown"), 404), (with_token("closed", "tg1.s.k1.x"), 401)] {
        let stream = stage.send(request);
        assert_eq!(stage.vm.outcome(stream).status(), Some(status));
        assert_eq!(upstream(&stage, stream), None);
    }
    stage.assert_alive();
}

#[test]
fn every_request_asks_for_itself() {
    let mut stage = Stage::nginx();
    let streams: Vec<StreamId> = (0..5).map(|_| stage.send(with_token("closed", "t"))).collect();
    let questions = stage.questions();
    assert_eq!(questions.len(), 5);
    for (stream, question) in streams.iter().zip(&questions) {
        assert!(stage.vm.outcome(*stream).is_paused());
        stage.answer(question.id, super::stage::verdict_answer(&allow("alice")));
        assert!(upstream(&stage, *stream).is_some());
    }
    let cached = stage.send(with_token("closed", "t"));
    assert!(upstream(&stage, cached).is_some());
    assert!(stage.questions().is_empty());
    stage.assert_alive();
}

#[test]
fn an_answer_decides_the_request_that_asked_and_no_other() {
    let mut stage = Stage::nginx();
    let first = stage.send(with_token("closed", "a"));
    let second = stage.send(with_token("closed", "b"));
    let questions = stage.questions();
    stage.answer(questions[1].id, super::stage::verdict_answer(&super::stage::deny()));
    assert_eq!(stage.vm.outcome(second).status(), Some(403));
    assert!(stage.vm.outcome(first).is_paused());
    stage.answer(questions[0].id, super::stage::verdict_answer(&allow("alice")));
    assert_eq!(variable(&stage, first, "tg_user").as_deref(), Some("alice"));
    assert_eq!(upstream(&stage, second), None);
    stage.assert_alive();
}

#[test]
fn the_table_is_polled_on_the_tick_alone() {
    let mut sidecar = Sidecar::new(7);
    for nth in 0..30 {
        let id = format!("s{nth}");
        sidecar.put(&id, packed(&id, &OPEN));
    }
    sidecar.page_rows = 10;
    let mut stage = Stage::start(NGINX, sidecar);
    assert!(stage.poll().is_none(), "not while it starts");
    for _ in 0..3 {
        stage.pass(TICK);
        stage.confirm();
        assert!(stage.poll().is_none(), "not from within the answer");
    }
    let stream = stage.send(get("s29"));
    assert!(upstream(&stage, stream).is_some());
    assert!(stage.poll().is_none(), "not from within a request");
    stage.assert_alive();
}

#[test]
fn the_tick_is_set_once() {
    let mut stage = Stage::nginx();
    stage.pass(Duration::from_secs(5));
    assert_eq!(stage.host.calls(HostFunction::SetTickPeriod), 1);
    assert_eq!(stage.vm.tick_period(stage.root), Some(TICK));
    stage.assert_alive();
}

#[test]
fn a_timeout_is_no_verdict() {
    let mut stage = Stage::nginx();
    let stream = stage.send(with_token("closed", "t"));
    stage.vm.run(Duration::from_secs(2));
    assert_eq!(stage.denial(stream), (503, "verdict-unavailable".into()));
    assert_eq!(upstream(&stage, stream), None);
    stage.assert_alive();
}

#[test]
fn a_client_that_leaves_while_it_waits_does_not_hurt_the_worker() {
    let mut stage = Stage::nginx();
    let stream = stage.send(with_token("closed", "t"));
    stage.vm.disconnect(stream);
    assert!(stage.questions().is_empty(), "its question went with it");
    for _ in 0..100 {
        stage.host.advance(TICK);
        stage.vm.tick(stage.root);
        assert_eq!(stage.host.crash(), None, "the tick answered a request that is gone");
    }
    let next = stage.send(with_token("closed", "t"));
    assert!(stage.vm.outcome(next).is_paused());
    stage.decide(&allow("alice"));
    assert!(upstream(&stage, next).is_some());
}

#[test]
fn an_answer_that_never_comes_does_not_hurt_the_worker() {
    let mut stage = Stage::nginx();
    let stream = stage.send(with_token("closed", "t"));
    for _ in 0..100 {
        stage.host.advance(TICK);
        stage.vm.tick(stage.root);
        assert_eq!(stage.host.crash(), None, "the tick answered a request of another context");
    }
    assert_eq!(upstream(&stage, stream), None);
}

#[test]
fn a_credential_in_the_query_is_refused_since_the_path_stays() {
    let mut sidecar = Sidecar::standard(7);
    sidecar.control.gate.query_parameters = vec!["token".into()];
    let mut stage = Stage::following(NGINX, sidecar);
    let target = format!("closed.{DOMAIN}");
    let request =
        [(":authority", target.as_str()), (":path", "/x?token=s3cret"), (":method", "POST"), (":scheme", "http")];
    let stream = stage.send(Request::new(request));
    assert_eq!(stage.denial(stream), (400, "unsupported-credential".into()));
    assert!(stage.questions().is_empty());
}

#[test]
fn the_mirror_works_there_too() {
    let mut stage = Stage::nginx();
    stage.mirror();
    stage.reload();
    let stream = stage.send(get("open"));
    assert!(upstream(&stage, stream).is_some());
    assert!(stage.vm.callouts().is_empty());
    stage.sidecar.put("open", packed("open", &RPC));
    stage.follow();
    stage.mirror();
    stage.reload();
    let stream = stage.send(get("open"));
    assert_eq!(variable(&stage, stream, "tg_upstream").as_deref(), Some(RPC.jobs[0]), "values are replaced there too");
}

#[test]
fn a_sidecar_that_is_away_changes_nothing() {
    let mut stage = Stage::nginx();
    for _ in 0..100 {
        stage.pass(TICK);
        if let Some(poll) = stage.poll() {
            stage.answer(poll.id, Answer::reset());
        }
    }
    let stream = stage.send(get("open"));
    assert!(upstream(&stage, stream).is_some());
    stage.assert_alive();
}

#[test]
fn a_path_is_judged_as_the_job_gets_it() {
    // NGINX shows a filter `/.taskgate/sign-out` for each of these, and would send the job something else.
    for path in ["/%2Etaskgate/sign-out", "/a/../.taskgate/sign-out", "//.taskgate/sign-out"] {
        let mut stage = Stage::nginx();
        let stream = stage.send(Request::get(&format!("open.{DOMAIN}"), path));
        assert!(OPEN.jobs.contains(&upstream(&stage, stream).expect("an upstream").as_str()), "{path}");
        assert_eq!(stage.job(stream).text(":path"), Some(path));
    }
}

#[test]
fn a_request_with_more_headers_than_are_shown_is_refused() {
    let mut stage = Stage::nginx();
    let many = |count: usize| (0..count).fold(get("open"), |request, nth| request.header(format!("a{nth}"), "x"));
    let stream = stage.send(many(94));
    assert!(upstream(&stage, stream).is_some());
    let stream = stage.send(many(95));
    assert_eq!(stage.denial(stream), (431, "headers-too-large".into()));
    assert_eq!(upstream(&stage, stream), None);
}

#[test]
fn a_grpc_service_is_reached_over_http2_and_a_grpc_client_is_told_so_in_grpc() {
    let mut stage = Stage::nginx();
    let stream = stage.send(get("rpc"));
    let destination = stage.vm.destination(stream).expect("a destination");
    assert_eq!((destination.address.as_str(), destination.http2), (RPC.jobs[0], true));
    let refused = stage.send(get("unknown").header("content-type", "application/grpc"));
    let Outcome::Replied(reply) = stage.vm.outcome(refused) else { panic!("not refused") };
    assert_eq!((reply.status, reply.headers.text("grpc-status")), (200, Some("5")));
    assert!(reply.headers.text("grpc-message").is_some_and(|message| message.starts_with("unknown-service: ")));
    assert_eq!((reply.body.as_slice(), reply.details.as_str()), (&b""[..], ""));
}

#[test]
fn what_was_decided_is_in_variables_for_the_log() {
    let mut stage = Stage::nginx();
    let stream = stage.send(with_token("closed", "t"));
    stage.decide(&allow("alice"));
    for (name, value) in [
        ("tg_service", "closed"),
        ("tg_level", "can_read"),
        ("tg_rule", "verdict"),
        ("tg_actor", "alice"),
        ("tg_denial", ""),
    ] {
        assert_eq!(variable(&stage, stream, name).as_deref(), Some(value), "{name}");
    }
    let refused = stage.send(get("closed"));
    for (name, value) in [("tg_service", "closed"), ("tg_rule", ""), ("tg_denial", "credential-missing")] {
        assert_eq!(variable(&stage, refused, name).as_deref(), Some(value), "{name}");
    }
}

#[test]
fn a_failing_filter_sends_requests_nowhere() {
    use taskgate_test_host::{Calls, Headers};
    let mut stage = Stage::nginx();
    let waiting = stage.send(with_token("closed", "t"));
    stage.host.trap(HostFunction::GetHeaderMapPairs, Calls::Every);
    let (question, _) = stage.question();
    let _: taskgate_test_host::Delivery = stage.vm.answer(question, super::stage::verdict_answer(&allow("alice")));
    stage.host.clear_faults();
    assert_eq!(stage.vm.outcome(waiting), Outcome::Nowhere, "WasmX lets it go on after a trap; there is no address");

    // In the phase of the answer, what a job says passes as it is.
    let mut stage = Stage::nginx();
    let stream = stage.send(get("open"));
    stage.host.trap(HostFunction::GetHeaderMapValue, Calls::Every);
    let answer = Headers::from([(":status", "200"), ("set-cookie", "a=1")]);
    stage.vm.response_headers(stream, answer, false);
    assert_eq!(stage.host.crash(), None);
}
