//! Taskgate's decisions, as pure functions over values.
//!
//! The filter, the sidecar and the browser pages all run this crate, so that all of them decide the
//! same. In the order in which a request meets them: [`address`] names a service, [`table`] has it,
//! [`credential`] finds what the visitor shows, [`verdict`] is what the sidecar thinks of it, [`gate`]
//! puts them together, and the outcome is either [`edit`]s to the request or a [`reply`].
//!
//! It never does I/O, reads a clock, draws a random number or looks at the environment: time and
//! randomness are arguments. It never panics, whatever it is given.

pub mod address;
pub mod assertion;
pub mod audit;
#[cfg(feature = "browser")]
pub mod browser;
pub mod cache;
pub mod candidate;
pub mod config;
pub mod cookie;
pub mod credential;
pub mod denial;
pub mod edit;
pub mod feed;
pub mod gate;
pub mod identity;
pub mod key;
pub mod label;
pub mod mirror;
pub mod naming;
pub mod notes;
pub mod peer;
pub mod permit;
pub mod plan;
pub mod query;
pub mod reply;
pub mod request;
pub mod revocation;
pub mod service;
pub mod session;
pub mod set_cookie;
pub mod share;
pub mod signed_url;
pub mod standing;
pub mod table;
pub mod task;
pub mod time;
pub mod token;
pub mod trace_context;
pub mod verdict;
pub mod visitor;
