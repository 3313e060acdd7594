//! Local replies.

use taskgate_test_host::{Headers, Outcome, Reply, Request};

use crate::guest::{TestResult, envoy, messages};

const DENIES: &str = r#"
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $deny)) (i32.const 0))
"#;

#[test]
fn a_reply_ends_the_request_whatever_the_callback_returns() -> TestResult {
    let (_, mut vm, root) = envoy(DENIES)?;
    let stream = vm.request(root, Request::get("a", "/"));
    let expected = Reply {
        status: 403,
        headers: Headers::from([("set-cookie", "a"), ("set-cookie", "b")]),
        body: b"two".to_vec(),
        grpc_status: None,
        details: "one".to_owned(),
    };
    assert_eq!(vm.outcome(stream), Outcome::Replied(expected));
    assert_eq!(vm.upstream(stream), None);
    Ok(())
}

#[test]
fn a_reply_passes_the_response_callback_and_deletes_the_context() -> TestResult {
    let (host, mut vm, root) = envoy(&format!(
        r#"{DENIES}
           (func (export "proxy_on_response_headers") (param i32) (param $count i32) (param i32) (result i32)
             (call $tell (local.get $count))
             (drop (call $add (i32.const 2) (i32.const 1048) (i32.const 6) (i32.const 1056) (i32.const 5)))
             (i32.const 0))
           (func (export "proxy_on_delete") (param i32) (call $tell (i32.const 94)))"#
    ))?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert_eq!(messages(&host), ["03", "94"]);
    let outcome = vm.outcome(stream);
    assert_eq!(outcome.reply().and_then(|reply| reply.headers.text("x-user")), Some("alice"));
    Ok(())
}

#[test]
fn the_first_reply_counts() -> TestResult {
    let (_, mut vm, root) = envoy(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (drop (call $deny))
             (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
               (i32.const 0) (i32.const 0) (i32.const 5)))
             (drop (call $continue (i32.const 0)))
             (i32.const 0))"#,
    )?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert_eq!(vm.outcome(stream).status(), Some(403));
    assert_eq!(vm.upstream(stream), None);
    Ok(())
}

#[test]
fn continuing_before_replying_has_reached_the_upstream() -> TestResult {
    let (_, mut vm, root) = envoy(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (drop (call $continue (i32.const 0)))
             (drop (call $deny))
             (i32.const 1))"#,
    )?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert_eq!(vm.outcome(stream).status(), Some(403));
    assert!(vm.upstream(stream).is_some(), "a test must be able to see this mistake");
    Ok(())
}

#[test]
fn a_reply_in_the_response_phase_replaces_the_response() -> TestResult {
    let (_, mut vm, root) = envoy(
        r#"(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
             (drop (call $deny)) (i32.const 0))"#,
    )?;
    let stream = vm.request(root, Request::get("a", "/"));
    let outcome = vm.response_headers(stream, [(":status", "200")], true);
    assert_eq!(outcome.status(), Some(403));
    assert!(vm.upstream(stream).is_some());
    Ok(())
}

#[test]
fn a_reply_is_not_replied_to_again() -> TestResult {
    let replies_again = r#"
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
          (call $tell (i32.const 1))
          (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 5)))
          (i32.const 0))"#;
    let (host, mut vm, root) = envoy(&format!("{DENIES} {replies_again}"))?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert_eq!(vm.outcome(stream).status(), Some(403));
    assert_eq!(messages(&host), ["01"]);

    let (host, mut vm, root) = envoy(replies_again)?;
    let stream = vm.request(root, Request::get("a", "/"));
    let outcome = vm.response_headers(stream, [(":status", "502")], true);
    assert_eq!(outcome.reply().map(|reply| (reply.status, reply.grpc_status)), Some((200, Some(5))));
    assert_eq!(messages(&host), ["01"], "a reply that replaces a response is not shown again");
    Ok(())
}

#[test]
fn replying_to_another_stream_pauses_the_own_one() -> TestResult {
    // Context 2 waits; context 3 denies it and means to go on itself.
    let (_, mut vm, root) = envoy(
        r#"(func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
             (if (i32.eq (local.get $context) (i32.const 2)) (then (return (i32.const 1))))
             (drop (call $effective (i32.const 2)))
             (drop (call $deny))
             (i32.const 0))"#,
    )?;
    let (first, second) = (vm.request(root, Request::get("a", "/")), vm.request(root, Request::get("b", "/")));
    assert_eq!(vm.outcome(first).status(), Some(403));
    assert_eq!(vm.outcome(second), Outcome::Paused, "Envoy stops the running callback, whoever was answered");
    Ok(())
}
