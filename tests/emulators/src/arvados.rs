//! An Arvados cluster as its controller shows it.
//!
//! Why: discovery, levels and the way to a container are tested against it, in states that no real cluster can
//! be brought into on demand.
//!
//! Read in this order: [`Arvados`] (what tests hold), `server` (from a connection to a request), `api` (from a
//! request to records), `controller` (from a host's name to a container), then what they work on: `cluster`,
//! `permissions`, `filters`.
//!
//! Never better than the real one: where the controller answers with a wrong status, buffers, or leaves a
//! WebSocket silent, so does this.

mod api;
mod cluster;
mod controller;
mod document;
mod error;
mod filters;
mod handle;
mod listing;
mod parameters;
mod permissions;
mod ports;
mod record;
mod server;
mod state;
mod uuid;

pub use handle::{Arvados, Submission};
pub use permissions::Level;
pub use record::Kind;
pub use state::{Call, Fault};
