//! Functions of real numbers that the standard library lacks, or has with other rules than numpy's.

use std::f64::consts::{LN_2, LOG2_E};

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

macro_rules! forward {
    ($type:ident: $($name:ident),*) => {
        $(fn $name(self) -> Self {
            <$type>::$name(self)
        })*
    };
}
macro_rules! real {
    ($type:ident, $bits:ident) => {
        impl Real for $type {
            const ONE: Self = 1.0;
            const DEGREES: Self = 180.0 / std::$type::consts::PI;
            const RADIANS: Self = std::$type::consts::PI / 180.0;

            forward!($type: floor, ceil, trunc, abs, sqrt, cbrt, exp, exp2, exp_m1, ln, log2, log10, ln_1p, sin, cos,
                tan, asin, acos, atan, sinh, cosh, tanh);

            fn of(value: f64) -> Self {
                value as Self
            }
            fn spacing(self) -> Self {
                if self.is_infinite() {
                    return Self::NAN;
                }
                if self == 0.0 {
                    return Self::from_bits(1);
                }
                // For numbers of either sign the next bit pattern is the one farther from zero.
                Self::from_bits(self.to_bits().wrapping_add(1)) - self
            }
            fn next_after(self, other: Self) -> Self {
                if self.is_nan() || other.is_nan() {
                    return self + other;
                }
                if self == other {
                    return other;
                }
                if self == 0.0 {
                    return Self::from_bits(1).copysign(other);
                }
                let is_outwards = (other > self) == (self > 0.0);
                let bits = self.to_bits();
                Self::from_bits(if is_outwards { bits.wrapping_add(1) } else { bits.wrapping_sub(1) })
            }
            fn scale(self, exponent: i64) -> Self {
                scale(self.into(), exponent) as Self
            }
            fn split(self) -> (Self, i32) {
                if self == 0.0 || !self.is_finite() {
                    return (self, 0);
                }
                const FRACTION: u32 = $type::MANTISSA_DIGITS - 1;
                // The exponent bits of numbers from a half to one.
                const HALF: i32 = 1 - $type::MIN_EXP;
                const FRACTION_AND_SIGN: $bits = (1 << FRACTION) - 1 | (1 << ($bits::BITS - 1));
                let shift = if self.is_subnormal() { 64 } else { 0 };
                let bits = scale(self.into(), shift) as Self;
                let bits = bits.to_bits();
                let exponent = ((bits << 1) >> (FRACTION + 1)) as i32;
                let mantissa = (bits & FRACTION_AND_SIGN) | ((HALF as $bits) << FRACTION);
                (Self::from_bits(mantissa), exponent - HALF - shift as i32)
            }
            fn arc_cosh(self) -> Self {
                arc_cosh(self.into()) as Self
            }
            fn arc_sinh(self) -> Self {
                arc_sinh(self.into()) as Self
            }
            fn arc_tanh(self) -> Self {
                arc_tanh(self.into()) as Self
            }
            fn rint(self) -> Self {
                self.round_ties_even()
            }
            fn is_nan(self) -> bool {
                <$type>::is_nan(self)
            }
            fn is_infinite(self) -> bool {
                <$type>::is_infinite(self)
            }
            fn is_finite(self) -> bool {
                <$type>::is_finite(self)
            }
            fn is_sign_negative(self) -> bool {
                <$type>::is_sign_negative(self)
            }
            fn copysign(self, sign: Self) -> Self {
                <$type>::copysign(self, sign)
            }
            fn powf(self, exponent: Self) -> Self {
                <$type>::powf(self, exponent)
            }
            fn atan2(self, x: Self) -> Self {
                <$type>::atan2(self, x)
            }
            fn hypot(self, other: Self) -> Self {
                <$type>::hypot(self, other)
            }
        }
    };
}

real!(f32, u32);
real!(f64, u64);

