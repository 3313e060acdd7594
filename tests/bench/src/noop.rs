//! A Proxy-Wasm filter that does nothing: what entering a VM once costs by itself.

use std::path::Path;

use anyhow::Context as _;

/// Takes one callback a request, as Taskgate's filter does, and lets everything through.
const TEXT: &str = r#"
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0)))
"#;

/// Writes the module to that file.
pub(crate) fn write(path: &Path) -> anyhow::Result<()> {
    let module = wat::parse_str(TEXT).context("the filter that does nothing")?;
    std::fs::write(path, module).with_context(|| format!("can't write {}", path.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_a_module() {
        assert!(wat::parse_str(super::TEXT).unwrap().starts_with(b"\0asm"));
    }
}
