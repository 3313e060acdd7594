//! Reading and changing headers, properties and bodies.

use taskgate_test_host::{Headers, HostFunction, Outcome, Request};

use crate::guest::{TestResult, envoy, messages};

/// A guest that runs `body` on the request headers and lets the request go on.
fn on_request(body: &str) -> String {
    format!(
        r#"(func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
             {body} (i32.const 0))"#
    )
}

#[test]
fn host_is_authority_on_envoy() -> TestResult {
    let body = "(call $show_header (i32.const 0) (i32.const 1024) (i32.const 4))
                (call $show_header (i32.const 0) (i32.const 1032) (i32.const 10))
                (call $show_header (i32.const 0) (i32.const 1048) (i32.const 6))";
    let (host, mut vm, root) = envoy(&on_request(body))?;
    let stream = vm.request(root, [("Host", "A.example:80"), (":path", "/")]);
    assert_eq!(messages(&host), ["A.example:80", "A.example:80", "01"], "NotFound is 1");
    let outcome = vm.outcome(stream);
    let headers = outcome.continued().ok_or("not continued")?;
    assert!(!headers.contains("host"));
    assert_eq!(headers.len(), 2);
    Ok(())
}

#[test]
fn replace_leaves_one_and_remove_leaves_none() -> TestResult {
    let body = "(drop (call $identify))
                (drop (call $remove (i32.const 0) (i32.const 1064) (i32.const 6)))";
    let (_, mut vm, root) = envoy(&on_request(body))?;
    let request = Request::get("a", "/")
        .header("X-User", "mallory")
        .header("cookie", "a")
        .header("x-user", "eve")
        .header("Cookie", "b");
    let stream = vm.request(root, request);
    let upstream = vm.upstream(stream).ok_or("nothing reached the upstream")?;
    assert_eq!(upstream.values("x-user").collect::<Vec<_>>(), [b"alice"]);
    assert!(!upstream.contains("cookie"));
    Ok(())
}

#[test]
fn pairs_carry_duplicates_and_raw_bytes() -> TestResult {
    let body = "(drop (call $pairs (i32.const 0) (i32.const 0) (i32.const 4)))
                (drop (call $set_pairs (i32.const 0) (i32.load (i32.const 0)) (i32.load (i32.const 4))))";
    let (host, mut vm, root) = envoy(&on_request(body))?;
    let sent = Headers::from([(":path", "/")]).with("cookie", b"\xff\x00").with("cookie", "b");
    let stream = vm.request(root, sent.clone());
    assert_eq!(vm.upstream(stream), Some(sent));
    assert_eq!(host.calls(HostFunction::GetHeaderMapPairs), 1);
    assert_eq!(host.calls(HostFunction::SetHeaderMapPairs), 1);
    assert_eq!(host.total_calls(), 2);
    Ok(())
}

#[test]
fn malformed_pairs_count_as_no_headers() -> TestResult {
    let body = "(call $tell (call $set_pairs (i32.const 0) (i32.const 1200) (i32.const 68)))";
    let (host, mut vm, root) = envoy(&on_request(body))?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert_eq!(messages(&host), ["00"]);
    assert_eq!(vm.upstream(stream), Some(Headers::new()));
    Ok(())
}

#[test]
fn wild_pointers_are_refused() -> TestResult {
    let body = "(call $tell (call $value (i32.const 0) (i32.const -8) (i32.const 99) (i32.const 0) (i32.const 4)))
                (call $tell (call $value (i32.const 0) (i32.const 1024) (i32.const 4) (i32.const -2) (i32.const 4)))
                (call $tell (call $value (i32.const 9) (i32.const 1024) (i32.const 4) (i32.const 0) (i32.const 4)))";
    let (host, mut vm, root) = envoy(&on_request(body))?;
    vm.request(root, Request::get("a", "/"));
    assert_eq!(messages(&host), ["06", "06", "02"], "InvalidMemoryAccess is 6, BadArgument is 2");
    Ok(())
}

