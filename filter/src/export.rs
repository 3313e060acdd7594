//! The entry points that the host calls. What is not exported costs nothing: a request enters the VM
//! once.

#![expect(unsafe_code, reason = "entry symbols of the ABI")]

use taskgate_core::denial::Denial;
use taskgate_core::reply::{Client, reply};

use crate::abi::Action;
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
pub extern "C" fn proxy_on_request_headers(context: u32, _header_count: usize, _end_of_stream: u32) -> u32 {
    let action = worker::with(|worker| worker.on_request(Context(context))).unwrap_or_else(|| {
        host::reply(&reply(Denial::ProxyFailure, Client::Api));
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
