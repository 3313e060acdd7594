//! Proxy-Wasm filters that decide nothing: what entering a VM, and calling the host from it, cost by
//! themselves.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

/// What such a filter asks of the host for each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// Nothing.
    None,
    /// The time and all headers.
    Read,
    /// These, and the edits and the count of a permitted request.
    All,
}

impl Calls {
    /// Every kind.
    pub(crate) const EVERY: [Self; 3] = [Self::None, Self::Read, Self::All];

    /// The name of the module's file.
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Self::None => "noop.wasm",
            Self::Read => "read.wasm",
            Self::All => "all.wasm",
        }
    }

    fn instructions(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Read => READ,
            Self::All => ALL,
        }
    }
}

/// The module around the calls. It takes one callback a request, as Taskgate's filter does. The host's
/// answers go to the second page; 16 and up are places for results.
const HEAD: &str = r#"
(module
  (import "env" "proxy_get_current_time_nanoseconds" (func $time (param i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $count (param i32 i64) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 100) "x-taskgate-up1x-taskgate-up2x-taskgate-up3127.0.0.1:40000")
  (data (i32.const 200) "x-forwarded-userx-forwarded-groupsaliceml")
  (data (i32.const 300) "authorizationbench.requests")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $define (i32.const 0) (i32.const 313) (i32.const 14) (i32.const 16)))
    (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
"#;
const READ: &str = "
    (drop (call $time (i32.const 24)))
    (drop (call $pairs (i32.const 0) (i32.const 32) (i32.const 36)))
";
const ALL: &str = "
    (drop (call $time (i32.const 24)))
    (drop (call $pairs (i32.const 0) (i32.const 32) (i32.const 36)))
    (drop (call $remove (i32.const 0) (i32.const 300) (i32.const 13)))
    (drop (call $set (i32.const 0) (i32.const 200) (i32.const 16) (i32.const 234) (i32.const 5)))
    (drop (call $set (i32.const 0) (i32.const 216) (i32.const 18) (i32.const 239) (i32.const 2)))
    (drop (call $set (i32.const 0) (i32.const 100) (i32.const 14) (i32.const 142) (i32.const 15)))
    (drop (call $set (i32.const 0) (i32.const 114) (i32.const 14) (i32.const 142) (i32.const 15)))
    (drop (call $set (i32.const 0) (i32.const 128) (i32.const 14) (i32.const 142) (i32.const 15)))
    (drop (call $count (i32.load (i32.const 16)) (i64.const 1)))
";

/// Writes the modules into that directory.
pub(crate) fn write(directory: &Path) -> anyhow::Result<()> {
    for calls in Calls::EVERY {
        let path = directory.join(calls.file());
        std::fs::write(&path, module(calls)?).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

fn module(calls: Calls) -> anyhow::Result<Vec<u8>> {
    let mut text = HEAD.to_owned();
    // Writing to a String can't fail.
    let _ = write!(text, "{}    (i32.const 0)))", calls.instructions());
    wat::parse_str(text).context("a filter that decides nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_modules() {
        for calls in Calls::EVERY {
            assert!(module(calls).unwrap().starts_with(b"\0asm"), "{calls:?}");
        }
    }
}
