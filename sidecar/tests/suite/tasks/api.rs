//! The public API of tasks over the wire, with a real HSDS server behind it.

mod accept;
mod hostile;
mod identity;
mod look;
mod rights;
mod support;
mod wait;
