//! Callouts, their answers and the contexts that own them.

use std::time::Duration;

use taskgate_test_host::{Answer, Delivery, Outcome, Request};

use crate::guest::{TestResult, WAITS_UNDER_ROOT, WAITS_UNDER_STREAM, envoy, messages};

/// Logs what there is to see of an answer: counts, status and body.
const LOGS_ANSWER: &str = r#"
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $dispatch)) (i32.const 1))
  (func (export "proxy_on_http_call_response") (param i32 i32) (param $headers i32) (param $body i32) (param i32)
    (call $tell (local.get $headers))
    (call $show_header (i32.const 6) (i32.const 1112) (i32.const 7))
    (if (i32.eqz (call $buffer (i32.const 4) (i32.const 0) (local.get $body) (i32.const 0) (i32.const 4)))
      (then (call $show))))
"#;

#[test]
fn an_answer_lets_the_stream_go_on() -> TestResult {
    let (host, mut vm, root) = envoy(WAITS_UNDER_ROOT)?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert_eq!(vm.outcome(stream), Outcome::Paused);
    let callouts = host.callouts();
    let callout = callouts.first().ok_or("no callout")?;
    assert_eq!((callout.cluster.as_str(), callout.path()), ("sidecar", "/v1"));
    assert_eq!(callout.timeout, Some(Duration::from_millis(800)));
    assert_eq!(vm.answer(callout.id, Answer::new(200).body("yes")), Delivery::Delivered);
    assert_eq!(vm.upstream(stream).ok_or("not continued")?.text("x-user"), Some("alice"));
    assert_eq!(vm.answer(callout.id, Answer::new(200)), Delivery::Dropped, "answers do not come twice");
    assert!(host.callouts().is_empty());
    Ok(())
}

#[test]
fn a_callout_to_an_unknown_cluster_is_refused() -> TestResult {
    let (host, mut vm, root) = envoy(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (call $tell (call $http_call (i32.const 1080) (i32.const 7) (i32.const 1200) (i32.const 69)
               (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 800) (i32.const 8)))
             (call $tell (call $http_call (i32.const 1072) (i32.const 7) (i32.const 1300) (i32.const 46)
               (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 800) (i32.const 8)))
             (call $tell (call $dispatch))
             (i32.const 1))"#,
    )?;
    vm.request(root, Request::get("a", "/"));
    assert_eq!(messages(&host), ["02", "02", "00"], "unknown cluster, incomplete headers, good");
    assert_eq!(host.callouts().len(), 1);
    Ok(())
}

#[test]
fn failures_of_the_sidecar_arrive_as_envoy_reports_them() -> TestResult {
    let cases = [
        (Answer::refused(), vec!["03", "503", "upstream connect error: connection refused"]),
        (Answer::timed_out(), vec!["03", "504", "upstream request timeout"]),
        (Answer::reset(), vec!["00", "02"]),
        (Answer::new(204), vec!["01", "204", ""]),
        (Answer::new(200).header("x-a", "b").body("text"), vec!["02", "200", "text"]),
    ];
    for (answer, expected) in cases {
        let (host, mut vm, root) = envoy(LOGS_ANSWER)?;
        vm.request(root, Request::get("a", "/"));
        let callout = host.callouts().first().ok_or("no callout")?.id;
        assert_eq!(vm.answer(callout, answer), Delivery::Delivered);
        assert_eq!(messages(&host), expected);
    }
    Ok(())
}

#[test]
fn the_clock_times_callouts_out() -> TestResult {
    let (host, mut vm, root) = envoy(LOGS_ANSWER)?;
    vm.request(root, Request::get("a", "/"));
    let start = host.now_ns();
    vm.run(Duration::from_millis(799));
    assert_eq!(host.callouts().len(), 1);
    vm.run(Duration::from_millis(1));
    assert!(host.callouts().is_empty());
    assert_eq!(messages(&host).get(1).map(String::as_str), Some("504"));
    assert_eq!(host.now_ns() - start, 800_000_000);
    Ok(())
}

#[test]
fn a_callout_of_a_stream_goes_with_it_and_one_of_the_root_stays() -> TestResult {
    for (guest, delivery) in [(WAITS_UNDER_STREAM, Delivery::Dropped), (WAITS_UNDER_ROOT, Delivery::Delivered)] {
        let (host, mut vm, root) = envoy(guest)?;
        let stream = vm.request(root, Request::get("a", "/"));
        let callout = host.callouts().first().ok_or("no callout")?.id;
        vm.disconnect(stream);
        assert_eq!(vm.answer(callout, Answer::new(200)), delivery);
        assert_eq!(vm.outcome(stream), Outcome::Gone);
    }
    Ok(())
}

