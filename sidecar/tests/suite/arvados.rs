//! Arvados: discovery, levels and the way through the controller, against a cluster that is played.

mod discovery;
mod levels;
mod relay;
mod support;
mod trouble;
