//! Stores against real servers that verify signatures, and signed URLs beside those of other implementations.

mod azure;
mod gcs;
mod s3;
mod support;
