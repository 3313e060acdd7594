//! More of what was measured on WasmX: what it must have, what it hides, and what it dies of.

use std::time::Duration;

use taskgate_test_host::{
    Answer, Delivery, FilterModule, Flavour, Headers, Host, HostError, NginxConf, Outcome, Request,
};

use crate::guest::{TestResult, WAITS_UNDER_STREAM, bare_binary, messages, refusal, start_on, wasmx};

const CONF: &str = r#"
    wasm { module guest guest.wasm; shm_kv * 1m; }
    http {
        proxy_wasm_request_headers_in_access on;
        map $mode $plain { volatile; default $user; h2 ""; }
        map $mode $other { volatile; default ""; h2 $user; }
        server {
            set $user ""; set $mode ""; set $kept $http_cookie;
            proxy_set_header X-User $user; proxy_set_header Cookie $kept; proxy_set_header X-Own $scheme;
            grpc_set_header X-User $user;
            add_header Set-Cookie $kept always;
            location / { proxy_wasm guest 'a = b'; error_page 500 = @elsewhere; proxy_pass http://$plain; }
            location @elsewhere { grpc_pass grpc://$other; }
        }
    }"#;

const SETS_USER: &str = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $set_property (i32.const 1128) (i32.const 8) (i32.const 1056) (i32.const 5))) (i32.const 0))"#;

const WAITS: &str = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      (drop (call $dispatch)) (i32.const 1))
    (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
      (call $show_header (i32.const 6) (i32.const 1140) (i32.const 16))
      (drop (call $deny)))"#;

fn configured(conf: &str) -> Result<Host, String> {
    let host = Host::new(Flavour::WasmX);
    host.add_cluster("sidecar");
    host.configure_nginx(&NginxConf::parse(conf)?);
    Ok(host)
}

#[test]
fn the_configuration_makes_headers_and_a_way_of_variables() -> TestResult {
    let (_, mut vm, root) = start_on(&configured(CONF)?, SETS_USER)?;
    let request =
        Request::get("a.example", "/a%2Fb").header("x-user", "eve").header("x-user", "eve").header("x-own", "1");
    let stream = vm.request(root, request.header("cookie", "a").header("cookie", "b").header("x_user", "eve"));
    let destination = vm.destination(stream).ok_or("went nowhere")?;
    assert_eq!((destination.address.as_str(), destination.http2), ("alice", false));
    let upstream = vm.upstream(stream).ok_or("went nowhere")?;
    assert_eq!(upstream.values("x-user").collect::<Vec<_>>(), [b"alice"]);
    assert_eq!((upstream.text("cookie"), upstream.text("x-own")), (Some("a; b"), Some("1")));
    assert_eq!((upstream.text("x_user"), upstream.text(":path")), (None, Some("/a%2Fb")));
    let answered = vm.response_headers(stream, Headers::from([(":status", "200")]), true);
    let answered = answered.continued().ok_or("no answer")?;
    assert_eq!(answered.text("set-cookie"), Some("a; b"));
    Ok(())
}

#[test]
fn a_request_without_an_address_goes_nowhere() -> TestResult {
    let (_, mut vm, root) = start_on(&configured(CONF)?, "")?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert_eq!((vm.outcome(stream), vm.upstream(stream)), (Outcome::Nowhere, None));
    Ok(())
}

#[test]
fn a_removed_header_comes_back_in_spite_of_the_configuration() -> TestResult {
    let removes = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $remove (i32.const 0) (i32.const 1048) (i32.const 6)))
        (drop (call $set_property (i32.const 1128) (i32.const 8) (i32.const 1056) (i32.const 5))) (i32.const 0))"#;
    let (_, mut vm, root) = start_on(&configured(CONF)?, removes)?;
    let stream = vm.request(root, Request::get("a", "/").header("x-user", "eve"));
    let upstream = vm.upstream(stream).ok_or("went nowhere")?;
    assert_eq!(upstream.values("x-user").collect::<Vec<_>>(), [&b"alice"[..], b"eve"]);
    Ok(())
}

#[test]
fn before_the_access_phase_nobody_waits() -> TestResult {
    let conf = CONF.replace("in_access on", "in_access off");
    let (host, mut vm, root) = start_on(&configured(&conf)?, WAITS_UNDER_STREAM)?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert!(!vm.outcome(stream).is_paused());
    let callout = host.callouts().first().ok_or("no callout")?.id;
    let _: Delivery = vm.answer(callout, Answer::new(200));
    assert!(host.crash().is_some());
    Ok(())
}

#[test]
fn a_filter_needs_exports_and_dies_of_those_it_lacks() -> TestResult {
    let module = FilterModule::from_bytes(&bare_binary("")?)?;
    let refused = Host::new(Flavour::WasmX).vm(&module);
    assert!(matches!(refused, Err(HostError::MissingExport("proxy_on_context_create"))));
    let least = r#"(func (export "proxy_on_context_create") (param i32 i32))
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
        (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))"#;
    let host = Host::new(Flavour::WasmX);
    let mut vm = host.vm(&FilterModule::from_bytes(&bare_binary(least)?)?)?;
    let root = vm.add_plugin("")?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert!(vm.outcome(stream).is_host_crashed());
    Ok(())
}