#[test]
fn a_context_that_is_gone_cannot_be_effective() -> TestResult {
    let (host, mut vm, root) = envoy(WAITS_UNDER_ROOT)?;
    let stream = vm.request(root, Request::get("a", "/"));
    vm.disconnect(stream);
    let callout = host.callouts().first().ok_or("no callout")?.id;
    assert_eq!(vm.answer(callout, Answer::new(200)), Delivery::Delivered);
    assert_eq!(messages(&host), ["00", "01", "02"], "dispatched, told to the root, BadArgument");
    Ok(())
}

#[test]
fn an_answer_to_a_stream_is_told_to_its_root() -> TestResult {
    // Without choosing a context the callback acts on the root, which has no stream to continue.
    let (host, mut vm, root) = envoy(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (drop (call $dispatch)) (i32.const 1))
           (func (export "proxy_on_http_call_response") (param $context i32) (param i32 i32 i32 i32)
             (call $tell (local.get $context))
             (call $tell (call $continue (i32.const 0))))"#,
    )?;
    let stream = vm.request(root, Request::get("a", "/"));
    let callout = host.callouts().first().ok_or("no callout")?.id;
    assert_eq!(vm.answer(callout, Answer::new(200)), Delivery::Delivered);
    assert_eq!(messages(&host), ["01", "00"]);
    assert_eq!(vm.outcome(stream), Outcome::Paused);
    Ok(())
}

#[test]
fn one_answer_can_decide_several_streams() -> TestResult {
    // Contexts 2 and 3 wait; the answer denies one and lets the other go on.
    let (host, mut vm, root) = envoy(
        r#"(func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
             (if (i32.eq (local.get $context) (i32.const 2))
               (then (drop (call $effective (i32.const 1))) (drop (call $dispatch))))
             (i32.const 1))
           (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
             (drop (call $effective (i32.const 2)))
             (drop (call $deny))
             (drop (call $effective (i32.const 3)))
             (drop (call $identify))
             (drop (call $continue (i32.const 0))))"#,
    )?;
    let leader = vm.request(root, Request::get("a", "/"));
    let follower = vm.request(root, Request::get("b", "/"));
    let callout = host.callouts().first().ok_or("no callout")?.id;
    assert_eq!(vm.answer(callout, Answer::new(200)), Delivery::Delivered);
    assert_eq!(vm.outcome(leader).status(), Some(403));
    assert_eq!(vm.upstream(leader), None);
    assert_eq!(vm.upstream(follower).ok_or("not continued")?.text("x-user"), Some("alice"));
    Ok(())
}

#[test]
fn a_vm_cannot_answer_the_callout_of_another() -> TestResult {
    let (host, mut one, root) = envoy(WAITS_UNDER_ROOT)?;
    let module = crate::guest::module(WAITS_UNDER_ROOT)?;
    let mut other = host.vm(&module)?;
    one.request(root, Request::get("a", "/"));
    let callout = host.callouts().first().ok_or("no callout")?.id;
    assert_eq!(other.answer(callout, Answer::new(200)), Delivery::Dropped);
    assert_eq!(one.answer(callout, Answer::new(200)), Delivery::Delivered);
    Ok(())
}

#[test]
fn an_answer_is_only_there_for_its_own_root_and_callback() -> TestResult {
    // The root of the first plugin is context 1, that of the second context 2.
    let reads = "(call $show_header (i32.const 6) (i32.const 1112) (i32.const 7))";
    let (host, mut vm, root) = envoy(&format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (drop (call $dispatch)) (i32.const 1))
           (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
             {reads}
             (drop (call $effective (i32.const 2)))
             {reads})
           (func (export "proxy_on_configure") (param i32 i32) (result i32)
             (drop (call $set_tick (i32.const 9))) (i32.const 1))
           (func (export "proxy_on_tick") (param i32) {reads})"#
    ))?;
    vm.add_plugin("")?;
    vm.request(root, Request::get("a", "/"));
    let callout = host.callouts().first().ok_or("no callout")?.id;
    assert_eq!(vm.answer(callout, Answer::new(200)), Delivery::Delivered);
    assert!(vm.tick(root));
    assert_eq!(messages(&host), ["200", "02", "02"], "BadArgument is 2");
    Ok(())
}

#[test]
fn the_chosen_context_ends_with_the_callback() -> TestResult {
    // The first stream chooses its own context last; the second must not act on the first.
    let (_, mut vm, root) = envoy(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
             (drop (call $identify))
             (drop (call $effective (i32.const 1)))
             (i32.const 0))"#,
    )?;
    let streams = [vm.request(root, Request::get("a", "/")), vm.request(root, Request::get("b", "/"))];
    for stream in streams {
        assert_eq!(vm.upstream(stream).ok_or("not continued")?.text("x-user"), Some("alice"));
    }
    Ok(())
}
