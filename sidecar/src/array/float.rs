//! Functions of real numbers that the standard library lacks, or has with other rules than numpy's.

mod precision;

use std::f64::consts::{LN_2, LOG2_E};

pub(crate) use precision::arc_tanh;

use super::element::Element;

/// A real number of single or double precision.
pub(crate) trait Real:
    Element
    + PartialOrd
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::Rem<Output = Self>
    + std::ops::Neg<Output = Self>
{
    /// 1.
    const ONE: Self;
    /// Degrees in a radian.
    const DEGREES: Self;
    /// Radians in a degree.
    const RADIANS: Self;

    /// The nearest number of this precision.
    fn of(value: f64) -> Self;
    /// The distance to the neighbour farther from zero, with the number's sign.
    fn spacing(self) -> Self;
    /// The neighbour in the direction of `other`.
    fn next_after(self, other: Self) -> Self;
    /// Times two to the power of `exponent`, rounded once.
    fn scale(self, exponent: i64) -> Self;
    /// A number from a half to one, and the power of two it is to be multiplied by.
    fn split(self) -> (Self, i32);
    /// The inverse of `cosh`.
    fn arc_cosh(self) -> Self;
    /// The inverse of `sinh`.
    fn arc_sinh(self) -> Self;
    /// The inverse of `tanh`.
    fn arc_tanh(self) -> Self;
    /// `ln(exp(self) + exp(other))` without overflow.
    fn log_add_exp(self, other: Self) -> Self {
        if self == other {
            // Infinities of one sign too.
            return self + Self::of(LN_2);
        }
        let difference = self - other;
        if difference > Self::default() {
            self + (-difference).exp().ln_1p()
        } else if difference <= Self::default() {
            other + difference.exp().ln_1p()
        } else {
            difference
        }
    }

    /// `log2(exp2(self) + exp2(other))` without overflow.
    fn log_add_exp2(self, other: Self) -> Self {
        if self == other {
            return self + Self::ONE;
        }
        let difference = self - other;
        if difference > Self::default() {
            self + Self::of(LOG2_E) * (-difference).exp2().ln_1p()
        } else if difference <= Self::default() {
            other + Self::of(LOG2_E) * difference.exp2().ln_1p()
        } else {
            difference
        }
    }

    /// Rounded to the nearest integer, ties to even.
    fn rint(self) -> Self;
    /// Whether it is not a number.
    fn is_nan(self) -> bool;
    /// Whether it is infinite.
    fn is_infinite(self) -> bool;
    /// Whether it is neither infinite nor not a number.
    fn is_finite(self) -> bool;
    /// Whether its sign bit is set.
    fn is_sign_negative(self) -> bool;
    /// Its size with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;
    /// To the power of `exponent`.
    fn powf(self, exponent: Self) -> Self;
    /// The angle of the point (`x`, `self`).
    fn atan2(self, x: Self) -> Self;
    /// The length of the vector (`self`, `other`).
    fn hypot(self, other: Self) -> Self;

    /// Quotient rounded down and the remainder that goes with it, which has the divisor's sign.
    fn floor_divmod(self, divisor: Self) -> (Self, Self) {
        let (zero, half) = (Self::default(), Self::of(0.5));
        let mut remainder = self % divisor;
        if divisor == zero {
            return (self / divisor, remainder);
        }
        let mut quotient = (self - remainder) / divisor;
        if remainder == zero {
            remainder = zero.copysign(divisor);
        } else if (divisor < zero) != (remainder < zero) {
            remainder = remainder + divisor;
            quotient = quotient - Self::ONE;
        }
        if quotient == zero {
            return (zero.copysign(self / divisor), remainder);
        }
        let floor = quotient.floor();
        (if quotient - floor > half { floor + Self::ONE } else { floor }, remainder)
    }

    /// The integral part and what is left, both with the number's sign: numpy's order is the other way round.
    fn split_fraction(self) -> (Self, Self) {
        let whole = self.trunc();
        let fraction = if self.is_infinite() { Self::default() } else { self - whole };
        (whole, fraction.copysign(self))
    }

    /// -1, 0 or 1; not a number if it is none.
    fn sign(self) -> Self {
        let zero = Self::default();
        if self > zero {
            Self::ONE
        } else if self < zero {
            -Self::ONE
        } else if self == zero {
            zero
        } else {
            self
        }
    }

    /// The step function, which is `at_zero` at 0.
    fn heaviside(self, at_zero: Self) -> Self {
        let zero = Self::default();
        if self == zero {
            at_zero
        } else if self < zero {
            zero
        } else if self > zero {
            Self::ONE
        } else {
            self
        }
    }

    /// Largest integer that is not larger.
    fn floor(self) -> Self;
    /// Smallest integer that is not smaller.
    fn ceil(self) -> Self;
    /// Without its fraction.
    fn trunc(self) -> Self;
    /// Without its sign.
    fn abs(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Cube root.
    fn cbrt(self) -> Self;
    /// Exponential.
    fn exp(self) -> Self;
    /// Two to the power of it.
    fn exp2(self) -> Self;
    /// Exponential less 1.
    fn exp_m1(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Logarithm of base 2.
    fn log2(self) -> Self;
    /// Logarithm of base 10.
    fn log10(self) -> Self;
    /// Natural logarithm of 1 more.
    fn ln_1p(self) -> Self;
    /// Sine.
    fn sin(self) -> Self;
    /// Cosine.
    fn cos(self) -> Self;
    /// Tangent.
    fn tan(self) -> Self;
    /// Arc sine.
    fn asin(self) -> Self;
    /// Arc cosine.
    fn acos(self) -> Self;
    /// Arc tangent.
    fn atan(self) -> Self;
    /// Hyperbolic sine.
    fn sinh(self) -> Self;
    /// Hyperbolic cosine.
    fn cosh(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
}
