//! The host functions a filter imports.
//!
//! Why: one file per group of functions, each function as the C++ host of Envoy has it, with the
//! differences of other flavours asked from [`Flavour`](crate::Flavour). Never decides what becomes
//! of a stream: functions only record what the filter wants, and the VM acts when the callback returns.

use wasmtime::{Caller, Linker};

use crate::HostFunction;
use crate::state::VmState;
use call::{Call, Slice, Target};

pub(crate) use contexts::nanoseconds;

mod buffers;
mod call;
mod contexts;
mod grpc;
mod headers;
mod http;
mod properties;
mod shared;
mod wasi;

macro_rules! define {
    ($linker:ident, $function:ident($($argument:ident: $kind:ty),*) => $body:expr) => {
        $linker.func_wrap(
            "env",
            HostFunction::$function.name(),
            |caller: Caller<'_, VmState>, $($argument: $kind),*| -> wasmtime::Result<u32> {
                Call::run(caller, HostFunction::$function, |call| {
                    let body: fn(&mut Call<'_>, $($kind),*) -> Result<(), call::Stop> = $body;
                    body(call, $($argument),*)
                })
            },
        )?
    };
}

/// A linker with every function a filter may import.
pub(crate) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    link_headers(linker)?;
    link_streams(linker)?;
    link_shared(linker)?;
    grpc::link(linker)?;
    wasi::link(linker)
}

fn link_headers(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    define!(linker, GetHeaderMapPairs(map: u32, data: u32, size: u32)
        => |call, map, data, size| headers::pairs(call, map, Target { data, size }));
    define!(linker, SetHeaderMapPairs(map: u32, data: u32, size: u32)
        => |call, map, data, size| headers::set_pairs(call, map, Slice { data, size }));
    define!(linker, GetHeaderMapSize(map: u32, size: u32) => headers::size);
    define!(linker, GetHeaderMapValue(map: u32, key: u32, key_size: u32, data: u32, size: u32)
        => |call, map, key, key_size, data, size|
            headers::value(call, map, Slice { data: key, size: key_size }, Target { data, size }));
    define!(linker, AddHeaderMapValue(map: u32, key: u32, key_size: u32, data: u32, size: u32)
        => |call, map, key, key_size, data, size|
            headers::add(call, map, Slice { data: key, size: key_size }, Slice { data, size }));
    define!(linker, ReplaceHeaderMapValue(map: u32, key: u32, key_size: u32, data: u32, size: u32)
        => |call, map, key, key_size, data, size|
            headers::replace(call, map, Slice { data: key, size: key_size }, Slice { data, size }));
    define!(linker, RemoveHeaderMapValue(map: u32, data: u32, size: u32)
        => |call, map, data, size| headers::remove(call, map, Slice { data, size }));
    define!(linker, GetBufferBytes(buffer: u32, start: u32, length: u32, data: u32, size: u32)
        => |call, buffer, start, length, data, size|
            buffers::read(call, buffer, (start, length), Target { data, size }));
    define!(linker, SetBufferBytes(buffer: u32, start: u32, length: u32, data: u32, size: u32)
        => |call, buffer, start, length, data, size|
            buffers::write(call, buffer, (start, length), Slice { data, size }));
    define!(linker, GetBufferStatus(buffer: u32, length: u32, flags: u32) => buffers::status);
    define!(linker, GetProperty(path: u32, path_size: u32, data: u32, size: u32)
        => |call, path, path_size, data, size|
            properties::read(call, Slice { data: path, size: path_size }, Target { data, size }));
    define!(linker, SetProperty(path: u32, path_size: u32, data: u32, size: u32)
        => |call, path, path_size, data, size|
            properties::write(call, Slice { data: path, size: path_size }, Slice { data, size }));
    Ok(())
}

fn link_streams(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    define!(linker, SendLocalResponse(status: u32, details: u32, details_size: u32, body: u32, body_size: u32,
        headers: u32, headers_size: u32, grpc_status: u32)
    => |call, status, details, details_size, body, body_size, headers, headers_size, grpc_status|
        http::reply(call, &http::RawReply {
            status,
            details: Slice { data: details, size: details_size },
            body: Slice { data: body, size: body_size },
            headers: Slice { data: headers, size: headers_size },
            grpc_status,
        }));
    define!(linker, HttpCall(cluster: u32, cluster_size: u32, headers: u32, headers_size: u32, body: u32,
        body_size: u32, trailers: u32, trailers_size: u32, timeout: u32, token: u32)
    => |call, cluster, cluster_size, headers, headers_size, body, body_size, _trailers, _trailers_size,
        timeout, token|
        http::dispatch(call, &http::RawCallout {
            cluster: Slice { data: cluster, size: cluster_size },
            headers: Slice { data: headers, size: headers_size },
            body: Slice { data: body, size: body_size },
            timeout_milliseconds: timeout,
            token,
        }));
    define!(linker, ContinueStream(half: u32) => http::continue_stream);
    define!(linker, CloseStream(half: u32) => http::close_stream);
    define!(linker, SetEffectiveContext(context: u32) => contexts::choose);
    define!(linker, Done() => contexts::done);
    define!(linker, SetTickPeriod(period: u32) => contexts::set_tick_period);
    define!(linker, GetCurrentTime(time: u32) => contexts::time);
    define!(linker, GetStatus(code: u32, data: u32, size: u32)
        => |call, code, data, size| contexts::status(call, code, Target { data, size }));
    define!(linker, CallForeignFunction(name: u32, name_size: u32, _arguments: u32, _arguments_size: u32,
            _results: u32, _results_size: u32)
        => |call, name, name_size, _, _, _, _| contexts::foreign(call, Slice { data: name, size: name_size }));
    define!(linker, Log(level: u32, data: u32, size: u32)
        => |call, level, data, size| contexts::log(call, level, Slice { data, size }));
    define!(linker, GetLogLevel(level: u32) => contexts::log_level);
    Ok(())
}

fn link_shared(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    define!(linker, GetSharedData(key: u32, key_size: u32, data: u32, size: u32, number: u32)
        => |call, key, key_size, data, size, number|
            shared::read(call, Slice { data: key, size: key_size }, Target { data, size }, number));
    define!(linker, SetSharedData(key: u32, key_size: u32, data: u32, size: u32, number: u32)
        => |call, key, key_size, data, size, number|
            shared::write(call, Slice { data: key, size: key_size }, Slice { data, size }, number));
    define!(linker, RegisterSharedQueue(data: u32, size: u32, number: u32)
        => |call, data, size, number| shared::register(call, Slice { data, size }, number));
    define!(linker, ResolveSharedQueue(_vm: u32, _vm_size: u32, data: u32, size: u32, number: u32)
        => |call, _, _, data, size, number| shared::resolve(call, Slice { data, size }, number));
    define!(linker, EnqueueSharedQueue(number: u32, data: u32, size: u32)
        => |call, number, data, size| shared::enqueue(call, number, Slice { data, size }));
    define!(linker, DequeueSharedQueue(number: u32, data: u32, size: u32)
        => |call, number, data, size| shared::dequeue(call, number, Target { data, size }));
    define!(linker, DefineMetric(kind: u32, data: u32, size: u32, number: u32)
        => |call, kind, data, size, number| shared::define_metric(call, kind, Slice { data, size }, number));
    define!(linker, IncrementMetric(number: u32, offset: i64) => shared::increment_metric);
    define!(linker, RecordMetric(number: u32, value: u64) => shared::record_metric);
    define!(linker, GetMetric(number: u32, value: u32) => shared::metric);
    Ok(())
}
