//! The entry points that the host calls. What is not exported costs nothing: a request enters the VM
//! once.

#![expect(unsafe_code, reason = "entry symbols of the ABI")]

use taskgate_core::denial::Denial;
use taskgate_core::reply::{Client, reply};

use crate::abi::Action;
use crate::config::Flavour;
use crate::host::{self, Callout, Context};
use crate::worker;

/// Says which ABI this is.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_abi_version_0_2_1() {}

/// The host needs memory to hand something over.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    host::allocate(size)
}

/// The host has a configuration.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_configure(root: u32, size: usize) -> u32 {
    u32::from(worker::configure(Context(root), size))
}

/// Time passes.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_tick(root: u32) {
    worker::with(|worker| worker.on_tick(Context(root)));
}

/// A request's headers have arrived.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_request_headers(context: u32, header_count: usize, _end_of_stream: u32) -> u32 {
    let action = worker::with(|worker| worker.on_request(Context(context), header_count)).unwrap_or_else(|| {
        host::reply(Flavour::Envoy, &reply(Denial::ProxyFailure, Client::Api));
        Action::Pause
    });
    action as u32
}

/// The headers of an answer have arrived.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_response_headers(context: u32, _header_count: usize, _end_of_stream: u32) -> u32 {
    worker::with(|worker| worker.on_answer_headers(Context(context)));
    Action::Continue as u32
}

/// Somebody connected to a port without headers. `WasmX` knows no such thing.
#[cfg(not(feature = "wasmx"))]
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_new_connection(context: u32) -> u32 {
    on_connection(|worker| worker.on_connection(Context(context)))
}

/// Bytes of a client arrived there. Without this the proxy would let them pass.
#[cfg(not(feature = "wasmx"))]
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_downstream_data(context: u32, _size: usize, _end_of_stream: u32) -> u32 {
    on_connection(|worker| worker.on_connection_data(Context(context)))
}

#[cfg(not(feature = "wasmx"))]
fn on_connection(act: impl FnOnce(&mut worker::Worker) -> Action) -> u32 {
    let action = worker::with(act).unwrap_or_else(|| {
        host::close_connection();
        Action::Pause
    });
    action as u32
}

/// A callout was answered.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_http_call_response(
    _context: u32,
    callout: u32,
    header_count: usize,
    body_size: usize,
    _trailer_count: usize,
) {
    worker::with(|worker| worker.on_answer(Callout(callout), header_count, body_size));
}

/// What `WasmX` calls without looking whether it is there: without these a worker dies. None does
/// anything. On Envoy each would cost every request, or every piece of a body, a visit to the VM; so
/// they are in the build for `WasmX` alone.
#[cfg(feature = "wasmx")]
mod wasmx {
    use crate::abi::Action;

    /// A request begins.
    #[unsafe(no_mangle)]
    pub(crate) extern "C" fn proxy_on_context_create(_context: u32, _root: u32) {}

    /// The VM starts.
    #[unsafe(no_mangle)]
    pub(crate) extern "C" fn proxy_on_vm_start(_root: u32, _size: usize) -> u32 {
        1
    }

    /// A piece of a request's body has arrived.
    #[unsafe(no_mangle)]
    pub(crate) extern "C" fn proxy_on_request_body(_context: u32, _size: usize, _end_of_stream: u32) -> u32 {
        Action::Continue as u32
    }

    /// A piece of an answer's body has arrived.
    #[unsafe(no_mangle)]
    pub(crate) extern "C" fn proxy_on_response_body(_context: u32, _size: usize, _end_of_stream: u32) -> u32 {
        Action::Continue as u32
    }

    /// The trailers of an answer have arrived.
    #[unsafe(no_mangle)]
    pub(crate) extern "C" fn proxy_on_response_trailers(_context: u32, _count: usize) -> u32 {
        Action::Continue as u32
    }

    /// A request is over.
    #[unsafe(no_mangle)]
    pub(crate) extern "C" fn proxy_on_done(_context: u32) -> u32 {
        1
    }

    /// A request is logged.
    #[unsafe(no_mangle)]
    pub(crate) extern "C" fn proxy_on_log(_context: u32) {}

    /// A request is forgotten.
    #[unsafe(no_mangle)]
    pub(crate) extern "C" fn proxy_on_delete(_context: u32) {}
}
