//! A gRPC job, `taskgate.demo.Echo`, and its client.
//!
//! The service in the language of gRPC:
//!
//! ```proto
//! package taskgate.demo;
//! service Echo {
//!   rpc Unary(EchoRequest) returns (EchoReply);
//!   rpc ServerStream(EchoRequest) returns (stream EchoReply);
//!   rpc Chat(stream EchoRequest) returns (stream EchoReply);
//!   rpc Fail(EchoRequest) returns (stream EchoReply);
//! }
//! message EchoRequest { string message = 1; uint32 repeat = 2; uint32 every_ms = 3; }
//! message EchoReply { string name = 1; string message = 2; repeated string metadata_names = 3; }
//! ```
//!
//! `Fail` ends with FAILED_PRECONDITION after `repeat` answers (at once, where that is 0); the message is
//! the status message, and the value of the trailer `x-own-trailer`.
//!
//! Messages and glue are written by hand, so that nobody needs `protoc` to build the tests.

pub mod client;
mod message;
mod service;

pub use client::EchoClient;
pub use message::{EchoReply, EchoRequest};
pub use service::serve;

/// The methods' paths.
pub(crate) mod path {
    pub(crate) const UNARY: &str = "/taskgate.demo.Echo/Unary";
    pub(crate) const SERVER_STREAM: &str = "/taskgate.demo.Echo/ServerStream";
    pub(crate) const CHAT: &str = "/taskgate.demo.Echo/Chat";
    pub(crate) const FAIL: &str = "/taskgate.demo.Echo/Fail";
}
