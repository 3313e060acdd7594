//! Data: signed URLs, and the stores that they lead to.

mod cli;
mod local;
mod serve;
mod stores;
