//! What operators can rely on when parts of the gateway fail, restart or change under load.

mod broken_files;
mod bypassed;
mod clocks;
mod envoy_first;
mod envoy_restarted;
mod false_sidecar;
mod feed_cut;
mod feed_false;
mod flood;
mod full_disk;
mod idle_sockets;
mod job_killed;
mod keys;
mod sidecar_dead;
mod sidecar_restarted;
mod sidecar_slow;
mod table_pushes;
mod two_sidecars;
mod verdicts;
mod vm_killed;
