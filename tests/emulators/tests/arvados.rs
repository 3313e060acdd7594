//! Arvados' own client against the emulator, and what that client does not do: the way to containers.

mod client;
mod containers;
mod records;
