//! Logs of pods, with a sidecar as it is started and a server that stands in for a cluster.

mod cluster;
mod judge;
mod logs;
mod refusals;
mod stage;
mod tls;

use std::time::Duration;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);
