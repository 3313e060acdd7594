//! Callouts over gRPC, which the host does not imitate.
//!
//! Why: SDKs import them without using them, and such a filter must load. Never answers a call.

use wasmtime::{FuncType, Linker, ValType};

use crate::state::VmState;

/// The functions and how many numbers each takes.
const FUNCTIONS: [(&str, usize); 5] = [
    ("proxy_grpc_call", 12),
    ("proxy_grpc_cancel", 1),
    ("proxy_grpc_close", 1),
    ("proxy_grpc_send", 4),
    ("proxy_grpc_stream", 9),
];

/// Adds functions that trap when they are called.
pub(super) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    for (name, arguments) in FUNCTIONS {
        let kind = FuncType::new(linker.engine(), std::iter::repeat_n(ValType::I32, arguments), [ValType::I32]);
        linker.func_new("env", name, kind, move |_, _, _| {
            Err(wasmtime::Error::msg(format!("{name} is not imitated by the test host")))
        })?;
    }
    Ok(())
}
