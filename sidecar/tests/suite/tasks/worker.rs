//! Workers, with a real store, and operations that do what a test wants.

mod access;
mod drain;
mod endings;
mod leases;
mod outage;
mod program;
mod remote;
mod secrets;
mod stage;
