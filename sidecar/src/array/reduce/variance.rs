//! Variances in one pass: sums of distances to the first element, and of their squares, both in twice the
//! double precision, so that the difference in the end has its bits.

use super::cells::Gather;
use super::total::{Number, Wide};

/// The variance.
pub(super) struct Variance;
/// The standard deviation.
pub(super) struct Deviation;

/// What is known of some elements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments<W> {
    /// An element that distances are measured to.
    origin: Option<W>,
    /// The sum of the distances, and what rounding has lost of it.
    sum: (W, W),
    /// The sum of their squares, likewise.
    squares: (f64, f64),
}

impl<W: Wide> Moments<W> {
    fn empty() -> Self {
        Self { origin: None, sum: Default::default(), squares: (0.0, 0.0) }
    }

    fn add(&mut self, element: W) {
        let origin = *self.origin.get_or_insert(element);
        let (distance, distance_lost) = element.plus(origin.scaled(-1.0));
        let (sum, lost) = self.sum.0.plus(distance);
        self.sum = (sum, self.sum.1.plus(lost).0.plus(distance_lost).0);
        let (square, square_lost) = distance.square(distance_lost);
        let (squares, lost) = self.squares.0.plus(square);
        self.squares = (squares, self.squares.1 + (lost + square_lost));
    }

    fn variance(self, count: usize, ddof: f64) -> f64 {
        let count = count as f64;
        let divisor = (count - ddof).max(0.0);
        let (square, square_lost) = self.sum.0.square(self.sum.1);
        if self.squares.0.is_infinite() && square.is_finite() {
            return self.squares.0 / divisor;
        }
        // The square of the sum, divided: the quotient, and what it leaves.
        let quotient = square / count;
        let quotient_lost = (quotient.mul_add(-count, square) + square_lost) / count;
        let (rest, lost) = self.squares.0.plus(-quotient);
        let rest = rest + (lost + (self.squares.1 - quotient_lost));
        // Rounding may have left less than nothing.
        (if rest < 0.0 { 0.0 } else { rest }) / divisor
    }
}

impl<T: Number> Gather<T> for Variance {
    type Cell = Moments<T::Wide>;
    type Result = f64;

    fn empty() -> Self::Cell {
        Moments::empty()
    }

    fn add(cell: &mut Self::Cell, element: T, _: usize) {
        cell.add(element.wide());
    }

    fn result(cell: Self::Cell, per_cell: usize, ddof: f64) -> f64 {
        cell.variance(per_cell, ddof)
    }
}

impl<T: Number> Gather<T> for Deviation {
    type Cell = Moments<T::Wide>;
    type Result = f64;

    fn empty() -> Self::Cell {
        Moments::empty()
    }

    fn add(cell: &mut Self::Cell, element: T, _: usize) {
        cell.add(element.wide());
    }

    fn result(cell: Self::Cell, per_cell: usize, ddof: f64) -> f64 {
        cell.variance(per_cell, ddof).sqrt()
    }
}
