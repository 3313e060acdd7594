//! Tasks: durable long work that clients ask for, and workers do.

pub mod request;
pub mod row;
pub mod store;
