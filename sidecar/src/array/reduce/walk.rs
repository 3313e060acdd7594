//! From the elements of a slab to the cells of the result, run by run.

/// Where the elements of a dataset belong.
#[derive(Debug)]
pub(super) struct Layout {
    axes: Vec<Axis>,
    /// Whether the place of an element matters.
    has_places: bool,
}

/// How far apart neighbours along an axis are.
#[derive(Debug, Clone, Copy)]
struct Axis {
    /// In cells; 0 along an axis that goes away.
    cell: usize,
    /// In places; 0 along an axis that stays.
    place: usize,
    is_reduced: bool,
}

/// Elements that follow each other in a slab.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// The first one's cell.
    pub(super) cell: usize,
    /// Whether all go into one cell; otherwise each goes into the next.
    pub(super) is_reduced: bool,
    /// The first one's place.
    pub(super) place: usize,
    /// How far apart places are; 0 if all have one, each in its own cell.
    pub(super) step: usize,
    /// The first one's position in the slab.
    pub(super) from: usize,
    /// The position behind the last one.
    pub(super) to: usize,
}

impl Layout {
    pub(super) fn new(shape: &[usize], is_reduced: &[bool], has_places: bool) -> Self {
        let (mut cell, mut place) = (1_usize, 1_usize);
        let mut axes: Vec<Axis> = Vec::with_capacity(shape.len());
        for (extent, is_reduced) in shape.iter().zip(is_reduced).rev() {
            if *is_reduced {
                axes.push(Axis { cell: 0, place, is_reduced: true });
                place = place.saturating_mul(*extent);
            } else {
                axes.push(Axis { cell, place: 0, is_reduced: false });
                cell = cell.saturating_mul(*extent);
            }
        }
        axes.reverse();
        Self { axes, has_places }
    }

    /// Calls `visit` with each run of a slab of that extent which begins at `start`.
    pub(super) fn runs(&self, start: &[usize], extent: &[usize], mut visit: impl FnMut(Run)) {
        if extent.contains(&0) {
            return;
        }
        let mut cell: usize = self.axes.iter().zip(start).map(|(axis, start)| axis.cell * start).sum();
        let mut place: usize = self.axes.iter().zip(start).map(|(axis, start)| axis.place * start).sum();
        // An axis with one element does not move anything.
        let mut outer: Vec<(Axis, usize)> = self.axes.iter().copied().zip(extent.iter().copied()).collect();
        outer.retain(|(_, extent)| *extent > 1);
        let (inner, mut length) = outer.pop().unwrap_or((Axis { cell: 0, place: 0, is_reduced: true }, 1));
        // Along several axes that go away the elements still follow each other, but not their places.
        if inner.is_reduced && !self.has_places {
            while let Some((_, extent)) = outer.pop_if(|(axis, _)| axis.is_reduced) {
                length = length.saturating_mul(extent);
            }
        }
        let mut index = vec![0_usize; outer.len()];
        let mut from = 0_usize;
        loop {
            let to = from.saturating_add(length);
            visit(Run { cell, is_reduced: inner.is_reduced, place, step: inner.place, from, to });
            from = to;
            let mut is_done = true;
            for (position, (axis, extent)) in index.iter_mut().zip(&outer).rev() {
                *position += 1;
                cell += axis.cell;
                place += axis.place;
                if *position < *extent {
                    is_done = false;
                    break;
                }
                cell -= axis.cell * extent;
                place -= axis.place * extent;
                *position = 0;
            }
            if is_done {
                return;
            }
        }
    }
}
