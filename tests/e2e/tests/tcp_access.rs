//! Who may connect to a port of its own: by certificate, or from where; on the real Envoy.

mod away;
mod entry;
mod job;
mod revoked;
mod site;
