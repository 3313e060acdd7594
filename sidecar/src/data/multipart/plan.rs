//! Into which parts a file is cut.

use crate::data::store::multipart::{MAX_PART, MAX_PARTS};

/// The fewest bytes of a part that is not the last.
const LEAST: u64 = 8 << 20;
/// Sizes of parts are multiples of this.
const STEP: u64 = 1 << 20;

/// How a file is cut: the size alone decides, so that everybody who knows it cuts alike.
///
/// Invariant: there are 1 to [`MAX_PARTS`] parts, all as large as the first but the last, which is no larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartPlan {
    size: u64,
    part_size: u64,
    parts: u16,
}

impl PartPlan {
    /// How a file of so many bytes is cut; none where it is empty or too large for any store.
    #[must_use]
    pub fn new(size: u64) -> Option<Self> {
        let part_size = size.div_ceil(MAX_PARTS.into()).next_multiple_of(STEP).max(LEAST);
        let parts = u16::try_from(size.div_ceil(part_size)).ok()?;
        (parts > 0 && part_size <= MAX_PART).then_some(Self { size, part_size, parts })
    }

    /// How many bytes the file has.
    #[must_use]
    pub const fn size(self) -> u64 {
        self.size
    }

    /// How many bytes every part has but the last.
    #[must_use]
    pub const fn part_size(self) -> u64 {
        self.part_size
    }

    /// How many parts there are.
    #[must_use]
    pub const fn parts(self) -> u16 {
        self.parts
    }

    /// How many bytes this part has; none where there is no such part.
    #[must_use]
    pub fn length(self, number: u16) -> Option<u64> {
        let before = u64::from(number.checked_sub(1)?) * self.part_size;
        (number <= self.parts).then(|| self.part_size.min(self.size.saturating_sub(before)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_files_have_few_parts_and_large_ones_large_parts() {
        let plan = |size| PartPlan::new(size).map(|plan| (plan.part_size(), plan.parts()));
        assert_eq!(plan(0), None);
        assert_eq!(plan(1), Some((8 << 20, 1)));
        assert_eq!(plan(8 << 20), Some((8 << 20, 1)));
        assert_eq!(plan((8 << 20) + 1), Some((8 << 20, 2)));
        assert_eq!(plan(80_000 << 20), Some((8 << 20, 10_000)));
        assert_eq!(plan((80_000 << 20) + 1), Some((9 << 20, 8_889)));
        assert_eq!(plan(5 << 40), Some((525 << 20, 9_987)));
        assert_eq!(plan(MAX_PART * 10_000), Some((MAX_PART, 10_000)));
        assert_eq!(plan(MAX_PART * 10_000 + 1), None);
        assert_eq!(plan(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_file(size in 1..=MAX_PART * 10_000) {
            let plan = PartPlan::new(size).expect("a plan");
            let lengths: Vec<u64> = (1..=plan.parts()).filter_map(|number| plan.length(number)).collect();
            prop_assert_eq!(lengths.iter().sum::<u64>(), size);
            let (last, others) = lengths.split_last().expect("a part");
            prop_assert!(others.iter().all(|length| *length == plan.part_size()));
            prop_assert!((1..=plan.part_size()).contains(last) && plan.part_size() <= MAX_PART);
            prop_assert_eq!((plan.length(0), plan.length(plan.parts() + 1)), (None, None));
        }
    }
}
