//! The host's functions, as safe functions over bytes, and everything in which hosts differ.
//!
//! No answer of a host makes a function here panic: every status is a value. Texts are bytes. This is
//! the only module that calls the host, and with [`crate::export`] the only one with unsafe code.
//!
//! On NGINX with `WasmX`: `:authority` is not the client's, headers can't be removed, contexts can't be
//! switched, and variables say where a request goes. Each such difference is a function here that takes
//! the [`Flavour`].

#![expect(unsafe_code, reason = "foreign functions of the proxy")]

mod envoy;
mod nginx;

use taskgate_core::audit::{Audit, Rule};
use taskgate_core::denial::Denial;
use taskgate_core::edit::RequestEdits;
use taskgate_core::reply::Reply;
use taskgate_core::service::AccessLevel;

use crate::abi::{BufferType, LogLevel, MapType, MetricType, Status, StreamType};
use crate::config::Flavour;
use crate::pairs;

// All sizes and pointers are 32-bit in wasm32. Statuses are plain numbers: an enum would be undefined
// behaviour for a number that it does not have.
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(kind: u32, start: usize, max: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        size: usize,
    ) -> u32;
    fn proxy_add_header_map_value(map: u32, name: *const u8, name_size: usize, value: *const u8, size: usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, size: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_close_stream(stream: u32) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_http_call(
        upstream: *const u8,
        upstream_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_ms: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, size: usize, cas: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
}

/// The header that gives a browser cookies.
const SET_COOKIE: &[u8] = b"set-cookie";

/// A context of the host: a request, or the filter's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Context(pub u32);

/// A callout under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Callout(pub u32);

/// Writes a line to the proxy's log.
pub fn log(level: LogLevel, text: &str) {
    // SAFETY: pointer and size are of one live slice.
    unsafe { proxy_log(level as u32, text.as_ptr(), text.len()) };
}

/// The wall clock, in nanoseconds since 1970; none where the host can't say.
pub fn clock() -> Option<u64> {
    let mut nanos = 0;
    // SAFETY: the pointer is to a live integer.
    let status = unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) };
    (Status::from_number(status) == Status::Ok).then_some(nanos)
}

/// Asks for a tick every so many milliseconds, of the root that the host is at. On NGINX called once, while
/// configuring: `WasmX` traps else.
pub fn set_tick_period(millis: u32) {
    // SAFETY: no pointers.
    unsafe { proxy_set_tick_period_milliseconds(millis) };
}

/// The same for a second root context of a VM. `WasmX` has none, and traps on a second call.
pub fn set_further_tick_period(flavour: Flavour, millis: u32) {
    match flavour {
        Flavour::Envoy => set_tick_period(millis),
        Flavour::Nginx => {}
    }
}

/// Bytes the host holds: a configuration, or a callout's body.
pub fn buffer(kind: BufferType, size: usize) -> Option<Vec<u8>> {
    // SAFETY: the closure passes on pointers to live variables.
    received(|data, length| unsafe { proxy_get_buffer_bytes(kind as u32, 0, size, data, length) })
}

/// The headers of the request that the host is at.
pub fn with_request_headers<T>(flavour: Flavour, read: impl FnOnce(&[(&[u8], &[u8])]) -> T) -> Option<T> {
    let bytes = header_pairs(MapType::HttpRequestHeaders)?;
    let mut headers = pairs::read(&bytes)?;
    match flavour {
        Flavour::Envoy => Some(read(&headers)),
        Flavour::Nginx => {
            let target = nginx::target()?;
            nginx::correct_headers(&mut headers, &target);
            Some(read(&headers))
        }
    }
}

/// Whether the filter gets to see every header of a request with so many.
pub const fn shows_headers(flavour: Flavour, count: usize) -> bool {
    match flavour {
        Flavour::Envoy => true,
        Flavour::Nginx => nginx::shows_headers(count),
    }
}

/// The headers of the callout's answer that the host is at.
pub fn with_answer_headers<T>(read: impl FnOnce(&[(&[u8], &[u8])]) -> T) -> Option<T> {
    let bytes = header_pairs(MapType::HttpCallResponseHeaders)?;
    Some(read(&pairs::read(&bytes)?))
}

fn header_pairs(map: MapType) -> Option<Vec<u8>> {
    // SAFETY: the closure passes on pointers to live variables.
    received(|data, length| unsafe { proxy_get_header_map_pairs(map as u32, data, length) })
}

/// A property of the request that the host is at.
pub fn property(path: &[&str]) -> Option<Vec<u8>> {
    let path = path.join("\0");
    // SAFETY: path is a live slice; the closure passes on pointers to live variables.
    received(|data, length| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, length) })
}

