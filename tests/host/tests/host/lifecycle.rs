//! Loading, starting, configuring and ending.

use taskgate_test_host::{FilterModule, Host, HostError, Outcome, Request};

use crate::guest::{TestResult, envoy, messages, module, refusal};

const LOGS_CONFIGURATION: &str = r#"
  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    (call $tell (local.get $context))
    (call $tell (local.get $size))
    (call $tell (call $buffer (i32.const 7) (i32.const 0) (local.get $size) (i32.const 0) (i32.const 4)))
    (call $show)
    (i32.const 1))
"#;

#[test]
fn a_filter_without_callbacks_lets_everything_pass() -> TestResult {
    let (_, mut vm, root) = envoy("")?;
    let stream = vm.request(root, Request::get("a.example", "/").header("X-One", "1"));
    let outcome = vm.outcome(stream);
    let headers = outcome.continued().ok_or("not continued")?;
    assert_eq!(headers.text(":authority"), Some("a.example"));
    assert_eq!(headers.text("x-one"), Some("1"));
    assert_eq!(vm.upstream(stream).as_ref(), Some(headers));
    Ok(())
}

#[test]
fn every_plugin_of_a_vm_has_its_own_root_and_configuration() -> TestResult {
    let host = Host::default();
    let mut vm = host.vm(&module(LOGS_CONFIGURATION)?)?;
    vm.add_plugin("first")?;
    vm.add_plugin("the second")?;
    assert_eq!(messages(&host), ["01", "05", "00", "first", "02", "10", "00", "the second"]);
    Ok(())
}

#[test]
fn the_configuration_cannot_be_read_later() -> TestResult {
    let reads = "(call $tell (call $buffer (i32.const 7) (i32.const 0) (i32.const 9) (i32.const 0) (i32.const 4)))";
    let (host, mut vm, root) = envoy(&format!(
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
             (drop (call $set_tick (i32.const 9))) {reads} (i32.const 1))
           (func (export "proxy_on_tick") (param i32) {reads})
           (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {reads} (i32.const 0))"#
    ))?;
    assert!(vm.tick(root));
    vm.request(root, Request::get("a", "/"));
    assert_eq!(messages(&host), ["00", "01", "01"], "NotFound is 1");
    Ok(())
}

#[test]
fn callbacks_run_in_the_order_of_envoy_with_their_context() -> TestResult {
    let (host, mut vm, root) = envoy(
        r#"(func (export "proxy_on_context_create") (param $context i32) (param $root i32)
             (call $tell (i32.add (i32.mul (local.get $root) (i32.const 10)) (local.get $context))))
           (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
             (call $tell (i32.const 91)) (i32.const 1))
           (func (export "proxy_on_request_headers") (param i32) (param $count i32) (param $end i32) (result i32)
             (call $tell (local.get $count)) (call $tell (local.get $end)) (i32.const 0))
           (func (export "proxy_on_log") (param i32)
             (call $tell (i32.const 92)) (call $show_header (i32.const 0) (i32.const 1024) (i32.const 4)))
           (func (export "proxy_on_done") (param i32) (result i32)
             (call $tell (i32.const 93)) (call $show_header (i32.const 0) (i32.const 1024) (i32.const 4)) (i32.const 1))
           (func (export "proxy_on_delete") (param i32) (call $tell (i32.const 94)))"#,
    )?;
    let stream = vm.request(root, Request::get("a.example", "/").end_of_stream(false));
    vm.finish(stream);
    vm.finish(stream);
    let expected = ["01", "91", "12", "04", "00", "92", "a.example", "93", "02", "94"];
    assert_eq!(messages(&host), expected, "headers can be read in on_log, not in on_done (BadArgument is 2)");
    Ok(())
}

#[test]
fn modules_that_are_no_filters_are_refused_with_the_reason() -> TestResult {
    assert!(matches!(FilterModule::from_bytes(b"text"), Err(HostError::Module(_))));
    let other = wat::parse_str("(module (memory (export \"memory\") 1))")?;
    assert!(matches!(FilterModule::from_bytes(&other), Err(HostError::MissingExport(_))));
    let unknown = wat::parse_str(
        r#"(module (import "env" "proxy_unheard_of" (func)) (func (export "proxy_abi_version_0_2_1")))"#,
    )?;
    let refused = FilterModule::from_bytes(&unknown).err().ok_or("it was loaded")?;
    assert!(refused.to_string().contains("proxy_unheard_of"), "{refused}");
    let no_allocator =
        wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1")))"#)?;
    let started = Host::default().vm(&FilterModule::from_bytes(&no_allocator)?);
    assert!(matches!(started, Err(HostError::MissingExport(_))));
    Ok(())
}

