//! Arvados: which containers serve what, on which port, and who may see it.
//!
//! [`client`] speaks the cluster's API. [`discovery`] makes services of containers that run: a container
//! is the workload, however many requests it runs for. [`access`] asks who may use one, and [`relay`] is
//! the way to a container through the cluster's controller, for containers that nothing else reaches.
//!
//! Users write ports, properties and links: each is read by itself, and what can't be read costs itself
//! alone. What a request says counts only where the container's owner wrote it.

pub mod access;
pub mod client;
pub mod discovery;
pub mod lent;
pub mod network;
pub mod provider;
pub mod relay;
pub mod settings;
pub mod token;
pub mod uuid;
