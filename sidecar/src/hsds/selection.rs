//! Parts of datasets: `[start:stop:step,…]`, one range along each dimension.

use std::fmt;

use thiserror::Error;

use crate::hsds::dataspace::MAX_RANK;

/// A part of a dataset.
///
/// Invariant: every range is within the dataset's extent at the time that it was made, and ends right
/// behind its last index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selection {
    ranges: Vec<Range>,
}

/// Indices along one dimension: from `start` to before `stop`, each `step`-th.
///
/// Invariant: `step` is at least 1, `start` not above `stop`; `stop` is one above the last index, or
/// `start` where there is no index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    start: u64,
    stop: u64,
    step: u64,
}

/// A text that is no part of a dataset of that extent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidSelection {
    /// It is no list of ranges.
    #[error("is no selection like `[0:10,5:20:5]`")]
    Form,
    /// It goes beyond the extent.
    #[error("dimension {0} of the selection goes beyond the dataset's extent")]
    Bounds(usize),
    /// It has another number of dimensions.
    #[error("the selection has {selected} dimensions, the dataset has {dataset}")]
    Rank {
        /// How many the selection has.
        selected: usize,
        /// How many the dataset has.
        dataset: usize,
    },
}

impl Range {
    /// Indices from `start` to before `stop`, each `step`-th; none for a step of 0, or an end before the
    /// start.
    #[must_use]
    pub const fn new(start: u64, stop: u64, step: u64) -> Option<Self> {
        if step == 0 || start > stop {
            return None;
        }
        let stop = if start == stop { start } else { stop - (stop - start - 1) % step };
        Some(Self { start, stop, step })
    }

    /// The first index.
    #[must_use]
    pub const fn start(self) -> u64 {
        self.start
    }

    /// One above the last index.
    #[must_use]
    pub const fn stop(self) -> u64 {
        self.stop
    }

    /// From one index to the next.
    #[must_use]
    pub const fn step(self) -> u64 {
        self.step
    }

    /// How many indices there are.
    #[must_use]
    pub const fn count(self) -> u64 {
        (self.stop - self.start).div_ceil(self.step)
    }

    /// `count` of its indices from the `first`-th; fewer where there are not so many.
    #[must_use]
    pub const fn part(self, first: u64, count: u64) -> Self {
        let all = self.count();
        let first = if first < all { first } else { all };
        let count = if count < all - first { count } else { all - first };
        if count == 0 {
            return Self { start: self.start, stop: self.start, step: self.step };
        }
        let start = self.start + first * self.step;
        Self { start, stop: start + (count - 1) * self.step + 1, step: self.step }
    }
}

impl Selection {
    /// All of a dataset of that extent.
    #[must_use]
    pub fn whole(dims: &[u64]) -> Self {
        Self { ranges: dims.iter().map(|dim| Range { start: 0, stop: *dim, step: 1 }).collect() }
    }

    /// These ranges.
    #[must_use]
    pub const fn new(ranges: Vec<Range>) -> Self {
        Self { ranges }
    }

    /// Reads a selection of a dataset of that extent. A range may leave out what is the extent's own
    /// (`:`, `5:`, `:5`, `::2`); a number alone is one index; the brackets may be left out.
    ///
    /// # Errors
    /// [`InvalidSelection`].
    pub fn parse(text: &str, dims: &[u64]) -> Result<Self, InvalidSelection> {
        let text = text.trim();
        let inner = match text.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or(InvalidSelection::Form)?,
            None => text,
        };
        let parts: Vec<&str> = if inner.trim().is_empty() { Vec::new() } else { inner.split(',').collect() };
        if parts.len() > MAX_RANK {
            return Err(InvalidSelection::Form);
        }
        let ranges = parts.iter().enumerate().map(|(dimension, part)| range(part, dimension, dims));
        let ranges = ranges.collect::<Result<Vec<Range>, InvalidSelection>>()?;
        if ranges.len() == dims.len() {
            Ok(Self { ranges })
        } else {
            Err(InvalidSelection::Rank { selected: ranges.len(), dataset: dims.len() })
        }
    }

    /// The range along each dimension.
    #[must_use]
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// How many elements there are along each dimension.
    #[must_use]
    pub fn dims(&self) -> Vec<u64> {
        self.ranges.iter().map(|range| range.count()).collect()
    }

    /// How many elements there are; none where that is more than can be counted.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        if self.ranges.iter().any(|range| range.count() == 0) {
            return Some(0);
        }
        self.ranges.iter().try_fold(1_u64, |count, range| count.checked_mul(range.count()))
    }

    /// Whether it is all of a dataset of that extent.
    #[must_use]
    pub fn is_whole(&self, dims: &[u64]) -> bool {
        *self == Self::whole(dims)
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[")?;
        for (dimension, range) in self.ranges.iter().enumerate() {
            let comma = if dimension == 0 { "" } else { "," };
            write!(formatter, "{comma}{}:{}", range.start, range.stop)?;
            if range.step != 1 {
                write!(formatter, ":{}", range.step)?;
            }
        }
        formatter.write_str("]")
    }
}

