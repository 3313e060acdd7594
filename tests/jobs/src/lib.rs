//! Small jobs to put behind the gateway: an HTTP, a gRPC and a WebSocket server.
//!
//! Why: the demo, the end-to-end tests and the benchmark need something real to route to, that says who
//! answered and what it received, and that can be stopped, killed or made to misbehave on demand.
//!
//! Read in this order: [`job`] (what they have in common), then [`http`], [`grpc`], [`websocket`].
//!
//! Never checks credentials: what reaches a job is what the tests look at.

pub mod connection;
pub mod grpc;
pub mod http;
pub mod job;
mod reply;
mod serving;
pub mod websocket;

pub use job::{JobHandle, JobOptions, listen};