/// Carries out what was decided for a permitted request. False where the host did not do all of it:
/// then the request must not go on.
pub fn permit(flavour: Flavour, edits: &mut RequestEdits) -> bool {
    match flavour {
        Flavour::Envoy => envoy::permit(edits),
        Flavour::Nginx => nginx::permit(edits),
    }
}

/// Answers the request in the job's place. False where the host did not: then the request waits until
/// the proxy's own limit ends it.
pub fn reply(flavour: Flavour, reply: &Reply) -> bool {
    match flavour {
        Flavour::Envoy => envoy::reply(reply),
        Flavour::Nginx => nginx::reply(reply),
    }
}

fn send_reply(status: u16, details: &[u8], body: &[u8], headers: &[(&[u8], &[u8])], grpc_status: Option<u8>) -> bool {
    let headers = pairs::write(headers);
    let grpc_status = grpc_status.map_or(-1, i32::from);
    // SAFETY: every pointer and size pair is of one live slice.
    let status = unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        )
    };
    Status::from_number(status) == Status::Ok
}

/// Lets the paused request that the host is at go on.
pub fn continue_request() {
    // SAFETY: no pointers.
    unsafe { proxy_continue_stream(StreamType::HttpRequest as u32) };
}

/// Ends a request that was permitted, and its answer.
pub fn close_request() {
    // SAFETY: no pointers.
    unsafe { proxy_close_stream(StreamType::HttpRequest as u32) };
}

/// Lets the paused connection that the host is at go on.
pub fn continue_connection() {
    // SAFETY: no pointers.
    unsafe { proxy_continue_stream(StreamType::Downstream as u32) };
}

/// Ends the connection that the host is at.
pub fn close_connection() {
    // SAFETY: no pointers.
    unsafe { proxy_close_stream(StreamType::Downstream as u32) };
}

/// The name of the filter chain that the connection came by: the id of a service.
pub fn filter_chain() -> Option<String> {
    String::from_utf8(property(&["xds", "filter_chain_name"])?).ok()
}

/// Tells the proxy's log what was decided about the request, or the connection, that the host is at.
pub fn audit(flavour: Flavour, audit: &Audit) {
    let told = [
        ("tg_service", audit.service.as_deref()),
        ("tg_level", audit.level.map(AccessLevel::code)),
        ("tg_rule", audit.rule.map(Rule::code)),
        ("tg_actor", audit.actor.as_deref()),
        ("tg_denial", audit.denial.map(Denial::code)),
    ];
    let tell = match flavour {
        Flavour::Envoy => envoy::tell,
        Flavour::Nginx => nginx::set,
    };
    for (name, value) in told {
        if let Some(value) = value {
            tell(name, value.as_bytes());
        }
    }
}

/// The `Set-Cookie` lines of the answer that the host is at. None where it has none.
pub fn set_cookies() -> Option<Vec<Vec<u8>>> {
    let map = MapType::HttpResponseHeaders as u32;
    // Seldom there, and cheap to see that it is not.
    // SAFETY: the name is a live slice; the closure passes on pointers to live variables.
    received(|data, length| unsafe {
        proxy_get_header_map_value(map, SET_COOKIE.as_ptr(), SET_COOKIE.len(), data, length)
    })?;
    let bytes = header_pairs(MapType::HttpResponseHeaders)?;
    // `WasmX` shows names as they were written.
    let lines = pairs::read(&bytes)?.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case(SET_COOKIE));
    Some(lines.map(|(_, value)| value.to_vec()).collect())
}

/// The service whose answer the host is at, where the host says nothing of a request's end so that
/// nothing is kept of it. None where the answer is none of a job's.
pub fn answering_service() -> Option<String> {
    nginx::answering_service()
}

/// Takes every `Set-Cookie` line out of the answer.
pub fn remove_set_cookies() {
    let map = MapType::HttpResponseHeaders as u32;
    // SAFETY: the pointer and size pair is of a live slice.
    unsafe { proxy_remove_header_map_value(map, SET_COOKIE.as_ptr(), SET_COOKIE.len()) };
}

/// Adds a `Set-Cookie` line to the answer.
pub fn add_set_cookie(line: &[u8]) {
    let map = MapType::HttpResponseHeaders as u32;
    // SAFETY: both pointer and size pairs are of live slices.
    unsafe { proxy_add_header_map_value(map, SET_COOKIE.as_ptr(), SET_COOKIE.len(), line.as_ptr(), line.len()) };
}

/// Whether the host lets the filter turn to requests under way, and says when they are over.
pub const fn follows_requests(flavour: Flavour) -> bool {
    matches!(flavour, Flavour::Envoy)
}

