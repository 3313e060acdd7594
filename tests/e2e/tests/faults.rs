//! What operators can rely on when parts of the gateway fail, restart or change under load.

mod bypassed;
mod envoy_first;
mod false_sidecar;
mod job_killed;
mod keys;
mod sidecar_dead;
mod sidecar_restarted;
mod sidecar_slow;
mod table_pushes;
mod verdicts;
mod vm_killed;
