//! How much one VM may use.
//!
//! Why: a real proxy lets an endless loop block a worker for good; a test must see it as a trap.
//! Never measured in time, so the same filter stops at the same place on every machine.

/// Bounds of one VM.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Units of work, roughly instructions, of one callback. Running out is a trap.
    pub fuel_per_callback: u64,
    /// Bytes of linear memory. Growing beyond is refused, which a filter normally answers by trapping.
    pub memory_bytes: usize,
}

impl Default for Limits {
    /// Enough to configure a filter with a large table; memory as Envoy's host bounds it.
    fn default() -> Self {
        Self { fuel_per_callback: 500_000_000, memory_bytes: 1024 * 1024 * 1024 }
    }
}

/// What happens to a VM that trapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// Every later request is answered with 503 (Envoy's default).
    #[default]
    Closed,
    /// Every later request passes without the filter.
    Open,
    /// The next request finds a fresh instance. The back-off between reloads is not imitated.
    Reload,
}
