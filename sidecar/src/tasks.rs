//! Tasks: durable long work that clients ask for, and workers do.

pub mod operation;
pub mod operations;
pub mod queue;
pub mod request;
pub mod row;
pub mod seal;
pub mod store;
pub mod work;
