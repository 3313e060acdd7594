//! Determined: which tasks serve what, on which port, and who may see it.
//!
//! [`client`] speaks the master's API. [`discovery`] makes services of the ports of tasks that run. [`access`] asks the
//! master who may use one, with the visitor's own credential. A port whose address the master does not say is reached
//! through the master's own proxy, which goes by the path: so such a service has a path that requests must begin with.
//!
//! The master's answers have secrets in them (a notebook's address has a token, a shell its private key). They are never
//! read: wire forms have no field for them. Never: logged, published, or kept.

pub mod access;
pub mod client;
pub mod discovery;
pub mod lent;
pub mod provider;
pub mod settings;
pub mod shown;
