//! What must hold between the real Envoy, the compiled filter, the sidecar and jobs.
//!
//! Each test starts processes of its own on free ports. Nothing is slept for: tests wait for what must
//! happen, and bounds are far wider than what they tell apart.

#![expect(clippy::print_stderr, reason = "some tests say what they measured, or what could not be had here")]

mod access;
mod arvados;
mod attach;
mod browser;
mod determined;
mod dns;
mod failover;
mod faults;
mod flyte;
mod forward_auth;
mod nginx;
mod oldest;
mod pass_through;
mod refusals;
mod spoofing;
mod support;
mod tasks;
mod tcp;
mod tcp_access;
mod traces;
mod tunnel;
mod wasmx;
mod xds;
mod ytsaurus;
