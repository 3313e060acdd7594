//! One call of a host function: its memory accesses, its faults and its way out.
//!
//! Why: every function counts, suffers faults and reports bad pointers in the same way.
//! Never panics on what a filter passes; a wild pointer is a status, as on Envoy.

use std::cell::RefMut;

use wasmtime::{Caller, Memory};

use crate::faults::{Corruption, Fault};
use crate::process::Process;
use crate::state::{Phase, VmState};
use crate::{HostFunction, Status};

/// A piece of the filter's memory that the host reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    pub(super) data: u32,
    pub(super) size: u32,
}

/// Where the filter wants to find the address and the length of a result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) data: u32,
    pub(super) size: u32,
}

/// Why a call ends early.
pub(super) enum Stop {
    /// The filter gets this status.
    Status(Status),
    /// The filter does not get to run any further.
    Trap(wasmtime::Error),
}

impl Stop {
    /// A trap that reads `reason`.
    pub(super) fn trap(reason: impl std::fmt::Display) -> Self {
        Self::Trap(wasmtime::Error::msg(reason.to_string()))
    }
}

impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// A running call.
pub(super) struct Call<'caller> {
    caller: Caller<'caller, VmState>,
    function: HostFunction,
    corruption: Option<Corruption>,
}

impl<'caller> Call<'caller> {
    /// Runs `body` as `function` and turns its result into the number the filter gets.
    pub(super) fn run(
        caller: Caller<'caller, VmState>,
        function: HostFunction,
        body: impl FnOnce(&mut Self) -> Result<(), Stop>,
    ) -> wasmtime::Result<u32> {
        let mut call = Self { caller, function, corruption: None };
        let result = match call.enter() {
            Ok(()) => body(&mut call),
            Err(stop) => Err(stop),
        };
        match result {
            Ok(()) => Ok(Status::Ok as u32),
            Err(Stop::Status(status)) => Ok(status as u32),
            Err(Stop::Trap(error)) => Err(error),
        }
    }

    fn enter(&mut self) -> Result<(), Stop> {
        let function = self.function;
        let fault = {
            let mut process = self.process();
            *process.calls.entry(function).or_default() += 1;
            process.faults.hit(function)
        };
        match fault {
            None => {}
            Some(Fault::Corrupt(corruption)) => self.corruption = Some(corruption),
            Some(Fault::Fail(status)) => return Err(status.into()),
            Some(Fault::Trap) => {
                return Err(Stop::trap(format_args!("fault: trap in {}", function.name())));
            }
        }
        if self.state().phase == Phase::Initializing && function != HostFunction::Log {
            return Err(Stop::trap(format_args!("{} is not allowed in `_initialize`", function.name())));
        }
        Ok(())
    }

    pub(super) fn state(&self) -> &VmState {
        self.caller.data()
    }

    pub(super) fn state_mut(&mut self) -> &mut VmState {
        self.caller.data_mut()
    }

    pub(super) fn process(&self) -> RefMut<'_, Process> {
        self.caller.data().process.borrow_mut()
    }

    /// Ends the call as something this flavour of host does not offer.
    pub(super) fn unsupported(&self) -> Stop {
        Stop::trap(format_args!("{} is not supported by this host", self.function.name()))
    }

    /// Ends the call, and with it the whole host process.
    pub(super) fn crash(&self, reason: &str) -> Stop {
        self.process().crash(reason);
        Stop::trap(format_args!("the host crashed: {reason}"))
    }

    /// The bytes the filter passes.
    pub(super) fn read(&self, slice: Slice) -> Result<Vec<u8>, Stop> {
        let memory = self.memory()?;
        let start = usize::try_from(slice.data).map_err(|_| Status::InvalidMemoryAccess)?;
        let size = usize::try_from(slice.size).map_err(|_| Status::InvalidMemoryAccess)?;
        let end = start.checked_add(size).ok_or(Status::InvalidMemoryAccess)?;
        let bytes = memory.data(&self.caller).get(start..end).ok_or(Status::InvalidMemoryAccess)?;
        Ok(bytes.to_vec())
    }

    /// The text the filter passes, lossy where it is no UTF-8.
    pub(super) fn read_text(&self, slice: Slice) -> Result<String, Stop> {
        Ok(String::from_utf8_lossy(&self.read(slice)?).into_owned())
    }

    pub(super) fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Stop> {
        let memory = self.memory()?;
        let start = usize::try_from(address).map_err(|_| Status::InvalidMemoryAccess)?;
        Ok(memory.write(&mut self.caller, start, bytes).map_err(|_| Status::InvalidMemoryAccess)?)
    }

    pub(super) fn write_number(&mut self, address: u32, number: u32) -> Result<(), Stop> {
        self.write(address, &number.to_le_bytes())
    }

    /// Hands `bytes` over in memory the filter allocates; nothing is allocated for no bytes.
    pub(super) fn give(&mut self, bytes: &[u8], target: Target) -> Result<(), Stop> {
        let corrupted = self.corruption.as_ref().map(|corruption| corruption.apply(bytes));
        let bytes = corrupted.as_deref().unwrap_or(bytes);
        let size = u32::try_from(bytes.len()).map_err(|_| Status::InternalFailure)?;
        let mut address = 0;
        if size > 0 {
            let allocate = self.state().allocate.clone().ok_or(Status::InternalFailure)?;
            address = allocate.call(&mut self.caller, size).map_err(Stop::Trap)?;
            if address == 0 {
                return Err(Status::InvalidMemoryAccess.into());
            }
            self.write(address, bytes)?;
        }
        self.write_number(target.data, address)?;
        self.write_number(target.size, size)
    }

    fn memory(&self) -> Result<Memory, Stop> {
        Ok(self.state().memory.ok_or(Status::InvalidMemoryAccess)?)
    }
}
