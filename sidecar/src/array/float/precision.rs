//! The functions in single and in double precision.

use std::f64::consts::LN_2;

use super::Real;

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
    use crate::array::float::Real as _;

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
