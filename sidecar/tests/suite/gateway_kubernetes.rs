//! A Gateway of Kubernetes: who holds which port, and what listens there, against a server that stands in for a cluster.

mod contention;
mod crashes;
mod judges;
mod lives;
mod ports;
mod program;
mod rights;
mod served;
mod several;
mod stage;
mod strangers;
mod waiting;

use std::time::Duration;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);