#[test]
fn a_filter_that_does_not_start_takes_the_worker_with_it() -> TestResult {
    for guest in ["(i32.const 0)", "(unreachable)"] {
        let host = Host::new(Flavour::WasmX);
        let guest = format!(r#"(func (export "proxy_on_configure") (param i32 i32) (result i32) {guest})"#);
        assert!(refusal(&host, &guest)?.is_some());
        assert!(host.crash().is_some());
    }
    Ok(())
}

#[test]
fn the_path_is_decoded_and_the_variable_is_not() -> TestResult {
    let shows = r#"(data (i32.const 1400) ":path") (data (i32.const 1410) "ngx\00request_uri")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (call $show_header (i32.const 0) (i32.const 1400) (i32.const 5))
          (drop (call $property (i32.const 1410) (i32.const 15) (i32.const 0) (i32.const 4))) (call $show) (i32.const 0))"#;
    let (host, mut vm, root) = wasmx(shows)?;
    vm.request(root, Request::get("a", "/a/..//%2Eb?c=%20"));
    assert_eq!(messages(&host), ["/.b?c=%20", "/a/..//%2Eb?c=%20"]);
    Ok(())
}

#[test]
fn of_many_headers_a_hundred_are_shown() -> TestResult {
    let tells = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $pairs (i32.const 0) (i32.const 0) (i32.const 4)))
        (call $tell (i32.sub (i32.load (i32.load (i32.const 0))) (i32.const 50))) (i32.const 0))"#;
    let (host, mut vm, root) = wasmx(tells)?;
    let many = (0..200).fold(Request::get("a", "/"), |request, nth| request.header(format!("a{nth}"), "b"));
    vm.request(root, many);
    assert_eq!(messages(&host), ["50"]);
    Ok(())
}

#[test]
fn an_answer_that_breaks_off_reaches_nobody_and_one_with_a_large_head_in_part() -> TestResult {
    let (host, mut vm, root) = wasmx(WAITS)?;
    let stream = vm.request(root, Request::get("a", "/"));
    let callout = host.callouts().first().ok_or("no callout")?.id;
    assert_eq!(vm.answer(callout, Answer::truncated()), Delivery::Dropped);
    assert!(vm.outcome(stream).continued().is_some(), "nobody decided");

    let stream = vm.request(root, Request::get("a", "/"));
    let callout = host.callouts().first().ok_or("no callout")?.id;
    assert_eq!(vm.answer(callout, Answer::new(200).header("x", "y".repeat(9000))), Delivery::Delivered);
    assert_eq!((messages(&host), vm.outcome(stream).status()), (vec!["reader failure".to_owned()], Some(403)));
    Ok(())
}

#[test]
fn a_callout_closes_its_connection() -> TestResult {
    let (host, mut vm, root) = wasmx(WAITS)?;
    vm.request(root, Request::get("a", "/"));
    let callout = host.callouts().into_iter().next().ok_or("no callout")?;
    assert_eq!((callout.headers.text("connection"), callout.headers.text("host")), (Some("close"), Some("sidecar")));
    Ok(())
}

#[test]
fn shared_data_wants_a_zone_with_room() -> TestResult {
    let writes = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $tell (call $set_shared (i32.const 1088) (i32.const 3) (i32.const 1096) (i32.const 3) (i32.const 0)))
        (i32.const 0))"#;
    let (host, mut vm, root) = wasmx(writes)?;
    vm.request(root, Request::get("a", "/"));
    vm.request(root, Request::get("a", "/"));
    assert_eq!(messages(&host), ["00", "08"], "a value that is there is not replaced blindly");
    host.limit_shared_values(2);
    let stream = vm.request(root, Request::get("a", "/"));
    assert!(vm.outcome(stream).is_trapped());
    let (host, mut vm, root) = wasmx(writes)?;
    host.set_zones(["named"]);
    let stream = vm.request(root, Request::get("a", "/"));
    assert!(vm.outcome(stream).is_trapped());
    Ok(())
}

#[test]
fn each_trap_leaves_a_timer_and_a_timer_that_traps_ends_the_worker() -> TestResult {
    let ticks = r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
          (drop (call $set_tick (i32.const 100))) (i32.const 1))
        (func (export "proxy_on_tick") (param i32) (call $tell (i32.const 1)))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (unreachable))"#;
    let (host, mut vm, root) = wasmx(ticks)?;
    for _ in 0..2 {
        vm.request(root, Request::get("a", "/"));
    }
    vm.run(Duration::from_millis(100));
    assert_eq!(messages(&host).len(), 3);

    let dies = ticks.replace("(call $tell (i32.const 1))", "(unreachable)");
    let (host, mut vm, _) = wasmx(&dies)?;
    vm.run(Duration::from_secs(20));
    assert!(host.crash().is_some());
    Ok(())
}

#[test]
fn properties_that_wasmx_has_no_memory_of_kill_it() -> TestResult {
    let (host, mut vm, root) = wasmx(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (drop (call $property (i32.const 1400) (i32.const 16) (i32.const 0) (i32.const 4))) (i32.const 0))
           (data (i32.const 1400) "upstream\00address")"#,
    )?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert!(vm.outcome(stream).is_host_crashed() && host.crash().is_some());
    let reads_name = r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
          (drop (call $property (i32.const 1400) (i32.const 11) (i32.const 0) (i32.const 4))) (i32.const 1))
        (data (i32.const 1400) "plugin_name")"#;
    let refused = refusal(&Host::new(Flavour::WasmX), reads_name)?;
    assert!(matches!(refused, Some(HostError::HostCrashed(_))), "{refused:?}");
    Ok(())
}
