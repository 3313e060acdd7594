//! A Kubernetes API server, as much of it as gateways need: the Gateway API, Services, slices of endpoints, and a
//! controller that does what a script says.
//!
//! Why: conflicts, limits, crashes and controllers that never do anything can't be had of a real cluster on demand.
//!
//! Read in this order: [`Kubernetes`] (what tests hold), `server` (from a connection to a request), `api` (from a
//! request to objects), `store`, then what it is checked by (`schema`, `rules`, `builtin`) and who answers
//! (`controller`).
//!
//! Never better than the real one: a stale write is a conflict, one without a version is refused, a merge patch replaces
//! lists, and what is unknown to the schema is dropped without a word.

mod api;
mod authority;
mod builtin;
mod controller;

mod handle;
mod network;
mod patch;
mod refusal;
mod resource;
mod rules;
mod schema;
mod schemas;
mod server;
mod state;
mod store;
mod watch;

pub use authority::Rule;
pub use controller::Script;
pub use handle::Kubernetes;
pub use state::{Death, Profile};
