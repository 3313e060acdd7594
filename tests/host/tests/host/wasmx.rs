//! The differences of WasmX that the host reproduces already.

use std::time::Duration;

use taskgate_test_host::{Answer, Delivery, Flavour, Host, HostError, Outcome, Request};

use crate::guest::{TestResult, WAITS_UNDER_ROOT, WAITS_UNDER_STREAM, messages, refusal, wasmx};

#[test]
fn host_and_authority_are_two_headers() -> TestResult {
    let (host, mut vm, root) = wasmx(
        r#"(func (export "proxy_on_request_headers") (param i32) (param $count i32) (param $end i32) (result i32)
             (call $show_header (i32.const 0) (i32.const 1024) (i32.const 4))
             (call $show_header (i32.const 0) (i32.const 1032) (i32.const 10))
             (call $tell (local.get $count)) (call $tell (local.get $end))
             (i32.const 0))"#,
    )?;
    vm.request(root, Request::get("a.example", "/"));
    assert_eq!(messages(&host), ["a.example", "_:19000", "01", "00"]);
    Ok(())
}

#[test]
fn the_process_shows_itself_and_only_declared_variables_are_kept() -> TestResult {
    let guest = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (call $tell (call $property (i32.const 1120) (i32.const 7) (i32.const 0) (i32.const 4)))
             (call $tell (call $set_property (i32.const 1128) (i32.const 8) (i32.const 1056) (i32.const 5)))
             (i32.const 0))"#;
    let (host, mut vm, root) = wasmx(guest)?;
    vm.request(root, Request::get("a", "/"));
    host.declare_variable("user");
    let stream = vm.request(root, Request::get("a", "/"));
    assert_eq!(messages(&host), ["00", "01", "00", "00"]);
    assert_eq!(vm.property(stream, &["ngx", "user"]).as_deref(), Some(b"alice".as_slice()));
    Ok(())
}

#[test]
fn acting_on_another_stream_kills_the_process() -> TestResult {
    let (host, mut vm, root) = wasmx(WAITS_UNDER_STREAM)?;
    let stream = vm.request(root, Request::get("a", "/"));
    let callout = host.callouts().first().ok_or("no callout")?.id;
    assert_eq!(vm.answer(callout, Answer::new(200)), Delivery::Delivered);
    assert!(vm.outcome(stream).continued().is_some(), "the own stream is fine");

    // The second waiter is remembered, so the answer to the first tries to continue the second.
    let (host, mut vm, root) = wasmx(WAITS_UNDER_STREAM)?;
    let first = vm.request(root, Request::get("a", "/"));
    let second = vm.request(root, Request::get("a", "/"));
    let callout = host.callouts().first().ok_or("no callout")?.id;
    let _: Delivery = vm.answer(callout, Answer::new(200));
    assert!(vm.outcome(first).is_host_crashed() && vm.outcome(second).is_host_crashed());
    let later = vm.request(root, Request::get("a", "/"));
    assert!(vm.outcome(later).is_host_crashed());
    assert!(host.crash().is_some());
    Ok(())
}

#[test]
fn choosing_a_context_changes_nothing() -> TestResult {
    let (host, mut vm, root) = wasmx(WAITS_UNDER_ROOT)?;
    let stream = vm.request(root, Request::get("a", "/"));
    let callout = host.callouts().first().ok_or("no callout")?.id;
    vm.disconnect(stream);
    assert_eq!(vm.answer(callout, Answer::new(200)), Delivery::Dropped, "it was the stream's own callout");
    Ok(())
}

#[test]
fn an_answer_to_a_stream_that_went_on_kills_the_process() -> TestResult {
    let (host, mut vm, root) = wasmx(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (drop (call $dispatch)) (i32.const 0))
           (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32))"#,
    )?;
    let stream = vm.request(root, Request::get("a", "/"));
    let callout = host.callouts().first().ok_or("no callout")?.id;
    assert_eq!(vm.answer(callout, Answer::new(200)), Delivery::Dropped);
    assert!(vm.outcome(stream).is_host_crashed());
    Ok(())
}

