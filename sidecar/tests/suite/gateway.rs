//! The internal task gateway: who holds which port, what listens, and what is told.

mod complete;
mod crash;
mod keeper;
mod ledger;
mod mortal;
mod process;
mod share;
pub(crate) mod stage;
mod told;
