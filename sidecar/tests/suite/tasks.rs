//! Tasks, with everything around them that is real.

mod store;
mod worker;
