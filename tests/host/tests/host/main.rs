//! Tests of the test host, with guests small enough to be read beside each test.

mod callouts;
mod faults;
mod guest;
mod headers;
mod lifecycle;
mod replies;
mod shared;
mod traps;
mod wasmx;
mod wasmx_rules;
