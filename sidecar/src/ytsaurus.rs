//! YTsaurus: who runs what, on which node and port, and who may see it.
//!
//! [`client`] speaks the cluster's HTTP API and [`commands`] are its commands
//! with types. Everything that the cluster says
//! about operations was written by users: it is read piece by piece, and what can't be read costs
//! itself alone.

pub mod access;
pub mod client;
pub mod commands;
pub mod discovery;
pub mod path;
pub mod provider;
pub mod settings;
pub mod table;
pub mod text;
