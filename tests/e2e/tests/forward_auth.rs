//! Ingresses that ask the sidecar about each request: Envoy by `ext_authz` (both ways), HAProxy and Caddy, each with
//! the very files that operators copy. NGINX has a module of its own.

mod connect;
mod front;
mod jobs;
mod outages;
mod own_paths;
mod refusals;
mod sessions;
mod spoofing;
mod tunnels;
mod upgrades;
