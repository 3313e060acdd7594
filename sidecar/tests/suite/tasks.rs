//! Tasks, with everything around them that is real.

mod api;
mod attempt;
mod cli;
mod command_operation;
mod copy;
mod http_operation;
mod operations;
mod store;
mod worker;
