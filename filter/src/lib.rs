//! The Proxy-Wasm filter: host events in, `taskgate-core` steps out.
//!
//! The entry points of the ABI are in [`export`], the only module with entry symbols; [`host`] is the
//! only caller of host functions and the one place that knows how hosts differ. In between, [`worker`]
//! holds what one VM knows, [`request`] takes a request through the gate, [`feed`] follows the
//! sidecar's table, and [`mirror`] keeps it in shared data for the next VM.
//!
//! The filter decides nothing and parses no provider's format. Nothing in it panics, and every loop is
//! bounded: a proxy has no fuel, and an endless loop in a filter is an outage.

pub mod abi;
pub mod config;
#[cfg(target_arch = "wasm32")]
pub mod connection;
#[cfg(target_arch = "wasm32")]
pub mod export;
#[cfg(target_arch = "wasm32")]
pub mod feed;
#[cfg(target_arch = "wasm32")]
pub mod host;
#[cfg(target_arch = "wasm32")]
pub mod metric;
#[cfg(target_arch = "wasm32")]
pub mod mirror;
pub mod pairs;
#[cfg(target_arch = "wasm32")]
pub mod request;
#[cfg(target_arch = "wasm32")]
pub mod streams;
#[cfg(target_arch = "wasm32")]
pub mod worker;
