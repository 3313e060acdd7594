//! Sums, means and products.
//!
//! Floating point sums and products are kept in double precision together with what rounding has lost so
//! far, by Knuth's and by Ogita, Rump and Oishi's ways.

use half::f16;

use super::cells::Gather;
use crate::array::cast::CastTo;
use crate::array::element::{Complex64, Complex128, Element};

/// Numbers with the double-precision type that they are gathered in.
pub(super) trait Number: Element {
    /// `f64`, or `Complex128`.
    type Wide: Wide;

    /// The number in double precision.
    fn wide(self) -> Self::Wide;
}

/// A number in double precision, real or complex.
pub(super) trait Wide: Element {
    /// 1.
    const ONE: Self;

    /// The sum, and what rounding it lost.
    fn plus(self, other: Self) -> (Self, Self);
    /// The product with what it has lost so far, times another number.
    fn times(self, lost: Self, other: Self) -> (Self, Self);
    /// The sum, unless that is of no use.
    fn corrected(self, lost: Self) -> Self;
    /// Times a real number.
    fn scaled(self, factor: f64) -> Self;
    /// Divided by a real number.
    fn divided(self, divisor: f64) -> Self;
    /// The square of the size of this number and what it has lost so far, and what rounding lost of it.
    fn square(self, lost: Self) -> (f64, f64);
}

/// The sum of floating point numbers.
pub(super) struct Sum;
/// The sum of integers, which wraps.
pub(super) struct WrappedSum;
/// The product of floating point numbers.
pub(super) struct Product;
/// The product of integers, which wraps.
pub(super) struct WrappedProduct;
/// The sum, divided by the number of elements.
pub(super) struct Mean;

/// How many sums are kept side by side.
const LANES: usize = 8;

impl<T: Number> Gather<T> for Sum {
    type Cell = (T::Wide, T::Wide);
    type Result = T::Wide;

    fn empty() -> Self::Cell {
        Default::default()
    }

    #[inline]
    fn add(cell: &mut Self::Cell, element: T, _: usize) {
        let (sum, lost) = cell.0.plus(element.wide());
        *cell = (sum, cell.1.plus(lost).0);
    }

    fn add_run(cell: &mut Self::Cell, elements: &[T], _: usize, _: usize) {
        let (chunks, rest) = elements.as_chunks::<LANES>();
        if !chunks.is_empty() {
            let mut lanes = [Self::Cell::default(); LANES];
            for chunk in chunks {
                for (lane, element) in lanes.iter_mut().zip(chunk) {
                    <Self as Gather<T>>::add(lane, *element, 0);
                }
            }
            for (lane_sum, lane_lost) in lanes {
                let (sum, lost) = cell.0.plus(lane_sum);
                *cell = (sum, cell.1.plus(lost).0.plus(lane_lost).0);
            }
        }
        rest.iter().for_each(|element| Self::add(cell, *element, 0));
    }

    fn result(cell: Self::Cell, _: usize, _: f64) -> T::Wide {
        cell.0.corrected(cell.1)
    }
}

impl<T: Number> Gather<T> for Mean {
    type Cell = (T::Wide, T::Wide);
    type Result = T::Wide;

    fn empty() -> Self::Cell {
        Default::default()
    }

    fn add(cell: &mut Self::Cell, element: T, place: usize) {
        Sum::add(cell, element, place);
    }

    fn add_run(cell: &mut Self::Cell, elements: &[T], place: usize, step: usize) {
        Sum::add_run(cell, elements, place, step);
    }

    fn result(cell: Self::Cell, per_cell: usize, _: f64) -> T::Wide {
        cell.0.corrected(cell.1).divided(per_cell as f64)
    }
}

impl<T: Number> Gather<T> for Product {
    type Cell = (T::Wide, T::Wide);
    type Result = T::Wide;

    fn empty() -> Self::Cell {
        (T::Wide::ONE, T::Wide::default())
    }

