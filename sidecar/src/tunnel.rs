//! Tunnels: raw TCP inside a WebSocket, so that a service that speaks no HTTP is reached through the ordinary ingress,
//! with the ordinary check of who may.
//!
//! The gate decides, as about any request, and vouches for what it permitted ([`taskgate_core::visitor`]); the
//! [`desk`] believes that vouch and nothing else, [dials](dial) a job of that one service, and only then takes the
//! upgrade. [Places](places) are bounded, in all, by service and by visitor. From there on the [`bridge`] copies, one [`frame`] after another, and [`watch`] ends what is no longer
//! allowed. The other end, in the command line, is the same bridge.
//!
//! Never: a job's address that a client chose; bytes kept beyond what is being written.

pub mod bridge;
pub mod desk;
pub mod dial;
pub mod frame;
pub mod handshake;
pub mod places;
pub mod settings;
pub mod watch;
