//! Discovery: where services come from.
//!
//! A [`Provider`](provider::Provider) follows one outside world and publishes whole inventories of it. It also owns who
//! may use its services. What it can't read costs that one service, never another.

pub mod file;
pub mod inventory;
pub mod own;
pub mod policy;
pub mod provider;
pub mod publisher;
pub mod rest;
pub mod settings;
mod written;
