//! Faults put into host functions.

use taskgate_test_host::{Calls, Corruption, HostFunction, Outcome, Request, Status};

use crate::guest::{TestResult, envoy, messages};

/// Logs the status of reading all pairs, and how many bytes came.
const READS_PAIRS: &str = r#"
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $tell (call $pairs (i32.const 0) (i32.const 0) (i32.const 4)))
    (call $tell (i32.load (i32.const 4)))
    (i32.const 0))
"#;

#[test]
fn a_fault_hits_the_calls_it_names() -> TestResult {
    let cases =
        [(Calls::Nth(2), ["00", "10", "00"]), (Calls::From(2), ["00", "10", "10"]), (Calls::Every, ["10", "10", "10"])];
    for (calls, expected) in cases {
        let (host, mut vm, root) = envoy(READS_PAIRS)?;
        host.fail(HostFunction::GetHeaderMapPairs, calls, Status::InternalFailure);
        for _ in 0..3 {
            vm.request(root, Request::get("a", "/"));
        }
        let statuses: Vec<_> = messages(&host).into_iter().step_by(2).collect();
        assert_eq!(statuses, expected, "{calls:?}");
        assert_eq!(host.calls(HostFunction::GetHeaderMapPairs), 3, "failed calls count too");
        host.clear_faults();
        host.reset_calls();
        vm.request(root, Request::get("a", "/"));
        assert_eq!(messages(&host)[6], "00");
        assert_eq!(host.calls(HostFunction::GetHeaderMapPairs), 1);
    }
    Ok(())
}

#[test]
fn bytes_can_be_cut_and_replaced() -> TestResult {
    let (host, mut vm, root) = envoy(READS_PAIRS)?;
    host.corrupt(HostFunction::GetHeaderMapPairs, Calls::Nth(1), Corruption::Truncate(7));
    host.corrupt(HostFunction::GetHeaderMapPairs, Calls::Nth(2), Corruption::Replace(vec![0xff; 33]));
    for _ in 0..2 {
        vm.request(root, Request::get("a", "/"));
    }
    assert_eq!(messages(&host), ["00", "07", "00", "33"]);
    Ok(())
}

#[test]
fn a_failed_call_does_nothing() -> TestResult {
    let (host, mut vm, root) = envoy(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (call $tell (call $dispatch))
             (call $tell (call $identify))
             (i32.const 0))"#,
    )?;
    host.fail(HostFunction::HttpCall, Calls::Every, Status::InternalFailure);
    host.fail(HostFunction::ReplaceHeaderMapValue, Calls::Every, Status::BadArgument);
    let stream = vm.request(root, Request::get("a", "/"));
    assert_eq!(messages(&host), ["10", "02"]);
    assert!(host.callouts().is_empty());
    assert!(!vm.upstream(stream).ok_or("not continued")?.contains("x-user"));
    Ok(())
}

#[test]
fn a_host_function_can_trap() -> TestResult {
    let (host, mut vm, root) = envoy(READS_PAIRS)?;
    host.trap(HostFunction::Log, Calls::Nth(2));
    let stream = vm.request(root, Request::get("a", "/"));
    let Outcome::Trapped { reason } = vm.outcome(stream) else { return Err("it did not trap".into()) };
    assert!(reason.contains("proxy_log"), "{reason}");
    Ok(())
}
