//! Tasks, with everything around them that is real.

mod copy;
mod operations;
mod store;
mod worker;
