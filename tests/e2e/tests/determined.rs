//! Determined's tasks through the real Envoy, on the master's own host (`envoy-config/determined.yaml`).

mod cookies;
mod credentials;
mod secrets;
mod site;
mod tasks;
mod tunnel;
