//! What is permitted arrives as it was sent, in both directions, and lasts.

mod grpc;
mod http1;
mod http2;
mod limits;
mod streams;
mod uploads;
mod websocket;
