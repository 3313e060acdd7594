//! The Taskgate sidecar: it knows services and people, so that the filter does not have to.
//!
//! [`discovery`] follows where services run, [`registry`] names them, [`feed`] hands the table to
//! filters, [`auth`] says who is whom, and [`api`] is how they are asked. [`serve`] puts the pieces
//! together; [`cli`] is the program's face.
//!
//! It never sees the bodies of proxied requests and is not on the path of a request that is already
//! decided, but for tunnels ([`tunnel`]), which end in it.

#![cfg_attr(test, expect(clippy::disallowed_methods, reason = "tests run what they like, and wait for it themselves"))]

pub mod access;
pub mod activity;
pub mod api;
pub mod app;
pub mod array;
pub mod arvados;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod data;
pub mod decide;
pub mod determined;
pub mod digest;
pub mod discovery;
pub mod dns;
pub mod feed;
pub mod file;
pub mod gateway;
pub mod hsds;
pub mod http;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
pub mod lifecycle;
pub mod random;
pub mod registry;
pub mod render;
pub mod replica;
pub mod retry;
pub mod secret;
pub mod serve;
pub mod tasks;
pub mod telemetry;
pub mod tunnel;
pub mod watch;
pub mod xds;
pub mod yaml;
pub mod ytsaurus;
