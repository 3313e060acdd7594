//! What must hold between the real Envoy, the compiled filter, the sidecar and jobs.
//!
//! Each test starts processes of its own on free ports. Nothing is slept for: tests wait for what must
//! happen, and bounds are far wider than what they tell apart.

mod access;
mod arvados;
mod attach;
mod browser;
mod failover;
mod faults;
mod flyte;
mod oldest;
mod pass_through;
mod refusals;
mod spoofing;
mod support;
mod tasks;
mod ytsaurus;
