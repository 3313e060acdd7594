//! The Taskgate sidecar: it knows services and people, so that the filter does not have to.
//!
//! [`discovery`] follows where services run, [`registry`] names them, [`feed`] hands the table to
//! filters, [`auth`] says who is whom, and [`api`] is how they are asked. [`serve`] puts the pieces
//! together; [`cli`] is the program's face.
//!
//! It never sees the bodies of proxied requests, and it is not on the path of a request that is
//! already decided.

pub mod access;
pub mod api;
pub mod app;
pub mod array;
pub mod arvados;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod data;
pub mod digest;
pub mod discovery;
pub mod feed;
pub mod file;
pub mod hsds;
pub mod http;
pub mod lifecycle;
pub mod random;
pub mod registry;
pub mod retry;
pub mod secret;
pub mod serve;
pub mod tasks;
pub mod telemetry;
pub mod watch;
pub mod yaml;
pub mod ytsaurus;
