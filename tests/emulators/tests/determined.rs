//! Determined's own client against the emulator, and what that client does not do.

mod client;
mod proxy;
