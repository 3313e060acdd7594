//! `envoy-config/xds.yaml`: the sidecar tells Envoy where jobs are.

mod changes;
mod health;
mod nodes;
mod routing;
mod same;
mod site;
mod tunnels;