fn range(text: &str, dimension: usize, dims: &[u64]) -> Result<Range, InvalidSelection> {
    let extent = dims.get(dimension).copied();
    let number = |text: &str| text.parse::<u64>().map_err(|_| InvalidSelection::Form);
    let optional = |text: Option<&&str>| match text.map(|text| text.trim()) {
        None | Some("") => Ok(None),
        Some(text) => number(text).map(Some),
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (start, stop, step) = match parts.as_slice() {
        [index] => {
            let index = number(index.trim())?;
            (index, index.checked_add(1).ok_or(InvalidSelection::Form)?, 1)
        }
        [start, rest @ ..] if rest.len() <= 2 => {
            let start = optional(Some(start))?.unwrap_or(0);
            let stop = optional(rest.first())?.or(extent).unwrap_or(start);
            (start, stop, optional(rest.get(1))?.unwrap_or(1))
        }
        _ => return Err(InvalidSelection::Form),
    };
    if extent.is_some_and(|extent| stop > extent || start > extent) {
        return Err(InvalidSelection::Bounds(dimension));
    }
    Range::new(start, stop, step).ok_or(InvalidSelection::Form)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str, dims: &[u64]) -> Result<String, InvalidSelection> {
        Selection::parse(text, dims).map(|selection| selection.to_string())
    }

    #[test]
    fn forms_are_read_as_one() {
        for (text, dims, form, count) in [
            ("[1:3,2:5]", vec![4, 6], "[1:3,2:5]", 6),
            ("[0:4:2,0:6:3]", vec![4, 6], "[0:3:2,0:4:3]", 4),
            ("[:,2]", vec![4, 6], "[0:4,2:3]", 4),
            (" 2: , ::2 ", vec![4, 6], "[2:4,0:5:2]", 6),
            ("[3:3]", vec![4], "[3:3]", 0),
            ("[]", vec![], "[]", 1),
            ("[:]", vec![0], "[0:0]", 0),
        ] {
            let selection = Selection::parse(text, &dims).expect("a selection");
            assert_eq!((selection.to_string().as_str(), selection.count()), (form, Some(count)), "{text}");
        }
    }

    #[test]
    fn what_is_no_selection_is_refused() {
        for text in ["[1:2", "1:2]", "[a]", "[-1]", "[1:2:3:4]", "[1:2:0]", "[3:1]", "[,]", "[1:1e2]"] {
            assert_eq!(parsed(text, &[9]), Err(InvalidSelection::Form), "{text}");
        }
        assert_eq!(parsed("[0:10]", &[9]), Err(InvalidSelection::Bounds(0)));
        assert_eq!(parsed("[9]", &[9]), Err(InvalidSelection::Bounds(0)));
        assert_eq!(parsed("[0:1]", &[9, 9]), Err(InvalidSelection::Rank { selected: 1, dataset: 2 }));
        assert_eq!(parsed("[18446744073709551615]", &[9]), Err(InvalidSelection::Form));
        assert_eq!(parsed(&"0,".repeat(1_000), &[9]), Err(InvalidSelection::Form));
    }

    proptest! {
        #[test]
        fn a_range_has_the_indices_that_counting_gives(start in 0_u64..50, length in 0_u64..50, step in 1_u64..9,
            first in 0_u64..20, count in 0_u64..20) {
            let range = Range::new(start, start + length, step).expect("a range");
            let step_by = usize::try_from(step).expect("small");
            let indices: Vec<u64> = (start..start + length).step_by(step_by).collect();
            let of = |range: Range| (range.start()..range.stop()).step_by(step_by).collect::<Vec<u64>>();
            prop_assert_eq!(of(range), indices.clone());
            prop_assert_eq!(range.count(), u64::try_from(indices.len()).expect("small"));
            let skip = usize::try_from(first).expect("small");
            let take = usize::try_from(count).expect("small");
            let part: Vec<u64> = indices.into_iter().skip(skip).take(take).collect();
            prop_assert_eq!(of(range.part(first, count)), part);
        }
    }
}