/// Turns to another context; false where it is gone. `WasmX` can't: there the host is always at the
/// context that it called.
pub fn turn_to(flavour: Flavour, context: Context) -> bool {
    match flavour {
        // SAFETY: no pointers.
        Flavour::Envoy => Status::from_number(unsafe { proxy_set_effective_context(context.0) }) == Status::Ok,
        Flavour::Nginx => true,
    }
}

/// Whether requests may share a callout: the host must let the filter turn to each of them.
pub const fn shares_callouts(flavour: Flavour) -> bool {
    matches!(flavour, Flavour::Envoy)
}

/// Whether a callout may be made as soon as the last one is answered, and not only on the tick.
pub const fn calls_out_any_time(flavour: Flavour) -> bool {
    matches!(flavour, Flavour::Envoy)
}

/// Whether the host can change a request's path.
pub const fn rewrites_path(flavour: Flavour) -> bool {
    matches!(flavour, Flavour::Envoy)
}

/// Calls out to the sidecar. None where the host refused.
pub fn call(upstream: &str, headers: &[(&[u8], &[u8])], body: &[u8], timeout_ms: u32) -> Option<Callout> {
    let headers = pairs::write(headers);
    let trailers = pairs::write(&[]);
    let mut token = 0;
    // SAFETY: every pointer and size pair is of one live slice; the last pointer is to a live integer.
    let status = unsafe {
        proxy_http_call(
            upstream.as_ptr(),
            upstream.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            timeout_ms,
            &raw mut token,
        )
    };
    (Status::from_number(status) == Status::Ok).then_some(Callout(token))
}

/// A value that all workers share.
pub enum Shared {
    /// There is none yet; zero stands for that in [`set_shared`].
    Absent,
    /// The host can't say. It must not be replaced then.
    Failed,
    /// The value, and what to compare when replacing it.
    Value(Vec<u8>, u32),
}

/// Reads a value that all workers share.
pub fn shared(key: &str) -> Shared {
    let mut cas = 0;
    let place = &raw mut cas;
    let mut status = Status::Ok;
    let seen = &mut status;
    let value = received(|data, length| {
        // SAFETY: key is a live slice; the closure passes on pointers to live variables.
        let number = unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, length, place) };
        *seen = Status::from_number(number);
        number
    });
    match (value, status) {
        (Some(value), _) => Shared::Value(value, cas),
        (None, Status::NotFound) => Shared::Absent,
        (None, _) => Shared::Failed,
    }
}

/// Replaces a shared value, if nobody else did since it was read with `cas`.
pub fn set_shared(key: &str, value: &[u8], cas: u32) -> bool {
    // SAFETY: both pointer and size pairs are of live slices.
    let status = unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) };
    Status::from_number(status) == Status::Ok
}

/// Makes a metric known. None where the host has no metrics.
pub fn define_metric(kind: MetricType, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: name is a live slice, the pointer is to a live integer.
    let status = unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
    (Status::from_number(status) == Status::Ok).then_some(id)
}

/// Adds one to a counter.
pub fn count(metric: u32) {
    // SAFETY: no pointers.
    unsafe { proxy_increment_metric(metric, 1) };
}

/// Sets a gauge.
pub fn record(metric: u32, value: u64) {
    // SAFETY: no pointers.
    unsafe { proxy_record_metric(metric, value) };
}

/// Takes over what a host function allocated with [`allocate`]. None where it answered anything but
/// [`Status::Ok`]; empty where it allocated nothing.
fn received(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    let mut data = core::ptr::null_mut();
    let mut size = 0_usize;
    if Status::from_number(call(&raw mut data, &raw mut size)) != Status::Ok {
        return None;
    }
    if data.is_null() || size == 0 {
        return Some(Vec::new());
    }
    // SAFETY: the host got `data` from `allocate(size)`, wrote `size` bytes and keeps no pointer.
    Some(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// Memory that the host writes an answer into; `received` frees it.
#[must_use]
pub fn allocate(size: usize) -> *mut u8 {
    let mut bytes = core::mem::ManuallyDrop::new(Vec::<u8>::with_capacity(size));
    bytes.as_mut_ptr()
}

fn set_header(name: &[u8], value: &[u8]) -> bool {
    let map = MapType::HttpRequestHeaders as u32;
    // SAFETY: both pointer and size pairs are of live slices.
    let status = unsafe { proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    Status::from_number(status) == Status::Ok
}

fn remove_header(name: &[u8]) -> bool {
    let map = MapType::HttpRequestHeaders as u32;
    // SAFETY: the pointer and size pair is of a live slice.
    Status::from_number(unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) }) == Status::Ok
}

fn set_property(path: &[&str], value: &[u8]) -> bool {
    let path = path.join("\0");
    // SAFETY: both pointer and size pairs are of live slices.
    let status = unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) };
    Status::from_number(status) == Status::Ok
}