    fn add(cell: &mut Self::Cell, element: T, _: usize) {
        *cell = cell.0.times(cell.1, element.wide());
    }

    fn result(cell: Self::Cell, _: usize, _: f64) -> T::Wide {
        cell.0.corrected(cell.1)
    }
}

impl<T: Element + CastTo<i64>> Gather<T> for WrappedSum {
    type Cell = i64;
    type Result = i64;

    fn empty() -> i64 {
        0
    }

    fn add(cell: &mut i64, element: T, _: usize) {
        *cell = cell.wrapping_add(element.cast());
    }

    fn result(cell: i64, _: usize, _: f64) -> i64 {
        cell
    }
}

impl<T: Element + CastTo<i64>> Gather<T> for WrappedProduct {
    type Cell = i64;
    type Result = i64;

    fn empty() -> i64 {
        1
    }

    fn add(cell: &mut i64, element: T, _: usize) {
        *cell = cell.wrapping_mul(element.cast());
    }

    fn result(cell: i64, _: usize, _: f64) -> i64 {
        cell
    }
}

impl Wide for f64 {
    const ONE: Self = 1.0;

    #[inline]
    fn plus(self, other: Self) -> (Self, Self) {
        let sum = self + other;
        let part = sum - self;
        (sum, (self - (sum - part)) + (other - part))
    }

    fn times(self, lost: Self, other: Self) -> (Self, Self) {
        let product = self * other;
        (product, lost * other + self.mul_add(other, -product))
    }

    fn corrected(self, lost: Self) -> Self {
        // Of infinities nothing is lost, and the difference of two is no number.
        if lost.is_finite() && self.is_finite() { self + lost } else { self }
    }

    fn scaled(self, factor: f64) -> Self {
        self * factor
    }

    fn divided(self, divisor: f64) -> Self {
        self / divisor
    }

    fn square(self, lost: f64) -> (f64, f64) {
        let square = self * self;
        (square, self.mul_add(self, -square) + 2.0 * self * lost)
    }
}

impl Wide for Complex128 {
    const ONE: Self = Self::new(1.0, 0.0);

    fn plus(self, other: Self) -> (Self, Self) {
        let ((re, re_lost), (im, im_lost)) = (self.re.plus(other.re), self.im.plus(other.im));
        (Self::new(re, im), Self::new(re_lost, im_lost))
    }

    fn times(self, lost: Self, other: Self) -> (Self, Self) {
        let ((a, a_lost), (b, b_lost)) = (self.re.times(lost.re, other.re), self.im.times(lost.im, other.im));
        let ((c, c_lost), (d, d_lost)) = (self.re.times(lost.re, other.im), self.im.times(lost.im, other.re));
        let ((re, re_lost), (im, im_lost)) = (a.plus(-b), c.plus(d));
        (Self::new(re, im), Self::new(re_lost + (a_lost - b_lost), im_lost + (c_lost + d_lost)))
    }

    fn corrected(self, lost: Self) -> Self {
        Self::new(self.re.corrected(lost.re), self.im.corrected(lost.im))
    }

    fn scaled(self, factor: f64) -> Self {
        Self::new(self.re * factor, self.im * factor)
    }

    fn divided(self, divisor: f64) -> Self {
        Self::new(self.re / divisor, self.im / divisor)
    }

    fn square(self, lost: Self) -> (f64, f64) {
        let ((re, re_lost), (im, im_lost)) = (self.re.square(lost.re), self.im.square(lost.im));
        let (square, square_lost) = re.plus(im);
        (square, square_lost + re_lost + im_lost)
    }
}

macro_rules! number {
    ($wide:ty => $($type:ty),*) => {
        $(impl Number for $type {
            type Wide = $wide;

            #[inline]
            fn wide(self) -> $wide {
                self.cast()
            }
        })*
    };
}

number!(f64 => bool, i8, u8, i16, u16, i32, u32, i64, u64, f16, f32, f64);
number!(Complex128 => Complex64, Complex128);
