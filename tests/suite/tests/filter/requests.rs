//! One request at a time: what reaches the job, what the client is told, and what it costs.

use taskgate_test_host::{HostFunction, Request};

use super::stage::{CLOSED, DOMAIN, RPC, Stage, allow, candidates, deny, get, with_token};

#[test]
fn without_a_table_every_request_is_told_to_come_back() {
    let mut stage = Stage::empty();
    for request in [get("open"), with_token("closed", "t"), get("unknown"), Request::get("elsewhere.test", "/")] {
        let stream = stage.send(request);
        stage.assert_denied(stream, 503, "table-loading");
        let reply = stage.vm.outcome(stream).reply().cloned().expect("a reply");
        assert_eq!(reply.headers.text("retry-after"), Some("1"));
    }
    assert!(stage.questions().is_empty());
}

#[test]
fn a_job_gets_candidates_and_identity_and_no_secret() {
    let mut stage = Stage::ready();
    let request = with_token("closed", "s3cret-token")
        .header("cookie", "a=1; YTCypressCookie=s3cret-cookie; b=2")
        .header("cookie", "__Host-taskgate=s3cret-session")
        .header("x-forwarded-user", "root")
        .header("X-Forwarded-Groups", "wheel")
        .header("x-taskgate-up1", "6.6.6.6:1")
        .header("x_taskgate_up2", "6.6.6.6:1")
        .header("x-taskgate-protocol", "h2")
        .header("x-yt-taskproxy-id", "closed")
        .header("x-yt-user-name", "root")
        .header("accept", "*/*")
        .header("x-mine", "kept");
    let stream = stage.send(request);
    assert!(stage.vm.outcome(stream).is_paused());
    let (_, query) = stage.question();
    assert_eq!((query.service.as_str(), query.credential.value.as_str()), ("closed", "s3cret-token"));
    stage.decide(&allow("alice"));

    let job = stage.job(stream);
    let mut names: Vec<String> = job.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    names.sort();
    let expected = [
        ":authority",
        ":method",
        ":path",
        ":scheme",
        "accept",
        "cookie",
        "x-forwarded-email",
        "x-forwarded-groups",
        "x-forwarded-user",
        "x-mine",
        "x-taskgate-up1",
        "x-taskgate-up2",
        "x-taskgate-up3",
    ];
    assert_eq!(names, expected);
    assert_eq!(job.text("cookie"), Some("a=1; b=2"));
    assert_eq!(job.text("x-forwarded-user"), Some("alice"));
    assert_eq!(job.text("x-forwarded-email"), Some("alice@example.test"));
    assert_eq!(job.text("x-forwarded-groups"), Some("ml,ops"));
    assert!(!format!("{job:?}").contains("s3cret"), "{job:?}");
    let slots = candidates(&job);
    assert!(slots.iter().all(|slot| CLOSED.jobs.contains(&slot.as_str())), "{slots:?}");
    assert_ne!(slots[0], slots[1]);
    assert_eq!(slots[0], slots[2], "slots are filled cyclically");
}

#[test]
fn secrets_are_not_logged() {
    let mut stage = Stage::ready();
    let stream = stage.send(with_token("closed", "s3cret").header("cookie", "YTCypressCookie=s3cret"));
    stage.decide(&allow("alice"));
    stage.job(stream);
    stage.send(with_token("closed", "tg1.s.k1.s3cret"));
    let logs = format!("{:?}", stage.host.logs());
    assert!(!logs.contains("s3cret") && !logs.contains("[2, 2, 2"), "{logs}");
}

#[test]
fn a_public_service_needs_no_credential_and_tells_no_identity() {
    let mut stage = Stage::ready();
    let stream = stage.send(get("open").header("x-forwarded-user", "root"));
    let job = stage.job(stream);
    assert!(!job.contains("x-forwarded-user") && !job.contains("x-taskgate-protocol"));
    assert!(stage.questions().is_empty());
}

#[test]
fn a_session_is_believed_without_asking() {
    let mut stage = Stage::ready();
    let session = stage.session("closed", 60);
    let stream = stage.send(get("closed").header("cookie", format!("__Host-taskgate={session}")));
    let job = stage.job(stream);
    assert_eq!(job.text("x-forwarded-user"), Some("sam"));
    assert!(!job.contains("cookie"));
    let other = stage.send(get("other").header("cookie", format!("__Host-taskgate={session}")));
    stage.assert_denied(other, 401, "credential-missing");
    assert!(stage.questions().is_empty());
}