/// Times a power of two. Singles are exact in it as doubles, and rounded once afterwards.
fn scale(value: f64, exponent: i64) -> f64 {
    // Steps that neither overflow nor lose bits before the last one.
    const UP: f64 = f64::from_bits((1023 + 1023) << 52);
    const DOWN: f64 = f64::from_bits((1023 - 1022 + 53) << 52);
    let mut value = value;
    let mut left = exponent.clamp(-4000, 4000);
    for _ in 0..2 {
        if left > 1023 {
            value *= UP;
            left -= 1023;
        } else if left < -1022 {
            value *= DOWN;
            left += 1022 - 53;
        }
    }
    value * f64::from_bits(u64::try_from(left.clamp(-1022, 1023) + 1023).unwrap_or_default() << 52)
}

fn arc_sinh(value: f64) -> f64 {
    let size = value.abs();
    let result = if size > 268_435_456.0 {
        size.ln() + LN_2
    } else if size > 2.0 {
        (2.0 * size + 1.0 / ((size * size + 1.0).sqrt() + size)).ln()
    } else {
        let square = size * size;
        (size + square / (1.0 + (1.0 + square).sqrt())).ln_1p()
    };
    result.copysign(value)
}

fn arc_cosh(value: f64) -> f64 {
    if value > 268_435_456.0 {
        value.ln() + LN_2
    } else if value > 2.0 {
        (2.0 * value - 1.0 / (value + (value * value - 1.0).sqrt())).ln()
    } else if value < 1.0 {
        f64::NAN
    } else {
        let above = value - 1.0;
        (above + (2.0 * above + above * above).sqrt()).ln_1p()
    }
}

pub(crate) fn arc_tanh(value: f64) -> f64 {
    let size = value.abs();
    let twice = size + size;
    let result = if size < 0.5 {
        0.5 * (twice + twice * size / (1.0 - size)).ln_1p()
    } else {
        0.5 * (twice / (1.0 - size)).ln_1p()
    };
    result.copysign(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_bit_away() {
        assert_eq!(1.0_f64.spacing(), f64::EPSILON);
        assert_eq!((-1.0_f32).spacing(), -f32::EPSILON);
        assert_eq!((-0.0_f32).spacing(), f32::from_bits(1));
        assert_eq!(0.0_f64.next_after(-1.0), -f64::from_bits(1));
        assert_eq!(1.0_f64.next_after(0.0), 1.0 - f64::EPSILON / 2.0);
        assert_eq!(f64::MAX.next_after(f64::INFINITY), f64::INFINITY);
    }

    #[test]
    fn scaling_rounds_once_and_splitting_undoes_it() {
        assert_eq!(1.0_f64.scale(-1074), f64::from_bits(1));
        assert_eq!(1.0_f64.scale(-1075), 0.0);
        assert_eq!(1.5_f64.scale(-1075), f64::from_bits(1));
        assert_eq!(f64::from_bits(1).scale(2097), 2_f64.powi(1023));
        assert_eq!(1.0_f64.scale(i64::MAX), f64::INFINITY);
        assert_eq!(1.0_f32.scale(i64::MIN), 0.0);
        for value in [1.0, -0.75, 1e300, 5e-324, 2.2e-308, 3.0] {
            let (mantissa, exponent) = value.split();
            assert!((0.5..1.0).contains(&mantissa.abs()));
            assert_eq!(mantissa.scale(exponent.into()), value);
        }
        assert_eq!(1e-45_f32.split(), (0.5, -148));
        assert_eq!(0.0_f64.split(), (0.0, 0));
    }

    #[test]
    fn division_rounds_down() {
        assert_eq!((-7.0_f64).floor_divmod(2.0), (-4.0, 1.0));
        assert_eq!(7.0_f64.floor_divmod(-2.0), (-4.0, -1.0));
        assert_eq!(1.0_f64.floor_divmod(0.0).0, f64::INFINITY);
        assert!(1.0_f64.floor_divmod(0.0).1.is_nan());
    }
}
