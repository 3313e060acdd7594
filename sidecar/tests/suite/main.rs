//! The sidecar as a whole: its listeners asked over the wire, and the program run as operators do.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]
#![expect(clippy::disallowed_methods, reason = "tests run what they like, and wait for it themselves")]

mod access;
mod api;
mod array;
mod arvados;
mod callout;
mod data;
mod decide;
mod determined;
mod discovery;
mod dns;
mod gateway;
#[cfg(feature = "kubernetes")]
mod gateway_kubernetes;
mod hsds;
mod kit;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod log_lines;
mod names;
mod program;
mod reload;
mod sign_in;
mod state;
mod tasks;
mod token_issuer;
mod traces;
mod xds;
mod ytsaurus;
