//! Access of people: share links, sessions that end, and why somebody may or may not.

mod command_line;
mod creators;
mod explain;
mod links;
mod redeemed;
mod revoked;
mod routes;
mod sessions;
mod store;
mod support;
mod tunnels;
