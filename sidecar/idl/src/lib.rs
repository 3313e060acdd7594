//! The messages and services of Flyte's data proxy and cluster service, and the one form in which inputs are hashed.
//!
//! The `.proto` files are ours; names and numbers are Flyte's, which a test compares with. They are a crate of their
//! own because what is generated from them takes long to compile.

pub mod canonical;
pub mod wire;

/// What the messages and services are, as a `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/flyteidl2.bin"));

/// What is generated.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    unsafe_code,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated code"
)]
pub mod proto {
    connectrpc::include_generated!("flyteidl2.rs");
}
