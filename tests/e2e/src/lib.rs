//! End-to-end tests: the real Envoy with the compiled filter, the real sidecar, and small jobs.
//!
//! They are in `tests/`; each starts processes of its own on free ports and leaves nothing behind. They
//! need `make filter fault-filter envoy yt-client` and `cargo build -p taskgate`.
