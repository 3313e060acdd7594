//! Data: who may put bytes where, and the signed URLs with which they do it without passing through here.
//!
//! A request names a project and a domain, and what it wants to put or get. [`path`] makes a key of that, which
//! cannot leave the project and domain. [`catalog`] knows which projects there are, who may use them, and what runs
//! left behind. [`store`] signs URLs for the object store that the key is in, and reads and writes small objects
//! itself.

pub mod action;
pub mod audit;
pub mod caller;
pub mod catalog;
pub mod desk;
pub mod download;
pub mod error;
pub mod inputs;
pub mod logs;
pub mod multipart;
pub mod path;
pub mod placement;
mod reach;
pub mod self_test;
pub mod service;
pub mod settings;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;
pub mod upload;
