//! What a provider publishes.

use std::sync::Arc;

use taskgate_core::service::{Endpoint, Protocol};

use crate::discovery::policy::Policy;

/// The three names that a service's id is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// The workload, in the provider's own form.
    pub operation: String,
    /// Task name.
    pub task: String,
    /// Service name.
    pub service: String,
}

/// One service as its provider knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is called.
    pub key: Arc<ServiceKey>,
    /// Other service names that mean the same.
    pub alternatives: Vec<String>,
    /// The workload's alias.
    pub alias: Option<String>,
    /// What its jobs speak.
    pub protocol: Protocol,
    /// Where its jobs listen.
    pub endpoints: Vec<Endpoint>,
    /// Who may use it.
    pub policy: Policy,
    /// Whether the visitor's credential is passed on to the job.
    pub forward_credential: bool,
}

/// Something that is wrong with one service, or with one name of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// What it is about, as in `services[3]` or a service's names.
    pub subject: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// Everything that a provider sees, at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The services.
    pub services: Vec<Entry>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}
