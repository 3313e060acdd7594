//! One cell per element of the result, whatever is gathered in it.

use std::marker::PhantomData;

use super::extreme::{Best, Extreme, Largest, Smallest};
use super::statistic::Statistic;
use super::total::{Mean, Product, Sum, WrappedProduct, WrappedSum};
use super::truth::{AllTrue, AnyTrue, Count};
use super::variance::{Deviation, Variance};
use super::walk::Layout;
use crate::array::dtype::{Dtype, Kind};
use crate::array::element::{Element, Values, with_dtype};
use crate::array::slab::Slab;

/// All cells of a reduction.
pub(super) trait Fold: Send {
    /// Adds the elements of a slab.
    fn push(&mut self, layout: &Layout, start: &[usize], slab: &Slab);

    /// How many bytes a cell takes.
    fn cell_size(&self) -> usize;

    /// The results, from so many elements each.
    fn finish(self: Box<Self>, per_cell: usize, ddof: f64) -> Values;
}

/// How elements of type `T` are gathered.
pub(super) trait Gather<T: Element> {
    /// What is kept of them.
    type Cell: Clone + Send;
    /// What becomes of it.
    type Result: Element;

    /// Of no elements.
    fn empty() -> Self::Cell;

    /// Adds an element, which is at this place among those of the cell.
    fn add(cell: &mut Self::Cell, element: T, place: usize);

    /// Adds elements, the first at this place, the others so far apart.
    fn add_run(cell: &mut Self::Cell, elements: &[T], place: usize, step: usize) {
        let mut place = place;
        for element in elements {
            Self::add(cell, *element, place);
            place = place.saturating_add(step);
        }
    }

    /// What has come together, from so many elements.
    fn result(cell: Self::Cell, per_cell: usize, ddof: f64) -> Self::Result;
}

struct Cells<T: Element, G: Gather<T>> {
    cells: Vec<G::Cell>,
    of: PhantomData<fn(T) -> G>,
}

impl<T: Element, G: Gather<T>> Fold for Cells<T, G> {
    fn push(&mut self, layout: &Layout, start: &[usize], slab: &Slab) {
        let Some(elements) = T::slice(slab.values()) else { return };
        layout.runs(start, slab.shape(), |run| {
            let elements = elements.get(run.from..run.to).unwrap_or_default();
            let cells = self.cells.get_mut(run.cell..).unwrap_or_default();
            if !run.is_reduced {
                for (cell, element) in cells.iter_mut().zip(elements) {
                    G::add(cell, *element, run.place);
                }
            } else if let Some(cell) = cells.first_mut() {
                G::add_run(cell, elements, run.place, run.step);
            }
        });
    }

    fn cell_size(&self) -> usize {
        size_of::<G::Cell>()
    }

    fn finish(self: Box<Self>, per_cell: usize, ddof: f64) -> Values {
        G::Result::wrap(self.cells.into_iter().map(|cell| G::result(cell, per_cell, ddof)).collect())
    }
}

fn make<T: Element, G: Gather<T> + 'static>(count: usize) -> Box<dyn Fold> {
    Box::new(Cells::<T, G> { cells: vec![G::empty(); count], of: PhantomData })
}

/// Empty cells for a statistic of elements of that type.
pub(super) fn cells(statistic: Statistic, dtype: Dtype, count: usize) -> Box<dyn Fold> {
    with_dtype!(dtype, Item => match (statistic, dtype.kind()) {
        (Statistic::All, _) => make::<Item, AllTrue>(count),
        (Statistic::Any, _) => make::<Item, AnyTrue>(count),
        (Statistic::Count, _) => make::<Item, Count>(count),
        (Statistic::Argmax, _) => make::<Item, Best<Largest>>(count),
        (Statistic::Argmin, _) => make::<Item, Best<Smallest>>(count),
        (Statistic::Max, _) => make::<Item, Extreme<Largest>>(count),
        (Statistic::Min, _) => make::<Item, Extreme<Smallest>>(count),
        (Statistic::Sum, Kind::Float | Kind::Complex) => make::<Item, Sum>(count),
        (Statistic::Prod, Kind::Float | Kind::Complex) => make::<Item, Product>(count),
        // Unsigned sums wrap to the same bits.
        (Statistic::Sum, _) => make::<Item, WrappedSum>(count),
        (Statistic::Prod, _) => make::<Item, WrappedProduct>(count),
        (Statistic::Mean, _) => make::<Item, Mean>(count),
        (Statistic::Std, _) => make::<Item, Deviation>(count),
        (Statistic::Var, _) => make::<Item, Variance>(count),
    })
}
