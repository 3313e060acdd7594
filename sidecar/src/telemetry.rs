//! What the sidecar tells operators: logs and metrics. Never a credential.

pub mod catalogue;
pub mod logs;
pub mod metrics;
pub mod trace;
