//! Signatures of object stores: pure functions of a request, a credential and a time.
//!
//! They are our own because what a URL must be tied to (an exact length, that nothing is there yet, any name of an
//! object) is more than libraries sign. They read no clock and send nothing.

pub(crate) mod azure;
pub(crate) mod encode;
pub(crate) mod order;
pub(crate) mod stamp;
pub(crate) mod v4;