#[test]
fn refusals_say_why_and_reach_no_job() {
    let mut stage = Stage::ready();
    for (request, status, code) in [
        (get("closed"), 401, "credential-missing"),
        (get("unknown"), 404, "unknown-service"),
        (Request::get(DOMAIN, "/"), 404, "address-missing"),
        (get("closed").header("x-yt-taskproxy-id", "open"), 400, "conflicting-address"),
        (
            get("closed").header("authorization", "Bearer a").header("authorization", "Bearer b"),
            400,
            "malformed-credential",
        ),
        (with_token("closed", "tg1.s.k1.AAAA"), 401, "credential-rejected"),
    ] {
        let stream = stage.send(request);
        stage.assert_denied(stream, status, code);
    }
    assert!(stage.questions().is_empty());
    let stream = stage.send(with_token("closed", "t"));
    stage.decide(&deny());
    stage.assert_denied(stream, 403, "access-denied");
    let again = stage.send(with_token("closed", "t"));
    stage.assert_denied(again, 403, "access-denied");
    assert!(stage.questions().is_empty(), "a no is remembered");
}

#[test]
fn a_request_is_read_once_and_decided_in_few_calls() {
    let mut stage = Stage::ready();
    let asked = stage.send(with_token("closed", "t"));
    stage.decide(&allow("alice"));
    stage.job(asked);
    let session = stage.session("closed", 60);
    let requests = [
        ("public", get("open"), 11),
        ("cached verdict", with_token("closed", "t"), 16),
        ("session", with_token("closed", &session), 16),
        ("refused", get("closed"), 7),
    ];
    for (what, request, most) in requests {
        stage.host.reset_calls();
        let stream = stage.send(request);
        assert!(!stage.vm.outcome(stream).is_paused(), "{what}");
        let calls = |function| stage.host.calls(function);
        assert_eq!(calls(HostFunction::GetHeaderMapPairs), 1, "{what}");
        assert_eq!(calls(HostFunction::GetHeaderMapValue) + calls(HostFunction::GetProperty), 0, "{what}");
        assert_eq!(calls(HostFunction::GetSharedData) + calls(HostFunction::HttpCall), 0, "{what}");
        assert!(stage.host.total_calls() <= most, "{what}: {} calls", stage.host.total_calls());
    }
}

#[test]
fn grpc_clients_get_a_grpc_status() {
    let mut stage = Stage::ready();
    let grpc = |request: Request| request.header("content-type", "application/grpc");
    for (request, status) in [(get("closed"), 16), (get("unknown"), 5)] {
        let stream = stage.send(grpc(request));
        let reply = stage.vm.outcome(stream).reply().cloned().expect("a reply");
        assert_eq!(reply.grpc_status, Some(status));
        assert!(!reply.headers.contains("content-type"));
    }
    let stream = stage.send(grpc(with_token("closed", "t")));
    stage.decide(&deny());
    assert_eq!(stage.vm.outcome(stream).reply().and_then(|reply| reply.grpc_status), Some(7));
    let stream = stage.send(get("closed"));
    assert_eq!(stage.vm.outcome(stream).reply().expect("a reply").grpc_status, None, "not a gRPC client");
}

#[test]
fn a_job_that_speaks_http2_is_said_to() {
    let mut stage = Stage::ready();
    let stream = stage.send(get("rpc"));
    let job = stage.job(stream);
    assert_eq!(job.text("x-taskgate-protocol"), Some("h2"));
    assert_eq!(candidates(&job), [RPC.jobs[0]; 3]);
}

#[test]
fn requests_and_denials_are_counted() {
    let mut stage = Stage::ready();
    for request in [get("open"), get("open"), get("closed")] {
        stage.send(request);
    }
    assert_eq!(stage.host.metric("taskgate.requests.permitted"), Some(2));
    assert_eq!(stage.host.metric("taskgate.requests.denied.credential-missing"), Some(1));
    assert_eq!(stage.host.metric("taskgate.verdicts.asked"), Some(0));
    stage.pass(super::stage::TICK);
    assert_eq!(stage.host.metric("taskgate.table.services"), Some(4));
}

#[test]
fn connect_clients_get_an_error_of_connect() {
    let mut stage = Stage::ready();
    let stream = stage.send(get("closed").header("content-type", "application/json"));
    let problem = stage.vm.outcome(stream).reply().cloned().expect("a reply");
    assert!(
        problem.headers.contains("content-type") && problem.body.starts_with(br#"{"type""#),
        "not a Connect client"
    );
    let connect = get("closed").header("content-type", "application/json").header("connect-protocol-version", "1");
    let stream = stage.send(connect);
    let reply = stage.vm.outcome(stream).reply().cloned().expect("a reply");
    assert_eq!((reply.status, reply.grpc_status), (401, None));
    assert!(reply.body.starts_with(br#"{"code":"unauthenticated","message":"credential-missing: "#));
}
