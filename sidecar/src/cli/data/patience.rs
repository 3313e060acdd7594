//! How often what failed is tried again, and when.

use std::time::Duration;

use crate::retry;

/// How often in a row something may fail.
const MOST: u32 = 8;
/// The longest that a server can ask to wait.
const LONGEST: Duration = Duration::from_secs(60);

/// How often it failed since something was gained.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    misses: u32,
}

impl Patience {
    /// How long to wait before it is tried again; none: it is not.
    pub(super) fn miss(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.misses += 1;
        let own = retry::wait(self.misses);
        (self.misses <= MOST).then(|| own.max(asked.unwrap_or_default().min(LONGEST)))
    }

    /// Something was gained.
    pub(super) fn gained(&mut self) {
        self.misses = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_unless_something_is_gained() {
        let mut patience = Patience::default();
        for _ in 0..MOST {
            assert!(patience.miss(None).is_some());
        }
        assert_eq!(patience.miss(None), None);
        patience.gained();
        assert!(patience.miss(Some(Duration::from_secs(7))).is_some_and(|wait| wait >= Duration::from_secs(7)));
        assert_eq!(patience.miss(Some(Duration::from_secs(1 << 40))), Some(LONGEST));
    }
}
