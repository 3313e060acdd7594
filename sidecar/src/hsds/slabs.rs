//! A selection of a dataset, cut into pieces that are worth one request each.
//!
//! Pieces end where chunks end, as far as chunks are not larger than pieces: a chunk that is read for
//! two pieces is decompressed twice. The cut is a pure function of its arguments, so that the number of
//! a piece can be a checkpoint.

use crate::hsds::selection::{Range, Selection};

/// The most bytes of a piece, by habit: larger ones are slower on the server's side.
pub const SLAB_BYTES: u64 = 6 << 20;
/// How many bytes an element of any size is taken to have.
pub const VARIABLE_BYTES: u64 = 256;
/// The most pieces along one dimension that are cut at the ends of chunks. What has more is cut without
/// looking at chunks.
const MAX_CUTS: u64 = 1 << 20;

/// A selection of a dataset, cut into pieces.
#[derive(Clone, Debug)]
pub struct Slabs {
    whole: Selection,
    /// How far a piece may go along each dimension, in the dataset's indices.
    extents: Vec<u64>,
    /// How many pieces there are along each dimension.
    cuts: Vec<u64>,
    count: u64,
}

/// A piece of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slab {
    /// Where it is in the dataset.
    pub selection: Selection,
    /// Where it begins in the selection: the number of the first index along each dimension.
    pub origin: Vec<u64>,
}

impl Slab {
    /// How many elements it has along each dimension.
    #[must_use]
    pub fn dims(&self) -> Vec<u64> {
        self.selection.dims()
    }
}

impl Slabs {
    /// Cuts a selection into pieces of at most `max_bytes`, or of one element if that has more.
    #[must_use]
    pub fn new(selection: Selection, chunk_dims: Option<&[u64]>, item_size: u64, max_bytes: u64) -> Self {
        let ranges = selection.ranges();
        let budget = (max_bytes / item_size.max(1)).max(1);
        let chunks: Vec<u64> = match chunk_dims {
            Some(chunks) if chunks.len() == ranges.len() && !chunks.contains(&0) => chunks.to_vec(),
            _ => vec![1; ranges.len()],
        };
        let extents = extents(ranges, &chunks, budget);
        let cuts: Vec<u64> = ranges.iter().zip(&extents).map(|(range, extent)| cuts(*range, *extent)).collect();
        let count = cuts.iter().try_fold(1_u64, |count, cuts| count.checked_mul(*cuts)).unwrap_or(u64::MAX);
        Self { whole: selection, extents, cuts, count }
    }

    /// How many pieces there are.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.count
    }

    /// Whether there is no element, and so no piece.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A piece, in the order of rows.
    #[must_use]
    pub fn slab(&self, number: u64) -> Option<Slab> {
        if number >= self.count {
            return None;
        }
        let mut rest = number;
        let mut ranges = Vec::with_capacity(self.cuts.len());
        let mut origin = Vec::with_capacity(self.cuts.len());
        let dimensions = self.whole.ranges().iter().zip(&self.extents).zip(&self.cuts);
        for ((range, extent), cuts) in dimensions.rev() {
            let cut = rest % (*cuts).max(1);
            rest /= (*cuts).max(1);
            let (first, count) = piece(*range, *extent, cut);
            ranges.push(range.part(first, count));
            origin.push(first);
        }
        ranges.reverse();
        origin.reverse();
        Some(Slab { selection: Selection::new(ranges), origin })
    }

    /// The pieces from that number on, which may be a checkpoint.
    pub fn resume(&self, number: u64) -> impl Iterator<Item = Slab> + '_ {
        (number..self.count).map_while(|number| self.slab(number))
    }
}

/// How far pieces go: whole chunks, as many as fit, the last dimension first, for that is how values lie
/// in memory; a part of a chunk where one is too large.
fn extents(ranges: &[Range], chunks: &[u64], budget: u64) -> Vec<u64> {
    let selected = |extent: u64, range: &Range| extent.div_ceil(range.step()).min(range.count()).max(1);
    let mut extents = chunks.to_vec();
    let size = |extents: &[u64]| {
        let sizes = extents.iter().zip(ranges).map(|(extent, range)| selected(*extent, range));
        sizes.fold(1_u64, u64::saturating_mul)
    };
    // Too large: less of the first dimensions.
    for dimension in 0..extents.len() {
        let all = size(&extents);
        let (Some(extent), Some(range)) = (extents.get_mut(dimension), ranges.get(dimension)) else { break };
        if all > budget {
            let own = selected(*extent, range);
            let others = (all / own).max(1);
            *extent = (budget / others).clamp(1, own).saturating_mul(range.step());
        }
    }
    // Room left: more of the last dimensions.
    for dimension in (0..extents.len()).rev() {
        let all = size(&extents);
        let (Some(extent), Some(range)) = (extents.get_mut(dimension), ranges.get(dimension)) else { break };
        let room = (budget / all.max(1)).max(1);
        let needed = range.stop().div_ceil(*extent).max(1);
        let factor = room.min(needed);
        *extent = extent.saturating_mul(factor);
        if factor < needed {
            break;
        }
    }
    extents
}

