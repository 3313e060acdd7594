//! How the service of data behaves.

/// A length of time as a client's message has it, not yet believed: it may be negative, or no length at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignedDuration {
    /// Whole seconds.
    pub seconds: i64,
    /// Nanoseconds, of the same sign.
    pub nanos: i32,
}
