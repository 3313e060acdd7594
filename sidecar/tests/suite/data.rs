//! Data: signed URLs, and the stores that they lead to.

mod local;
mod stores;
