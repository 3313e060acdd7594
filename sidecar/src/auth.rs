//! Verdicts: who shows this credential, and may they use that service?
//!
//! [`source`] says what knows credentials, [`judge`] asks the sources in order, then the service's
//! provider, and keeps decisions for a while. An error on the way is never a decision.

pub mod actor;
pub mod arvados;
pub mod callout;
pub mod determined;
pub mod fields;
pub mod judge;
pub mod jwks;
pub mod jwt;
pub mod peers;
mod platform;
pub mod settings;
pub mod source;
pub mod tokens;
pub mod ytsaurus;
