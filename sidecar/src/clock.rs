//! What time it is, as something that can be handed over.
//!
//! Everything here that compares times takes a [`Clock`], so that tests move time by hand. Nothing
//! else reads the system's clock.
//!
//! A machine has two: the wall clock, which somebody may set, and one that nobody can, which says nothing but how much
//! time passed.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use taskgate_core::time::UnixTime;

/// A clock.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// What time it is. It may jump, ahead and back.
    fn now(&self) -> UnixTime;

    /// How much time passed since some moment in this process's life. It never jumps, and never goes back.
    fn passed(&self) -> Duration;
}

/// A clock that is handed around.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A clock that moves when it is told to.
#[derive(Debug)]
pub struct ManualClock {
    millis: AtomicU64,
    passed_millis: AtomicU64,
}

/// From when it is counted how much time passed.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: UnixTime) -> Self {
        Self { millis: AtomicU64::new(now.as_millis()), passed_millis: AtomicU64::new(0) }
    }

    /// Lets time pass.
    pub fn advance(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.millis.fetch_add(millis, Ordering::SeqCst);
        self.passed_millis.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the wall clock, as somebody does who finds that it is wrong. No time passes.
    pub fn set(&self, now: UnixTime) {
        self.millis.store(now.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "what the ban leads to")]
    fn now(&self) -> UnixTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn passed(&self) -> Duration {
        BEGINNING.elapsed()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.millis.load(Ordering::SeqCst))
    }

    fn passed(&self) -> Duration {
        Duration::from_millis(self.passed_millis.load(Ordering::SeqCst))
    }
}
