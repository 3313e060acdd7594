//! Addresses of jobs over delta xDS, asked for over the wire.

mod client;
mod protocol;
mod refusals;
