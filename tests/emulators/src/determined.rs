//! A Determined cluster as its master shows it.
//!
//! Why: discovery, verdicts and tunnels are tested against it, in states that no real cluster can be brought into on
//! demand.
//!
//! Read in this order: [`Determined`] (what tests hold), `cluster` (users, tasks and who sees what), `server` (from a
//! connection to a request), `api` (from a request to an answer), `proxy` (from a path to a task), `tcp` (TCP in a
//! WebSocket).
//!
//! Never better than the real one: answers have the secrets that the real ones have, the proxy looks at the beginnings of
//! requests alone, and what it lets through keeps its path and its credentials.

mod api;
mod cluster;
mod handle;
mod proxy;
mod server;
mod tcp;

pub use cluster::{Kind, Port, Task};
pub use handle::Determined;
pub use server::Call;
