//! YTsaurus's own client against the emulator: what it prints and returns is what a cluster would have it
//! print and return.

mod api;
mod cli;
mod client;
mod trouble;
