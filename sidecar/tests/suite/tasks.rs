//! Tasks, with everything around them that is real.

mod operations;
mod store;
mod worker;