#[test]
fn a_filter_that_refuses_its_configuration_does_not_start() -> TestResult {
    let refused = refusal(
        &Host::default(),
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 0))"#,
    )?;
    assert!(matches!(refused, Some(HostError::Declined { callback: "proxy_on_configure" })), "{refused:?}");
    let trapped =
        refusal(&Host::default(), r#"(func (export "proxy_on_vm_start") (param i32 i32) (result i32) (unreachable))"#)?;
    let Some(HostError::Trapped { callback, reason }) = trapped else { return Err("it started".into()) };
    assert_eq!(callback, "proxy_on_vm_start");
    assert!(reason.contains("unreachable"), "{reason}");
    Ok(())
}

#[test]
fn initialization_runs_and_may_only_log() -> TestResult {
    let (host, ..) = envoy(r#"(func (export "_initialize") (call $tell (i32.const 42)))"#)?;
    assert_eq!(messages(&host), ["42"]);
    let refused = refusal(&Host::default(), r#"(func (export "_initialize") (drop (call $time (i32.const 0))))"#)?;
    assert!(matches!(refused, Some(HostError::Trapped { .. })), "{refused:?}");
    Ok(())
}

#[test]
fn imports_of_compilers_and_kits_are_tolerated() -> TestResult {
    let binary = wat::parse_str(
        r#"(module
             (import "env" "proxy_grpc_cancel" (func (param i32) (result i32)))
             (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
             (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
             (import "wasi_snapshot_preview1" "environ_get" (func (param i32 i32) (result i32)))
             (import "wasi_snapshot_preview1" "environ_sizes_get" (func (param i32 i32) (result i32)))
             (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
             (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
             (memory (export "memory") 1)
             (func (export "proxy_abi_version_0_2_1"))
             (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 512))
             (func (export "_initialize")
               (i32.store (i32.const 4) (i32.const 7))
               (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)) (then (unreachable)))
               (if (i32.ne (i32.load (i32.const 32)) (i32.const 7)) (then (unreachable)))
               (if (call $clock (i32.const 0) (i64.const 0) (i32.const 40)) (then (unreachable)))
               (if (call $random (i32.const 48) (i32.const 8)) (then (unreachable))))
             (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
               (call $exit (i32.const 3)) (i32.const 0)))"#,
    )?;
    let mut vm = Host::default().vm(&FilterModule::from_bytes(&binary)?)?;
    let root = vm.add_plugin("")?;
    let stream = vm.request(root, Request::get("a", "/"));
    let Outcome::Trapped { reason } = vm.outcome(stream) else { return Err("it did not exit".into()) };
    assert!(reason.contains("exited with code 3"), "{reason}");
    Ok(())
}

#[test]
fn a_tick_runs_only_when_asked_for_and_sees_the_manual_clock() -> TestResult {
    let (host, mut vm, root) = envoy(
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
             (drop (call $set_tick (i32.const 200))) (i32.const 1))
           (func (export "proxy_on_tick") (param i32)
             (drop (call $time (i32.const 8)))
             (call $tell (i32.wrap_i64 (i64.div_u (i64.load (i32.const 8)) (i64.const 1000000)))))"#,
    )?;
    host.set_now_ns(0);
    assert!(vm.tick(root));
    vm.run(std::time::Duration::from_millis(70));
    assert_eq!(messages(&host), ["00"]);
    host.set_now_ns(42_000_000);
    assert!(vm.tick(root));
    assert_eq!(messages(&host), ["00", "42"]);
    let (_, mut idle, idle_root) = envoy(r#"(func (export "proxy_on_tick") (param i32) (unreachable))"#)?;
    assert!(!idle.tick(idle_root));
    assert_eq!(idle.trap(), None);
    Ok(())
}

#[test]
fn the_client_may_leave_a_paused_stream() -> TestResult {
    let (_, mut vm, root) =
        envoy(r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))"#)?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert_eq!(vm.outcome(stream), Outcome::Paused);
    vm.run(std::time::Duration::from_secs(3600));
    assert_eq!(vm.outcome(stream), Outcome::Paused, "nothing bounds a pause");
    vm.disconnect(stream);
    assert_eq!(vm.outcome(stream), Outcome::Gone);
    assert_eq!(vm.upstream(stream), None);
    Ok(())
}
