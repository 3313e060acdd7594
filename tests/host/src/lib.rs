//! A Proxy-Wasm host for tests: it loads a compiled filter and behaves as a proxy does.
//!
//! Why: the filter's promises hold only in the compiled artefact under the rules of a real host. This
//! host has those rules, a clock that moves only when told, and faults on demand, so every test is
//! deterministic and ends in an [`Outcome`].
//!
//! Read in this order: [`FilterModule`] (compiled once), [`Host`] (one process: clock, shared data,
//! metrics, faults), [`Vm`] (one worker: plugins, requests, answers, ticks), [`Outcome`].
//!
//! Never opens a socket, reads the real clock or depends on the filter's sources.

mod abi;
mod callout;
mod error;
mod faults;
mod flavour;
mod headers;
mod host;
mod limits;
mod module;
mod nginx;
mod process;
mod state;
mod status;
mod stream;
mod vm;

pub use callout::{Answer, Callout, CalloutId, Delivery};
pub use error::HostError;
pub use faults::{Calls, Corruption};
pub use flavour::Flavour;
pub use headers::Headers;
pub use host::Host;
pub use limits::{FailurePolicy, Limits};
pub use module::FilterModule;
pub use nginx::{Destination, NginxConf};
pub use process::LogLine;
pub use status::{HostFunction, LogLevel, Status};
pub use stream::{Connection, Outcome, Reply, Request, StreamId};
pub use vm::{RootId, TrapReport, Vm, VmOptions};
