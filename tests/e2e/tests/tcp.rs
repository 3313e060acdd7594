//! `envoy-config/tcp.yaml`: TCP services at ports of their own, which the sidecar has Envoy listen at.

mod beside_http;
mod block;
mod certificates;
mod churn;
mod failover;
mod job;
mod limit;
mod removed;
mod renewal;
mod restarts;
mod site;
mod taken;