#[test]
fn an_undecided_stream_goes_on() -> TestResult {
    let (_, mut vm, root) =
        wasmx(r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))"#)?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert!(vm.outcome(stream).continued().is_some());

    for ending in ["", "(unreachable)"] {
        let (host, mut vm, root) = wasmx(&format!(
            r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                 (drop (call $dispatch)) (i32.const 1))
               (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32) {ending})"#
        ))?;
        let stream = vm.request(root, Request::get("a", "/"));
        assert_eq!(vm.outcome(stream), Outcome::Paused);
        let callout = host.callouts().first().ok_or("no callout")?.id;
        assert_eq!(vm.answer(callout, Answer::new(403)), Delivery::Delivered);
        assert!(vm.outcome(stream).continued().is_some(), "{ending}: even a trap lets it pass");
    }
    Ok(())
}

#[test]
fn a_timeout_has_no_headers_and_a_dispatch_status() -> TestResult {
    let (host, mut vm, root) = wasmx(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (drop (call $dispatch)) (i32.const 1))
           (func (export "proxy_on_http_call_response") (param i32 i32) (param $count i32) (param i32 i32)
             (call $tell (local.get $count))
             (call $show_header (i32.const 6) (i32.const 1140) (i32.const 16)))"#,
    )?;
    vm.request(root, Request::get("a", "/"));
    vm.run(Duration::from_secs(1));
    vm.request(root, Request::get("a", "/"));
    let callout = host.callouts().first().ok_or("no callout")?.id;
    assert_eq!(vm.answer(callout, Answer::new(200)), Delivery::Delivered);
    assert_eq!(messages(&host), ["00", "timeout", "00", "ok"]);
    Ok(())
}

#[test]
fn calls_that_wasmx_does_not_survive_are_traps() -> TestResult {
    let cases = [
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32) (drop (call $dispatch)) (i32.const 1))"#,
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
             (drop (call $set_tick (i32.const 9))) (drop (call $set_tick (i32.const 9))) (i32.const 1))"#,
    ];
    for guest in cases {
        let refused = refusal(&Host::new(Flavour::WasmX), guest)?;
        assert!(matches!(refused, Some(HostError::Trapped { .. })), "{refused:?}");
        assert!(refusal(&Host::envoy(["sidecar"]), guest)?.is_none(), "Envoy has nothing against it");
    }
    let (_, mut vm, root) = wasmx(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (drop (call $set_tick (i32.const 9))) (i32.const 0))"#,
    )?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert!(vm.outcome(stream).is_trapped());
    let later = vm.request(root, Request::get("a", "/"));
    assert_eq!(vm.reloads(), 1, "the next request finds a fresh instance");
    assert!(vm.outcome(later).is_trapped());
    Ok(())
}

#[test]
fn a_module_that_asks_for_the_log_level_cannot_be_linked() -> TestResult {
    let binary = wat::parse_str(
        r#"(module (import "env" "proxy_get_log_level" (func (param i32) (result i32)))
             (memory (export "memory") 1)
             (func (export "proxy_on_context_create") (param i32 i32))
             (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
             (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
             (func (export "malloc") (param i32) (result i32) (i32.const 8))
             (func (export "proxy_abi_version_0_2_1")))"#,
    )?;
    let module = taskgate_test_host::FilterModule::from_bytes(&binary)?;
    assert!(matches!(Host::new(Flavour::WasmX).vm(&module), Err(HostError::Link(_))));
    assert!(Host::new(Flavour::Envoy).vm(&module).is_ok());
    Ok(())
}

#[test]
fn removed_headers_leak_and_replies_are_rewritten() -> TestResult {
    let (_, mut vm, root) = wasmx(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (drop (call $remove (i32.const 0) (i32.const 1064) (i32.const 6)))
             (drop (call $identify))
             (call $show_header (i32.const 0) (i32.const 1064) (i32.const 6))
             (i32.const 0))"#,
    )?;
    let request = Request::get("a", "/").header("cookie", "c").header("x-user", "eve").header("x-user", "mallory");
    let stream = vm.request(root, request);
    let upstream = vm.upstream(stream).ok_or("not continued")?;
    assert_eq!(upstream.text("cookie"), Some("c"));
    assert_eq!(upstream.values("x-user").collect::<Vec<_>>(), [&b"alice"[..], b"mallory"]);

    let (_, mut vm, root) = wasmx(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (drop (call $deny)) (i32.const 1))"#,
    )?;
    let stream = vm.request(root, Request::get("a", "/"));
    let outcome = vm.outcome(stream);
    let reply = outcome.reply().ok_or("no reply")?;
    assert_eq!(reply.headers.values("set-cookie").collect::<Vec<_>>(), [b"b"]);
    assert_eq!(reply.body, b"two\n");
    Ok(())
}
