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

use taskgate::tasks::store::Claimant;

/// A worker that does the operations of these tests.
fn claimant(name: &str) -> Claimant {
    let operations = ["copy", "factor", "noop", "play"].map(str::to_owned).to_vec();
    Claimant { name: name.to_owned(), operations }
}
