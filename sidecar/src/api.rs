//! HTTP: what the filter asks, and what operators look at.

pub mod access;
mod authority;
pub mod body;
pub mod data;
pub mod decide;
pub mod flyte;
pub mod guard;
pub mod internal;
pub mod names;
pub mod objects;
pub mod operations;
pub mod problem;
pub mod public;
mod room;
pub mod services;
pub mod session;
mod table;
pub mod tasks;
mod verdict;
mod wasm;
