//! Variances, merged from those of pieces by the way of Chan, Golub and LeVeque.

use super::cells::Gather;
use super::total::{Number, Sum, Wide};

/// The variance.
pub(super) struct Variance;
/// The standard deviation.
pub(super) struct Deviation;

/// What is known of some elements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments<W> {
    count: f64,
    mean: W,
    /// The sum of the squares of distances to the mean.
    squares: f64,
}

impl<W: Wide> Moments<W> {
    fn empty() -> Self {
        Self { count: 0.0, mean: W::default(), squares: 0.0 }
    }

    fn add(&mut self, element: W) {
        self.count += 1.0;
        let distance = element.minus(self.mean);
        let (mean, _) = self.mean.plus(distance.divided(self.count));
        self.mean = mean;
        self.squares += distance.square() * ((self.count - 1.0) / self.count);
    }

    fn merge(&mut self, other: Self) {
        let count = self.count + other.count;
        let distance = other.mean.minus(self.mean);
        let (mean, _) = self.mean.plus(distance.scaled(other.count / count));
        self.squares += other.squares + distance.square() * (self.count * other.count / count);
        self.mean = mean;
        self.count = count;
    }

    fn variance(self, ddof: f64) -> f64 {
        self.squares / (self.count - ddof).max(0.0)
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

    fn add_run(cell: &mut Self::Cell, elements: &[T], _: usize, _: usize) {
        if elements.is_empty() {
            return;
        }
        let count = elements.len() as f64;
        let mut total = <Sum as Gather<T>>::empty();
        Sum::add_run(&mut total, elements, 0, 1);
        let mean = <Sum as Gather<T>>::result(total, 0, 0.0).divided(count);
        let mut sum = <Sum as Gather<f64>>::empty();
        for element in elements {
            <Sum as Gather<f64>>::add(&mut sum, element.wide().minus(mean).square(), 0);
        }
        let squares = <Sum as Gather<f64>>::result(sum, 0, 0.0);
        let run = Moments { count, mean, squares };
        // Nothing is merged into nothing: distances from no mean could overflow.
        if cell.count == 0.0 {
            *cell = run;
        } else {
            cell.merge(run);
        }
    }

    fn result(cell: Self::Cell, _: usize, ddof: f64) -> f64 {
        cell.variance(ddof)
    }
}

impl<T: Number> Gather<T> for Deviation {
    type Cell = Moments<T::Wide>;
    type Result = f64;

    fn empty() -> Self::Cell {
        Moments::empty()
    }

    fn add(cell: &mut Self::Cell, element: T, place: usize) {
        <Variance as Gather<T>>::add(cell, element, place);
    }

    fn add_run(cell: &mut Self::Cell, elements: &[T], place: usize, step: usize) {
        <Variance as Gather<T>>::add_run(cell, elements, place, step);
    }

    fn result(cell: Self::Cell, _: usize, ddof: f64) -> f64 {
        cell.variance(ddof).sqrt()
    }
}