#[test]
fn a_continued_request_is_out_of_reach() -> TestResult {
    let body = "(drop (call $continue (i32.const 0)))
                (call $tell (call $identify))
                (call $show_header (i32.const 0) (i32.const 1024) (i32.const 4))
                (call $tell (call $pairs (i32.const 0) (i32.const 0) (i32.const 4)))
                (call $tell (i32.load (i32.const 4)))";
    let (host, mut vm, root) = envoy(&on_request(body))?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert_eq!(messages(&host), ["02", "02", "00", "00"], "only reading all pairs answers Ok, with none");
    assert!(!vm.upstream(stream).ok_or("not continued")?.contains("x-user"));
    Ok(())
}

#[test]
fn the_response_is_shown_and_the_request_is_not() -> TestResult {
    let (host, mut vm, root) = envoy(
        r#"(func (export "proxy_on_response_headers") (param i32) (param $count i32) (param $end i32) (result i32)
             (call $tell (local.get $count)) (call $tell (local.get $end))
             (call $show_header (i32.const 2) (i32.const 1112) (i32.const 7))
             (call $show_header (i32.const 0) (i32.const 1024) (i32.const 4))
             (drop (call $replace (i32.const 2) (i32.const 1048) (i32.const 6) (i32.const 1056) (i32.const 5)))
             (i32.const 0))"#,
    )?;
    let stream = vm.request(root, Request::get("a", "/"));
    let outcome = vm.response_headers(stream, [(":status", "200"), ("x-user", "eve")], true);
    assert_eq!(messages(&host), ["02", "01", "200", "02"]);
    assert_eq!(outcome.continued().and_then(|headers| headers.text("x-user")), Some("alice"));
    assert_eq!(vm.response(stream), outcome);
    Ok(())
}

#[test]
fn a_held_response_stays_held() -> TestResult {
    let (_, mut vm, root) =
        envoy(r#"(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 1))"#)?;
    let stream = vm.request(root, Request::get("a", "/"));
    assert_eq!(vm.response_headers(stream, [(":status", "200")], false), Outcome::Paused);
    assert!(vm.outcome(stream).continued().is_some(), "the request went on all the same");
    Ok(())
}

#[test]
fn properties_come_from_the_test_and_stay_with_the_stream() -> TestResult {
    // The path is "ngx", "user"; on Envoy it means nothing special.
    let body = "(call $tell (call $property (i32.const 1128) (i32.const 8) (i32.const 0) (i32.const 4)))
                (call $show)
                (drop (call $set_property (i32.const 1128) (i32.const 8) (i32.const 1056) (i32.const 5)))
                (call $tell (call $property (i32.const 1120) (i32.const 7) (i32.const 0) (i32.const 4)))";
    let (host, mut vm, root) = envoy(&on_request(body))?;
    let stream = vm.request(root, Request::get("a", "/").property(&["ngx", "user"], "eve"));
    assert_eq!(messages(&host), ["00", "eve", "01"]);
    assert_eq!(vm.property(stream, &["ngx", "user"]).as_deref(), Some(b"alice".as_slice()));
    Ok(())
}

#[test]
fn body_chunks_reach_the_filter() -> TestResult {
    let (host, mut vm, root) = envoy(
        r#"(func (export "proxy_on_request_body") (param i32) (param $size i32) (param $end i32) (result i32)
             (drop (call $buffer (i32.const 0) (i32.const 1) (i32.const 100) (i32.const 0) (i32.const 4)))
             (call $show)
             (i32.eqz (local.get $end)))"#,
    )?;
    let stream = vm.request(root, Request::get("a", "/").end_of_stream(false));
    assert_eq!(vm.request_body(stream, "held", false), None);
    assert_eq!(vm.request_body(stream, "last", true).as_deref(), Some(b"last".as_slice()));
    assert_eq!(messages(&host), ["eld", "ast"]);
    Ok(())
}
