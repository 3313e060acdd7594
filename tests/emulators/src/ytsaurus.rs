//! A YTsaurus cluster as its HTTP proxy shows it.
//!
//! Why: discovery, authorisation and the table of services are tested against it, at sizes and in states that
//! no real cluster can be brought into on demand.
//!
//! Read in this order: [`Ytsaurus`] (what tests hold), `proxy` (from a request to a command), `commands`, then
//! what they work on: `cypress`, `operations`, `jobs`, `access`.
//!
//! Never forgives what a real cluster would not: parameters, formats and errors are checked as there.

mod access;
mod answer;
mod auth;
mod calls;
mod catalogue;
mod cluster;
mod commands;
mod cypress;
mod encoding;
mod error;
mod faults;
mod formats;
mod guid;
mod handle;
mod jobs;
mod operations;
mod parameters;
mod proxy;
mod query;
mod scenario;
mod server;
mod state;
mod time;

pub use auth::COOKIE;
pub use calls::Call;
pub use error::{ClusterError, codes};
pub use faults::Fault;
pub use guid::{Guid, MalformedGuid};
pub use handle::Ytsaurus;
pub use jobs::{Job, NodeOutage};
pub use operations::Operation;
pub use parameters::Parameters;
pub use scenario::ScenarioError;
