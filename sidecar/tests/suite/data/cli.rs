//! `taskgate upload` and `taskgate download` as people run them: against the API of data and a store, and with what
//! goes wrong on the way there.

mod download;
mod faults;
mod large;
mod sidecar;
mod stage;
mod upload;
