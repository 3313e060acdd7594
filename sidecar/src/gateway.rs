//! The internal task gateway: TCP services at ports of their own.
//!
//! A service that speaks raw TCP has no header that could name it, so it gets a port from a range. [`ledger`] keeps
//! who holds which port, [`plane`] is what listens; a port is reserved before anything listens at it, and its address
//! is told to people only when something does.

pub mod board;
pub mod envoy;
pub mod keeper;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
pub mod ledger;
pub mod plane;
pub mod port;
pub mod probe;
mod rest_clock;
pub mod settings;
pub mod standing;
pub mod start;
pub mod store;
