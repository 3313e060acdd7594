//! Traps, bounds, and what survives a failed VM.

use taskgate_test_host::{Answer, Delivery, FailurePolicy, Host, Limits, Outcome, Request, RootId, Vm, VmOptions};

use crate::guest::{TestResult, envoy, messages, module};

/// What the path tells: `/t` traps, `/l` loops, `/p` pauses, `/c` continues and traps, others pass.
/// Counts configurations in shared data.
const OBEYS_PATH: &str = r#"
  (data (i32.const 2000) ":path")
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (call $tell (call $shared (i32.const 1088) (i32.const 3) (i32.const 0) (i32.const 4) (i32.const 8)))
    (drop (call $set_shared (i32.const 1088) (i32.const 3) (i32.const 1096) (i32.const 3) (i32.const 0)))
    (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (local $letter i32)
    (drop (call $value (i32.const 0) (i32.const 2000) (i32.const 5) (i32.const 0) (i32.const 4)))
    (local.set $letter (i32.load8_u (i32.add (i32.load (i32.const 0)) (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 116)) (then (unreachable)))
    (if (i32.eq (local.get $letter) (i32.const 108)) (then (loop $again (br $again))))
    (if (i32.eq (local.get $letter) (i32.const 99)) (then (drop (call $continue (i32.const 0))) (unreachable)))
    (if (i32.eq (local.get $letter) (i32.const 112)) (then (drop (call $dispatch)) (return (i32.const 1))))
    (i32.const 0))
"#;

fn start(policy: FailurePolicy) -> Result<(Host, Vm, RootId), Box<dyn std::error::Error>> {
    let host = Host::envoy(["sidecar"]);
    let limits = Limits { fuel_per_callback: 100_000, ..Limits::default() };
    let options = VmOptions { policy, limits, ..VmOptions::default() };
    let mut vm = host.vm_with(&module(OBEYS_PATH)?, options)?;
    let root = vm.add_plugin("")?;
    Ok((host, vm, root))
}

fn get(path: &str) -> Request {
    Request::get("a.example", path)
}

#[test]
fn a_trap_takes_the_streams_of_the_vm_with_it() -> TestResult {
    let (host, mut vm, root) = start(FailurePolicy::Closed)?;
    let (flowing, paused, finished) =
        (vm.request(root, get("/")), vm.request(root, get("/p")), vm.request(root, get("/")));
    vm.finish(finished);
    let callout = host.callouts().first().ok_or("no callout")?.id;
    let trapping = vm.request(root, get("/t"));
    let Outcome::Trapped { reason } = vm.outcome(trapping) else { return Err("it did not trap".into()) };
    assert!(reason.contains("proxy_on_request_headers") && reason.contains("unreachable"), "{reason}");
    assert!(vm.outcome(flowing).is_trapped(), "streams on their way are cut");
    assert!(vm.upstream(flowing).is_some());
    assert!(vm.outcome(paused).is_paused(), "paused streams hang");
    assert!(vm.outcome(finished).continued().is_some());
    assert_eq!(vm.answer(callout, Answer::new(200)), Delivery::Dropped);
    assert_eq!(vm.trap().map(|trap| trap.callback.as_str()), Some("proxy_on_request_headers"));
    Ok(())
}

#[test]
fn the_policy_decides_about_later_requests() -> TestResult {
    let (host, mut closed, root) = start(FailurePolicy::Closed)?;
    closed.request(root, get("/t"));
    let later = closed.request(root, get("/"));
    assert!(closed.outcome(later).is_trapped());
    assert_eq!(closed.upstream(later), None);
    assert_eq!((closed.reloads(), messages(&host).len()), (0, 1));

    let (_, mut open, root) = start(FailurePolicy::Open)?;
    let trapping = open.request(root, get("/t"));
    assert!(open.upstream(trapping).is_some(), "failing open lets the request pass");
    let later = open.request(root, get("/p"));
    assert!(open.outcome(later).continued().is_some(), "nobody is there to pause it");

    let (host, mut reloading, root) = start(FailurePolicy::Reload)?;
    let paused = reloading.request(root, get("/p"));
    reloading.request(root, get("/t"));
    let later = reloading.request(root, get("/"));
    assert!(reloading.outcome(later).continued().is_some());
    assert!(reloading.outcome(paused).is_paused(), "it belongs to the old instance for ever");
    assert_eq!((reloading.reloads(), reloading.trap()), (1, None));
    assert_eq!(messages(&host), ["01", "00"], "configured again; the shared data survived");
    Ok(())
}

#[test]
fn an_endless_loop_is_a_trap_with_a_clear_reason() -> TestResult {
    let (_, mut vm, root) = start(FailurePolicy::Closed)?;
    let stream = vm.request(root, get("/l"));
    let Outcome::Trapped { reason } = vm.outcome(stream) else { return Err("it did not trap".into()) };
    assert!(reason.contains("out of fuel after 100000 units"), "{reason}");
    Ok(())
}

#[test]
fn fuel_is_given_per_callback() -> TestResult {
    let (_, mut vm, root) = start(FailurePolicy::Closed)?;
    for _ in 0..10_000 {
        vm.request(root, get("/"));
    }
    assert_eq!(vm.trap(), None);
    Ok(())
}

#[test]
fn what_was_asked_before_a_trap_still_happens() -> TestResult {
    let (_, mut vm, root) = start(FailurePolicy::Closed)?;
    let stream = vm.request(root, get("/c"));
    assert!(vm.upstream(stream).is_some(), "Envoy runs deferred actions of a callback that trapped");
    assert!(vm.outcome(stream).is_trapped());
    Ok(())
}

#[test]
fn memory_cannot_grow_beyond_its_bound() -> TestResult {
    let grows = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                     (call $tell (i32.eq (memory.grow (i32.const 30)) (i32.const -1))) (i32.const 0))"#;
    for (memory_bytes, refused) in [(1024 * 1024, "01"), (4 * 1024 * 1024, "00")] {
        let host = Host::default();
        let limits = Limits { memory_bytes, ..Limits::default() };
        let mut vm = host.vm_with(&module(grows)?, VmOptions { limits, ..VmOptions::default() })?;
        let root = vm.add_plugin("")?;
        vm.request(root, get("/"));
        assert_eq!(messages(&host), [refused]);
        assert!(vm.memory_bytes() <= memory_bytes);
    }
    Ok(())
}

