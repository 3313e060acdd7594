//! The sidecar as a whole: its listeners asked over the wire, and the program run as operators do.

mod api;
mod callout;
mod discovery;
mod kit;
mod program;
mod reload;
mod token_issuer;
