//! Chance that can be played again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The variable with the seed of a run to play again.
const SEED: &str = "TASKGATE_SEED";

/// `SplitMix64`.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    seed: u64,
    state: u64,
}

impl Dice {
    /// Another one each time, unless the environment says which.
    pub(super) fn new() -> anyhow::Result<Self> {
        let seed = match std::env::var(SEED) {
            Ok(text) => text.parse()?,
            Err(_) => u64::from(SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos()),
        };
        Ok(Self { seed, state: seed })
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// One of the same seed whose throws are others.
    pub(super) fn fork(&self) -> Self {
        Self { seed: self.seed, state: !self.state }
    }

    /// From 0 to below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    pub(super) fn between(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }
}
