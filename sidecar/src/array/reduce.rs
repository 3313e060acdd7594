//! Reductions: a dataset of any size comes to its minimum, sum, mean and so on, over some or all of its axes.
//!
//! A [`Reduction`] holds one cell per element of its result and is given the slabs one after another, cut
//! in whatever way and in whatever order, each once. Sums are compensated, so that they are at least as exact as
//! numpy's pairwise ones however the dataset is cut.

mod cells;
mod extreme;
mod statistic;
mod total;
mod truth;
mod variance;
mod walk;

use thiserror::Error;

use super::dtype::Dtype;
use super::shape::{ShapeError, count};
use super::slab::Slab;
use cells::Fold;
use walk::Layout;

pub use statistic::Statistic;

/// A reduction that is under way.
pub struct Reduction {
    statistic: Statistic,
    dtype: Dtype,
    extents: Vec<usize>,
    shape: Vec<usize>,
    layout: Layout,
    cells: Box<dyn Fold>,
    /// How many elements make one of the result.
    per_cell: usize,
    /// How many elements are still to come.
    missing: usize,
    ddof: f64,
}

/// What a reduction is to be over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Over<'a> {
    /// The axes that go away, from 0, or from -1 backwards; all of them if there is no list.
    pub axes: Option<&'a [i64]>,
    /// Whether they stay, with one element.
    pub keep_dims: bool,
    /// What is taken off the number of elements that a variance is divided by: 0 of a whole population, 1 of
    /// a sample.
    pub ddof: f64,
}

/// A reduction that can't be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReduceError {
    /// There is no such axis.
    #[error("there is no axis {axis} among {rank}")]
    Axis {
        /// The axis that was named.
        axis: i64,
        /// How many there are.
        rank: usize,
    },
    /// An axis is named twice.
    #[error("axis {axis} is named twice")]
    AxisTwice {
        /// The axis, from 0.
        axis: usize,
    },
    /// The place of an extreme is along one axis, or among all elements.
    #[error("`{0}` is over one axis, or over all of them")]
    OneAxis(&'static str),
    /// There are no elements, of which there is no minimum, maximum, or place of one.
    #[error("there is no `{0}` of no elements")]
    Empty(&'static str),
    /// A slab is of another type, or reaches out of the dataset.
    #[error("a slab is of another type, or reaches out of the dataset")]
    Slab,
    /// Some elements have not been given, or some twice.
    #[error("there are elements that have not been given, or that were given twice")]
    Incomplete,
    /// The result is too large.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl Reduction {
    /// Begins a reduction of a dataset of that type and shape.
    ///
    /// # Errors
    /// There are no such axes; there is no such statistic of no elements.
    pub fn new(statistic: Statistic, dtype: Dtype, shape: &[usize], over: &Over<'_>) -> Result<Self, ReduceError> {
        let is_reduced = reduced(shape.len(), over.axes)?;
        let reduced_count = is_reduced.iter().filter(|is_reduced| **is_reduced).count();
        if statistic.is_place() && reduced_count != 1 && reduced_count != shape.len() {
            return Err(ReduceError::OneAxis(statistic.name()));
        }
        let extents = |wanted: bool| -> Vec<usize> {
            let chosen = shape.iter().zip(&is_reduced).filter(|(_, is_reduced)| **is_reduced == wanted);
            chosen.map(|(extent, _)| *extent).collect()
        };
        let (kept, gone) = (extents(false), extents(true));
        let (cell_count, per_cell) = (count(&kept)?, count(&gone)?);
        if per_cell == 0 && statistic.needs_elements() && (cell_count > 0 || statistic.is_place()) {
            return Err(ReduceError::Empty(statistic.name()));
        }
        let result = if over.keep_dims {
            let extent = |(extent, is_reduced): (&usize, &bool)| if *is_reduced { 1 } else { *extent };
            shape.iter().zip(&is_reduced).map(extent).collect()
        } else {
            kept
        };
        Ok(Self {
            statistic,
            dtype,
            extents: shape.to_vec(),
            shape: result,
            layout: Layout::new(shape, &is_reduced, statistic.is_place()),
            cells: cells::cells(statistic, dtype, cell_count),
            per_cell,
            missing: count(shape)?,
            ddof: over.ddof,
        })
    }

    /// How many bytes the cells of such a reduction take: what it keeps in memory from the first slab to the
    /// last. Ask before [`Reduction::new`], which takes them.
    ///
    /// # Errors
    /// There are no such axes.
    pub fn memory(statistic: Statistic, dtype: Dtype, shape: &[usize], over: &Over<'_>) -> Result<usize, ReduceError> {
        let is_reduced = reduced(shape.len(), over.axes)?;
        let kept: Vec<usize> =
            shape.iter().zip(is_reduced).filter(|(_, gone)| !gone).map(|(extent, _)| *extent).collect();
        Ok(count(&kept)?.saturating_mul(cells::cells(statistic, dtype, 0).cell_size()))
    }

    /// The type of the result.
    #[must_use]
    pub fn output(&self) -> Dtype {
        self.statistic.output(self.dtype)
    }

    /// The shape of the result.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Takes a slab that begins at this place of the dataset.
    ///
    /// # Errors
    /// It is of another type, or reaches out of the dataset, or there are more elements than the dataset has.
    pub fn push(&mut self, start: &[usize], slab: &Slab) -> Result<(), ReduceError> {
        let extent = slab.shape();
        if slab.dtype() != self.dtype || start.len() != self.extents.len() || extent.len() != self.extents.len() {
            return Err(ReduceError::Slab);
        }
        let fits = |((start, extent), whole): ((&usize, &usize), &usize)| {
            start.checked_add(*extent).is_some_and(|end| end <= *whole)
        };
        if !start.iter().zip(extent).zip(&self.extents).all(fits) {
            return Err(ReduceError::Slab);
        }
        self.missing = self.missing.checked_sub(slab.values().len()).ok_or(ReduceError::Incomplete)?;
        self.cells.push(&self.layout, start, slab);
        Ok(())
    }

    /// The result.
    ///
    /// # Errors
    /// There are elements that have not been given.
    pub fn finish(self) -> Result<Slab, ReduceError> {
        if self.missing != 0 {
            return Err(ReduceError::Incomplete);
        }
        let output = self.output();
        let values = self.cells.finish(self.per_cell, self.ddof);
        let slab = Slab::new(self.shape, values).map_err(|_| ReduceError::Incomplete)?;
        Ok(slab.astype(output))
    }
}

impl std::fmt::Debug for Reduction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut fields = formatter.debug_struct("Reduction");
        fields.field("statistic", &self.statistic).field("dtype", &self.dtype).field("extents", &self.extents);
        fields.field("missing", &self.missing).finish_non_exhaustive()
    }
}

/// Which axes go away.
fn reduced(rank: usize, axes: Option<&[i64]>) -> Result<Vec<bool>, ReduceError> {
    let Some(axes) = axes else { return Ok(vec![true; rank]) };
    let mut is_reduced = vec![false; rank];
    for axis in axes {
        let from_start = usize::try_from(*axis).ok();
        let from_end = usize::try_from(axis.unsigned_abs()).ok().and_then(|back| rank.checked_sub(back));
        let Some(index) = from_start.or(from_end) else { return Err(ReduceError::Axis { axis: *axis, rank }) };
        let Some(is_reduced) = is_reduced.get_mut(index) else { return Err(ReduceError::Axis { axis: *axis, rank }) };
        if *is_reduced {
            return Err(ReduceError::AxisTwice { axis: index });
        }
        *is_reduced = true;
    }
    Ok(is_reduced)
}

#[cfg(test)]
mod tests;
