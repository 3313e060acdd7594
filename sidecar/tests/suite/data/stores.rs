//! Stores against real servers that verify signatures, and signed URLs beside those of other implementations.

mod azure;
mod faults;
mod gcs;
mod local;
mod multipart;
mod radosgw;
mod s3;
mod self_test;
mod support;
