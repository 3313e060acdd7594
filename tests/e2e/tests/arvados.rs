//! Arvados' containers through the real Envoy.

mod addressed;
mod controller;
mod sessions;
mod site;
