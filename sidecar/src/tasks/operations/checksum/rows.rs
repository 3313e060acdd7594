//! A dataset cut so that the pieces, one behind the other, are its elements row by row.

use crate::hsds::selection::Range;
use crate::hsds::slabs::Slabs;
use crate::tasks::operations::place::Place;

/// Pieces of at most so many bytes, or of one element.
pub(super) fn rows(place: &Place, item_size: u64, max_bytes: u64) -> Slabs {
    let ranges = place.selection().ranges();
    let budget = (max_bytes / item_size.max(1)).max(1);
    let chunks = place.dataset().chunk_dims().unwrap_or_else(|| vec![1; ranges.len()]);
    Slabs::new(place.selection().clone(), Some(&extents(ranges, &chunks, budget)), item_size, max_bytes)
}

/// The last dimensions as a whole, some of the one before them, and one index of each before that.
fn extents(ranges: &[Range], chunks: &[u64], budget: u64) -> Vec<u64> {
    let mut left = budget;
    let mut extents = Vec::with_capacity(ranges.len());
    for (range, chunk) in ranges.iter().zip(chunks).rev() {
        let count = range.count().max(1);
        extents.push(if left >= count {
            left /= count;
            range.stop().max(1)
        } else {
            let some = left.max(1);
            left = 0;
            // In the dataset's indices, and to the end of a chunk where there is room for one.
            let indices = some.saturating_mul(range.step());
            if indices > *chunk { indices - indices % chunk } else { indices }
        });
    }
    extents.reverse();
    extents
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hsds::selection::Selection;

    #[test]
    fn pieces_follow_each_other() {
        for (text, dims, chunks, budget) in [
            ("[:,:]", vec![10, 7], vec![4, 3], 3),
            ("[:,:]", vec![10, 7], vec![4, 3], 16),
            ("[1:9:3,2:7:2]", vec![10, 7], vec![4, 3], 4),
            ("[:,:,:]", vec![3, 4, 5], vec![2, 2, 2], 23),
            ("[:,:,:]", vec![3, 4, 5], vec![2, 2, 2], 1_000),
            ("[:,2,:]", vec![3, 4, 5], vec![2, 2, 2], 1),
        ] {
            let selection = Selection::parse(text, &dims).expect("a selection");
            let extents = extents(selection.ranges(), &chunks, budget);
            let slabs = Slabs::new(selection.clone(), Some(&extents), 1, budget);
            let counts = selection.dims();
            let mut next = 0;
            for slab in slabs.resume(0) {
                let own = slab.dims();
                for number in 0..slab.selection.count().expect("a count") {
                    let (mut number, mut index, mut stride) = (number, 0, 1);
                    for dimension in (0..own.len()).rev() {
                        index += (slab.origin[dimension] + number % own[dimension]) * stride;
                        number /= own[dimension];
                        stride *= counts[dimension];
                    }
                    assert_eq!(index, next, "{text} {budget}");
                    next += 1;
                }
            }
            assert_eq!(Some(next), selection.count());
        }
    }
}
