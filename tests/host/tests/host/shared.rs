//! What workers share.

use taskgate_test_host::{Host, Request};

use crate::guest::{TestResult, envoy, messages, module};

/// Writes "one" on its first request and "two" on its second, with the number it read before.
const WRITES: &str = r#"
  (global $number (mut i32) (i32.const 0))
  (func (export "proxy_on_tick") (param i32)
    (call $tell (call $shared (i32.const 1088) (i32.const 3) (i32.const 0) (i32.const 4) (i32.const 8)))
    (global.set $number (i32.load (i32.const 8))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $set_tick (i32.const 100))) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $tell (call $set_shared (i32.const 1088) (i32.const 3) (i32.const 1096) (i32.const 3) (global.get $number)))
    (i32.const 0))
"#;

#[test]
fn two_workers_race_for_one_key() -> TestResult {
    let host = Host::default();
    let module = module(WRITES)?;
    let (mut one, mut other) = (host.vm(&module)?, host.vm(&module)?);
    let (root, other_root) = (one.add_plugin("")?, other.add_plugin("")?);
    host.set_shared_data("key", "start");
    assert!(one.tick(root));
    assert!(other.tick(other_root));
    one.request(root, Request::get("a", "/"));
    other.request(other_root, Request::get("a", "/"));
    assert_eq!(messages(&host), ["00", "00", "00", "08"], "the second write is a CasMismatch (8)");
    let (value, number) = host.shared_data("key").ok_or("nothing is stored")?;
    assert_eq!(value, b"one");
    other.tick(other_root);
    other.request(other_root, Request::get("a", "/"));
    assert!(host.shared_data("key").ok_or("nothing is stored")?.1 > number);
    Ok(())
}

#[test]
fn a_missing_key_is_not_found_and_zero_overwrites() -> TestResult {
    let (host, mut vm, root) = envoy(WRITES)?;
    assert!(vm.tick(root));
    vm.request(root, Request::get("a", "/"));
    vm.request(root, Request::get("a", "/"));
    assert_eq!(messages(&host), ["01", "00", "00"]);
    Ok(())
}

#[test]
fn metrics_are_found_by_name() -> TestResult {
    let (host, mut vm, root) = envoy(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (drop (call $define_metric (i32.const 0) (i32.const 1088) (i32.const 3) (i32.const 8)))
             (call $tell (call $increment (i32.load (i32.const 8)) (i64.const 2)))
             (call $tell (call $increment (i32.load (i32.const 8)) (i64.const -1)))
             (call $tell (call $increment (i32.const 77) (i64.const 1)))
             (i32.const 0))"#,
    )?;
    vm.request(root, Request::get("a", "/"));
    vm.request(root, Request::get("a", "/"));
    assert_eq!(messages(&host)[..3], ["00", "02", "01"], "counters only grow");
    assert_eq!(host.metric("key"), Some(4));
    assert_eq!(host.metric("other"), None);
    Ok(())
}
