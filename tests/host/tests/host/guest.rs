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

/// The binary of a guest with these functions besides the prelude.
pub(crate) fn binary(functions: &str) -> Result<Vec<u8>, wat::Error> {
    wat::parse_str(format!("(module {}\n{functions})", include_str!("prelude.wat")))
}

pub(crate) fn module(functions: &str) -> Result<FilterModule, Box<dyn std::error::Error>> {
    Ok(FilterModule::from_bytes(&binary(functions)?)?)
}

/// One Envoy with one worker and one plugin without configuration.
pub(crate) fn envoy(functions: &str) -> Result<(Host, Vm, RootId), Box<dyn std::error::Error>> {
    start(&Host::envoy(["sidecar"]), functions)
}

/// The same on WasmX.
pub(crate) fn wasmx(functions: &str) -> Result<(Host, Vm, RootId), Box<dyn std::error::Error>> {
    let host = Host::new(Flavour::WasmX);
    host.add_cluster("sidecar");
    start(&host, functions)
}

fn start(host: &Host, functions: &str) -> Result<(Host, Vm, RootId), Box<dyn std::error::Error>> {
    let mut vm = host.vm(&module(functions)?)?;
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