#[test]
fn an_allocator_may_trap_or_answer_nonsense() -> TestResult {
    let reads_after = |spoil: &str| {
        envoy(&format!(
            r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                 {spoil}
                 (call $tell (call $pairs (i32.const 0) (i32.const 0) (i32.const 4)))
                 (i32.const 0))"#
        ))
    };
    let cases = [("", "00"), ("(global.set $heap (i32.const -1))", "06"), ("(global.set $heap (i32.const 0))", "06")];
    for (spoil, status) in cases {
        let (host, mut vm, root) = reads_after(spoil)?;
        let stream = vm.request(root, get("/"));
        assert_eq!(messages(&host), [status], "InvalidMemoryAccess is 6");
        assert!(vm.outcome(stream).continued().is_some());
    }
    let (host, mut vm, root) = reads_after("(global.set $allocator_traps (i32.const 1))")?;
    let stream = vm.request(root, get("/"));
    assert!(messages(&host).is_empty());
    assert!(vm.outcome(stream).is_trapped());
    Ok(())
}

#[test]
fn a_trap_while_a_stream_ends_does_not_change_what_became_of_it() -> TestResult {
    let (_, mut vm, root) = envoy(r#"(func (export "proxy_on_done") (param i32) (result i32) (unreachable))"#)?;
    let stream = vm.request(root, get("/"));
    vm.finish(stream);
    assert!(vm.outcome(stream).continued().is_some());
    assert_eq!(vm.trap().map(|trap| trap.callback.as_str()), Some("proxy_on_done"));
    vm.forget(stream);
    assert_eq!(vm.outcome(stream), Outcome::Gone);
    Ok(())
}

#[test]
fn a_trap_on_a_tick_is_remembered() -> TestResult {
    let (_, mut vm, root) = envoy(
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
             (drop (call $set_tick (i32.const 100))) (i32.const 1))
           (func (export "proxy_on_tick") (param i32) (unreachable))"#,
    )?;
    vm.run(std::time::Duration::from_secs(1));
    assert_eq!(vm.trap().map(|trap| trap.callback.as_str()), Some("proxy_on_tick"));
    let later = vm.request(root, get("/"));
    assert!(vm.outcome(later).is_trapped());
    Ok(())
}

#[test]
fn streams_of_an_old_instance_do_not_touch_the_new_one() -> TestResult {
    let (host, mut vm, root) = start(FailurePolicy::Reload)?;
    let old = vm.request(root, get("/p"));
    vm.reload()?;
    let new = vm.request(root, get("/p"));
    vm.disconnect(old);
    assert_eq!(vm.outcome(old), Outcome::Gone);
    assert_eq!(host.callouts().len(), 1, "both streams had the same context number");
    vm.disconnect(new);
    assert!(host.callouts().is_empty());
    Ok(())
}
