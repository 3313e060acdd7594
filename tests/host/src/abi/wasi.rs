//! The few functions of WASI that compilers link into a module without being asked.
//!
//! Why: a filter built for `wasm32-wasip1` still loads. Never offers files, real time or real
//! randomness.

use wasmtime::{Caller, Linker};

use crate::state::VmState;

const MODULE: &str = "wasi_snapshot_preview1";
const SUCCESS: u32 = 0;
const FAULT: u32 = 21;
/// Envoy hands out no more random bytes than this at once.
const MAX_RANDOM_BYTES: u32 = 64 * 1024;

/// Adds the stubs to `linker`.
pub(super) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    linker.func_wrap(MODULE, "environ_get", |_: u32, _: u32| SUCCESS)?;
    linker.func_wrap(MODULE, "environ_sizes_get", no_strings)?;
    linker.func_wrap(MODULE, "args_get", |_: u32, _: u32| SUCCESS)?;
    linker.func_wrap(MODULE, "args_sizes_get", no_strings)?;
    linker.func_wrap(MODULE, "fd_write", discard)?;
    linker.func_wrap(MODULE, "sched_yield", || SUCCESS)?;
    linker.func_wrap(MODULE, "proc_exit", |code: u32| -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg(format!("the filter exited with code {code}")))
    })?;
    linker.func_wrap(MODULE, "random_get", |mut caller: Caller<'_, VmState>, data: u32, size: u32| {
        if size > MAX_RANDOM_BYTES {
            return FAULT;
        }
        // The same bytes on every run; no filter may depend on more.
        let bytes: Vec<u8> = (0..size).map(|place| place.wrapping_mul(167).to_le_bytes()[0]).collect();
        write(&mut caller, data, &bytes)
    })?;
    linker.func_wrap(MODULE, "clock_time_get", |mut caller: Caller<'_, VmState>, _: u32, _: u64, time: u32| {
        let now = caller.data().process.borrow().clock_ns;
        write(&mut caller, time, &now.to_le_bytes())
    })?;
    Ok(())
}

fn no_strings(mut caller: Caller<'_, VmState>, count: u32, size: u32) -> u32 {
    write(&mut caller, count, &[0; 4]).max(write(&mut caller, size, &[0; 4]))
}

/// Says that everything was written and writes nothing: what matters goes through `proxy_log`.
fn discard(mut caller: Caller<'_, VmState>, _file: u32, parts: u32, count: u32, written: u32) -> u32 {
    let Some(memory) = caller.data().memory else { return FAULT };
    let mut total = 0_u32;
    for part in 0..count {
        let place = u64::from(parts) + u64::from(part) * 8 + 4;
        let length = usize::try_from(place)
            .ok()
            .and_then(|place| memory.data(&caller).get(place..)?.first_chunk::<4>().copied());
        let Some(length) = length else { return FAULT };
        total = total.wrapping_add(u32::from_le_bytes(length));
    }
    write(&mut caller, written, &total.to_le_bytes())
}

fn write(caller: &mut Caller<'_, VmState>, address: u32, bytes: &[u8]) -> u32 {
    let (Some(memory), Ok(start)) = (caller.data().memory, usize::try_from(address)) else { return FAULT };
    memory.write(caller, start, bytes).map_or(FAULT, |()| SUCCESS)
}
