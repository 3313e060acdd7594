//! What clients other than the official one rely on, over plain HTTP.

mod ask;
mod authentication;
mod batches;
mod errors;
mod listings;
mod parameters;
mod tables;
mod trouble;
