//! Inputs that nobody meant well: headers of any bytes and any size, configurations of any kind.

use taskgate_test_host::{Calls, Corruption, HostError, HostFunction, Request};

use super::stage::{
    DOMAIN, ENVOY, NGINX, Sidecar, Stage, TICK, allow, filter, get, host, reloading, wasmx_filter, with_token,
};

#[test]
fn a_cookie_that_is_no_text_passes_byte_for_byte() {
    let mut stage = Stage::ready();
    let cookie = b"a=\xff\xfe\x80; YTCypressCookie=\xc3; b=\x01".to_vec();
    let stream = stage.send(get("open").header("cookie", &cookie));
    assert_eq!(stage.job(stream).value("cookie"), Some(&b"a=\xff\xfe\x80; b=\x01"[..]));
    let stream = stage.send(get("closed").header("cookie", &cookie));
    stage.assert_denied(stream, 401, "credential-rejected");
    let stream = stage.send(get("closed").header("authorization", b"Bearer \xff\xff"));
    stage.assert_denied(stream, 401, "credential-rejected");
    let stream = stage.send(get("open").header("x-mine", b"\xff\x00\xff"));
    assert_eq!(stage.job(stream).value("x-mine"), Some(&b"\xff\x00\xff"[..]));
    stage.assert_alive();
}

#[test]
fn every_byte_in_every_place_is_survived() {
    let mut stage = Stage::ready();
    for byte in 0..=255_u8 {
        for name in ["authorization", "cookie", "x-yt-taskproxy-id", "x-yt-taskproxy-operation-id", "content-type"] {
            let stream = stage.send(get("closed").header(name, [b'a', byte, b'b']));
            assert_eq!(stage.vm.upstream(stream), None, "{name} {byte}");
        }
        let host = [&[byte][..], b"closed.", DOMAIN.as_bytes()].concat();
        let request = Request::new([(&b":authority"[..], &host[..]), (b":path", b"/"), (b":method", b"GET")]);
        let stream = stage.send(request);
        assert_eq!(stage.vm.upstream(stream), None, "host with {byte}");
        stage.assert_alive();
    }
}

#[test]
fn many_headers_are_read_and_far_too_many_refused() {
    for (count, permitted) in [(1, true), (500, true), (4_000, true), (4_090, true), (5_000, false), (20_000, false)] {
        let mut stage = Stage::ready();
        let mut request = get("open");
        for nth in 0..count {
            request = request.header(format!("x-h{nth}"), "v");
        }
        let stream = stage.send(request);
        assert_eq!(stage.vm.upstream(stream).is_some(), permitted, "{count}");
        stage.assert_alive();
        if !permitted {
            stage.assert_denied(stream, 503, "proxy-failure");
        }
        let next = stage.send(get("open"));
        stage.job(next);
    }
}

#[test]
fn many_reserved_headers_are_all_removed() {
    let mut stage = Stage::ready();
    let mut request = get("open");
    for nth in 0..3_000 {
        request = request.header(format!("x-taskgate-{nth}"), "v");
    }
    let stream = stage.send(request);
    let job = stage.job(stream);
    let ours = job.iter().filter(|(name, _)| name.starts_with(b"x-taskgate-")).count();
    assert_eq!(ours, 3, "the candidates alone");
    stage.assert_alive();
}

#[test]
fn long_values_are_survived() {
    let long = "x".repeat(60_000);
    for (name, status) in [
        ("x-mine", None),
        ("cookie", None),
        ("accept", None),
        ("authorization", None),
        ("x-forwarded-user", None),
        ("x-yt-taskproxy-id", Some(400)),
    ] {
        let mut stage = Stage::ready();
        let stream = stage.send(get("open").header(name, &long));
        assert_eq!(stage.vm.outcome(stream).status(), status, "{name}");
        stage.assert_alive();
    }
    let mut stage = Stage::ready();
    let stream = stage.send(with_token("closed", &long));
    stage.assert_denied(stream, 401, "credential-rejected");
    let stream = stage.send(with_token("closed", &format!("tg1.s.k1.{long}")));
    stage.assert_denied(stream, 401, "credential-rejected");
    let stream = stage.send(Request::get(&format!("{long}.{DOMAIN}"), "/"));
    stage.assert_denied(stream, 400, "malformed-address");
    let stream = stage.send(Request::get(&format!("open.{DOMAIN}"), &format!("/{long}")));
    stage.job(stream);
    let cookies = "a=b; ".repeat(12_000);
    let stream = stage.send(get("open").header("cookie", cookies + "YTCypressCookie=s3cret"));
    assert!(!format!("{:?}", stage.job(stream)).contains("s3cret"));
    stage.assert_alive();
}