/// How many pieces there are along a dimension. They end at multiples of `extent`.
const fn cuts(range: Range, extent: u64) -> u64 {
    if range.count() == 0 {
        return 0;
    }
    if is_dense(range, extent) {
        (range.stop() - 1) / extent - range.start() / extent + 1
    } else {
        range.count().div_ceil(per_piece(range, extent))
    }
}

/// The number of the first index of a piece, and how many indices it has.
const fn piece(range: Range, extent: u64, cut: u64) -> (u64, u64) {
    if is_dense(range, extent) {
        let cell = range.start() / extent + cut;
        let first = number_from(range, cell.saturating_mul(extent));
        let next = number_from(range, cell.saturating_add(1).saturating_mul(extent));
        (first, next - first)
    } else {
        let per_piece = per_piece(range, extent);
        let first = cut * per_piece;
        let left = range.count() - first;
        (first, if per_piece < left { per_piece } else { left })
    }
}

/// Whether every stretch of that length has an index in it, so that no piece is empty, and pieces can
/// end where chunks end.
const fn is_dense(range: Range, extent: u64) -> bool {
    range.step() <= extent && (range.stop() - range.start()) / extent <= MAX_CUTS
}

const fn per_piece(range: Range, extent: u64) -> u64 {
    let count = extent / range.step();
    if count == 0 { 1 } else { count }
}

/// How many of a range's indices are below `index`.
const fn number_from(range: Range, index: u64) -> u64 {
    let below = index.saturating_sub(range.start()).div_ceil(range.step());
    if below < range.count() { below } else { range.count() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(slabs: &Slabs) -> Vec<Slab> {
        let all: Vec<Slab> = slabs.resume(0).collect();
        assert_eq!(u64::try_from(all.len()), Ok(slabs.len()));
        all
    }

    #[test]
    fn pieces_are_whole_chunks() {
        let slabs = Slabs::new(Selection::whole(&[1_000, 1_000]), Some(&[100, 300]), 8, 8 * 100 * 600);
        let pieces: Vec<String> = all(&slabs).iter().take(3).map(|slab| slab.selection.to_string()).collect();
        assert_eq!(pieces, ["[0:100,0:600]", "[0:100,600:1000]", "[100:200,0:600]"]);
        let slabs = Slabs::new(Selection::whole(&[1_000, 1_000]), Some(&[100, 300]), 8, 8 * 2_000 * 250);
        assert_eq!(slabs.slab(0).map(|slab| slab.selection.to_string()).as_deref(), Some("[0:500,0:1000]"));
    }

    #[test]
    fn what_has_no_chunks_is_cut_all_the_same() {
        let slabs = Slabs::new(Selection::whole(&[10, 1 << 40]), None, 8, 1 << 20);
        assert_eq!(slabs.slab(0).and_then(|slab| slab.selection.count()), Some(1 << 17));
        let huge = Slabs::new(Selection::whole(&[1 << 20, 1 << 20]), Some(&[1 << 20, 1 << 20]), 8, 1 << 20);
        assert_eq!(huge.slab(0).and_then(|slab| slab.selection.count()), Some(1 << 17));
    }

    #[test]
    fn one_element_and_no_element() {
        let scalar = Slabs::new(Selection::whole(&[]), None, 8, 1);
        assert_eq!(all(&scalar).len(), 1);
        assert!(Slabs::new(Selection::whole(&[3, 0]), Some(&[1, 1]), 8, 1).is_empty());
    }

    proptest! {
        #[test]
        fn every_element_is_in_one_piece(
            dims in prop::collection::vec((0_u64..40, 1_u64..9, 1_u64..6, 0_u64..10), 1..4),
            budget in 1_u64..200,
        ) {
            let ranges = dims.iter().map(|(length, _, step, start)| Range::new(*start, start + length, *step).expect("a range"));
            let selection = Selection::new(ranges.collect());
            let chunks: Vec<u64> = dims.iter().map(|(_, chunk, ..)| *chunk).collect();
            let slabs = Slabs::new(selection.clone(), Some(&chunks), 1, budget);
            let counts = selection.dims();
            let mut seen = std::collections::HashSet::new();
            for slab in all(&slabs) {
                let own = slab.dims();
                let count = slab.selection.count().expect("a count");
                prop_assert!(count > 0 && count <= budget, "{} in {}", count, budget);
                // In the dataset it is where the selection has what it says.
                for ((part, whole), first) in slab.selection.ranges().iter().zip(selection.ranges()).zip(&slab.origin) {
                    prop_assert_eq!(part.start(), whole.start() + first * whole.step());
                }
                for mut number in 0..count {
                    let mut index = 0;
                    let mut stride = 1;
                    for dimension in (0..own.len()).rev() {
                        index += (slab.origin[dimension] + number % own[dimension]) * stride;
                        number /= own[dimension];
                        stride *= counts[dimension];
                    }
                    prop_assert!(seen.insert(index));
                }
            }
            prop_assert_eq!(u64::try_from(seen.len()).ok(), selection.count());
        }
    }
}
