//! The compiled filter in the test host: what clients, jobs and the sidecar notice of it.
//!
//! `stage` sets the scene (a proxy with the filter, a sidecar that behaves); every other module is one
//! subject. Tests assert outcomes; calls are counted only where a budget is promised.

#[cfg(test)]
mod clock;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod following;
#[cfg(test)]
mod inputs;
#[cfg(test)]
mod mirror;
#[cfg(test)]
mod nginx;
#[cfg(test)]
mod no_answer;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod retry;
#[cfg(test)]
mod single_flight;
#[cfg(test)]
pub(crate) mod stage;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod two_sidecars;