#[test]
fn no_headers_at_all_are_survived() {
    let mut stage = Stage::ready();
    let stream = stage.send(Request::new(taskgate_test_host::Headers::new()));
    assert_eq!(stage.vm.upstream(stream), None);
    stage.assert_alive();
}

#[test]
fn header_bytes_that_are_no_list_are_refused() {
    let mut stage = Stage::ready();
    let session = stage.session("closed", 600);
    for length in 0..200 {
        stage.host.corrupt(HostFunction::GetHeaderMapPairs, Calls::Nth(1), Corruption::Truncate(length));
        let stream = stage.send(with_token("closed", &session));
        stage.host.clear_faults();
        if length < 150 {
            stage.assert_denied(stream, 503, "proxy-failure");
        }
        stage.assert_alive();
    }
}

// === configurations ===

const UNUSABLE: [&[u8]; 4] = [
    b"cluster =",
    b"cluster = a; max_waiting = 0",
    b"cluster = a; max_waiting = -1",
    b"cluster = a; verdict_timeout_ms = 99999999999999999999",
];

#[test]
fn envoy_hears_of_a_configuration_that_is_none() {
    for text in UNUSABLE {
        let host = host(ENVOY);
        let mut vm = host.vm_with(&filter(), reloading()).expect("links");
        let result = vm.add_plugin(text);
        assert!(matches!(result, Err(HostError::Declined { callback: "proxy_on_configure" })), "{result:?}");
        assert!(host.logs().iter().any(|line| line.message.contains("configuration")), "{:?}", host.logs());
    }
}

#[test]
fn on_nginx_a_configuration_that_is_none_refuses_every_request() {
    let texts: [&[u8]; 7] = [
        b"",
        b"adress = 127.0.0.1:1",
        b"\xff\xfe\x00",
        b"address = 127.0.0.1:1; nonsense",
        b"address =",
        b"address = 127.0.0.1:1; max_waiting = 0",
        b"address = 127.0.0.1:1; secret = \xff",
    ];
    for text in texts {
        let host = host(NGINX);
        let mut vm = host.vm_with(&wasmx_filter(), reloading()).expect("links");
        let root = vm.add_plugin(text).expect("a worker that does not start is not started again");
        let mut stage = Stage { host, vm, root, sidecar: Sidecar::standard(7) };
        for request in [get("open"), with_token("closed", "t"), get("unknown")] {
            let stream = stage.send(request);
            assert_eq!(stage.denial(stream), (503, "proxy-failure".into()));
            assert_eq!(stage.vm.property(stream, &["ngx", "tg_upstream"]).as_deref(), Some(&b""[..]));
        }
        stage.vm.tick(root);
        stage.assert_alive();
    }
}

#[test]
fn the_configuration_can_stand_in_the_vms_part() {
    let host = host(ENVOY);
    let options = taskgate_test_host::VmOptions { vm_configuration: ENVOY.into(), ..reloading() };
    let mut vm = host.vm_with(&filter(), options).expect("links");
    let root = vm.add_plugin("").expect("starts");
    let mut stage = Stage { host, vm, root, sidecar: Sidecar::standard(7) };
    stage.follow();
    let stream = stage.send(get("open"));
    stage.job(stream);
    // Another use of the filter in the same VM shares what is known.
    let second = stage.vm.add_plugin("").expect("starts");
    stage.root = second;
    let stream = stage.send(get("open"));
    stage.job(stream);
    stage.pass(TICK);
    let waiting = stage.send(with_token("closed", "t"));
    stage.decide(&allow("alice"));
    stage.job(waiting);
}

#[test]
fn the_sidecars_secret_goes_with_every_call() {
    let mut stage = Stage::following("cluster = taskgate-sidecar; secret = s3cret", Sidecar::standard(7));
    stage.send(with_token("closed", "t"));
    let calls = stage.vm.callouts();
    assert_eq!(calls.len(), 2);
    for call in calls {
        assert_eq!(call.headers.text("x-taskgate-internal"), Some("s3cret"));
    }
    assert!(!format!("{:?}", stage.host.logs()).contains("s3cret"));
}
