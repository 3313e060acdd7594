//! Tasks: durable long work that clients ask for, and workers do.

pub mod audit;
pub mod authorise;
pub mod desk;
pub mod identity;
pub mod operation;
pub mod operations;
pub mod places;
pub mod queue;
pub mod reception;
pub mod request;
pub mod row;
pub mod schema;
pub mod seal;
pub mod settings;
pub mod store;
pub mod work;
pub mod worker;
