//! Guests: small filters written as WebAssembly text, and what tests ask of them.

use taskgate_test_host::{FilterModule, Flavour, Host, HostError, LogLine, RootId, Vm};

pub(crate) type TestResult = Result<(), Box<dyn std::error::Error>>;

/// Waits for the sidecar under the root context, then lets the first stream go on.
pub(crate) const WAITS_UNDER_ROOT: &str = r#"
  (global $waiting (mut i32) (i32.const 0))
  (func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
    (global.set $waiting (local.get $context))
    (drop (call $effective (i32.const 1)))
    (call $tell (call $dispatch))
    (i32.const 1))
  (func (export "proxy_on_http_call_response") (param $context i32) (param i32 i32 i32 i32)
    (call $tell (local.get $context))
    (call $tell (call $effective (global.get $waiting)))
    (drop (call $identify))
    (drop (call $continue (i32.const 0))))
"#;

/// Waits for the sidecar under the context of the stream itself.
pub(crate) const WAITS_UNDER_STREAM: &str = r#"
  (global $waiting (mut i32) (i32.const 0))
  (func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
    (global.set $waiting (local.get $context))
    (drop (call $dispatch))
    (i32.const 1))
  (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
    (drop (call $effective (global.get $waiting)))
    (drop (call $identify))
    (drop (call $continue (i32.const 0))))
"#;

/// What WasmX calls without asking whether it is there; the filter's SDK has all of it.
const CALLED: [(&str, &str); 8] = [
    ("proxy_on_context_create", "(param i32 i32)"),
    ("proxy_on_vm_start", "(param i32 i32) (result i32) (i32.const 1)"),
    ("proxy_on_configure", "(param i32 i32) (result i32) (i32.const 1)"),
    ("proxy_on_request_headers", "(param i32 i32 i32) (result i32) (i32.const 0)"),
    ("proxy_on_response_headers", "(param i32 i32 i32) (result i32) (i32.const 0)"),
    ("proxy_on_done", "(param i32) (result i32) (i32.const 1)"),
    ("proxy_on_log", "(param i32)"),
    ("proxy_on_delete", "(param i32)"),
];

/// The binary of a guest with these functions besides the prelude, and nothing else.
pub(crate) fn bare_binary(functions: &str) -> Result<Vec<u8>, wat::Error> {
    wat::parse_str(format!("(module {}\n{functions})", include_str!("prelude.wat")))
}

/// The binary of a guest with these functions besides the prelude.
pub(crate) fn binary(functions: &str) -> Result<Vec<u8>, wat::Error> {
    let absent = CALLED.iter().filter(|(name, _)| !functions.contains(&format!("\"{name}\"")));
    let empty: String = absent.map(|(name, rest)| format!("(func (export \"{name}\") {rest})\n")).collect();
    bare_binary(&format!("{functions}\n{empty}"))
}

pub(crate) fn module(functions: &str) -> Result<FilterModule, Box<dyn std::error::Error>> {
    Ok(FilterModule::from_bytes(&bare_binary(functions)?)?)
}

/// One Envoy with one worker and one plugin without configuration.
pub(crate) fn envoy(functions: &str) -> Result<(Host, Vm, RootId), Box<dyn std::error::Error>> {
    start(&Host::envoy(["sidecar"]), &module(functions)?)
}

/// The same on WasmX.
pub(crate) fn wasmx(functions: &str) -> Result<(Host, Vm, RootId), Box<dyn std::error::Error>> {
    let host = Host::new(Flavour::WasmX);
    host.add_cluster("sidecar");
    start_on(&host, functions)
}

/// One worker and one plugin on a host of WasmX that is set up already.
pub(crate) fn start_on(host: &Host, functions: &str) -> Result<(Host, Vm, RootId), Box<dyn std::error::Error>> {
    start(host, &FilterModule::from_bytes(&binary(functions)?)?)
}

fn start(host: &Host, module: &FilterModule) -> Result<(Host, Vm, RootId), Box<dyn std::error::Error>> {
    let mut vm = host.vm(module)?;
    let root = vm.add_plugin("")?;
    Ok((host.clone(), vm, root))
}

/// How starting this guest on this host fails.
pub(crate) fn refusal(host: &Host, functions: &str) -> Result<Option<HostError>, Box<dyn std::error::Error>> {
    let binary = binary(functions)?;
    let started = FilterModule::from_bytes(&binary)
        .and_then(|module| host.vm(&module))
        .and_then(|mut vm| vm.add_plugin("").map(|_| vm));
    Ok(started.err())
}

/// The messages logged so far.
pub(crate) fn messages(host: &Host) -> Vec<String> {
    host.logs().into_iter().map(|LogLine { message, .. }| message).collect()
}
