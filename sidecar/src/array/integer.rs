//! Functions of integers, which wrap and never fail, as numpy has them.

use super::cast::CastTo;
use super::element::Element;

/// An integer of some width.
pub(crate) trait Integer: Element + Ord + CastTo<f64> {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn negative(self) -> Self;
    fn absolute(self) -> Self;
    fn sign(self) -> Self;
    /// 1 divided by it; what a cast makes of infinity if it is 0.
    fn reciprocal(self) -> Self;
    /// Rounded down; 0 if the divisor is 0.
    fn floor_divide(self, divisor: Self) -> Self;
    /// With the divisor's sign; 0 if the divisor is 0.
    fn remainder(self, divisor: Self) -> Self;
    /// With the dividend's sign; 0 if the divisor is 0.
    fn truncated_remainder(self, divisor: Self) -> Self;
    /// To a power that is not negative.
    fn power(self, exponent: Self) -> Self;
    fn gcd(self, other: Self) -> Self;
    fn lcm(self, other: Self) -> Self;
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    fn invert(self) -> Self;
    /// 0 if it is shifted by its width or more, or by less than 0.
    fn shift_left(self, by: Self) -> Self;
    /// Nothing but the sign if it is shifted by its width or more, or by less than 0.
    fn shift_right(self, by: Self) -> Self;
    /// How many bits its absolute value has set.
    fn bit_count(self) -> u8;
}

macro_rules! integer {
    ($type:ident, $unsigned:ident, $absolute:expr, $sign:expr, $is_negative:expr) => {
        impl Integer for $type {
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn negative(self) -> Self {
                self.wrapping_neg()
            }
            fn absolute(self) -> Self {
                $absolute(self)
            }
            fn sign(self) -> Self {
                $sign(self)
            }
            fn reciprocal(self) -> Self {
                (1.0 / self as f64).cast()
            }
            fn floor_divide(self, divisor: Self) -> Self {
                let Some(remainder) = self.checked_rem(divisor) else {
                    // By 0, or the smallest by -1, whose negative wraps.
                    return if divisor == 0 { 0 } else { self.wrapping_neg() };
                };
                let quotient = self / divisor;
                if remainder != 0 && ($is_negative(remainder) != $is_negative(divisor)) { quotient - 1 } else { quotient }
            }
            fn remainder(self, divisor: Self) -> Self {
                let remainder = self.checked_rem(divisor).unwrap_or_default();
                if remainder != 0 && ($is_negative(remainder) != $is_negative(divisor)) {
                    remainder.wrapping_add(divisor)
                } else {
                    remainder
                }
            }
            fn truncated_remainder(self, divisor: Self) -> Self {
                self.checked_rem(divisor).unwrap_or_default()
            }
            fn power(self, exponent: Self) -> Self {
                let (mut base, mut left, mut result) = (self, exponent, 1 as Self);
                while left > 0 {
                    if left & 1 == 1 {
                        result = result.wrapping_mul(base);
                    }
                    base = base.wrapping_mul(base);
                    left >>= 1;
                }
                result
            }
            fn gcd(self, other: Self) -> Self {
                let (mut left, mut right) = ($absolute(self) as $unsigned, $absolute(other) as $unsigned);
                while right != 0 {
                    (left, right) = (right, left % right);
                }
                left as Self
            }
            fn lcm(self, other: Self) -> Self {
                let divisor = Integer::gcd(self, other) as $unsigned;
                let (left, right) = ($absolute(self) as $unsigned, $absolute(other) as $unsigned);
                left.checked_div(divisor).unwrap_or_default().wrapping_mul(right) as Self
            }
            fn and(self, other: Self) -> Self {
                self & other
            }
            fn or(self, other: Self) -> Self {
                self | other
            }
            fn xor(self, other: Self) -> Self {
                self ^ other
            }
            fn invert(self) -> Self {
                !self
            }
            fn shift_left(self, by: Self) -> Self {
                u32::try_from(by).ok().and_then(|by| self.checked_shl(by)).unwrap_or_default()
            }
            fn shift_right(self, by: Self) -> Self {
                let sign = if $is_negative(self) { !0 } else { 0 };
                u32::try_from(by).ok().and_then(|by| self.checked_shr(by)).unwrap_or(sign)
            }
            fn bit_count(self) -> u8 {
                u8::try_from($absolute(self).count_ones()).unwrap_or_default()
            }
        }
    };
    (signed: $($type:ident $unsigned:ident),*) => {
        $(integer!($type, $unsigned, $type::wrapping_abs, $type::signum, $type::is_negative);)*
    };
    (unsigned: $($type:ident),*) => {
        $(integer!($type, $type, (|value: $type| value), (|value: $type| value.min(1)), (|_: $type| false));)*
    };
}

integer!(signed: i8 u8, i16 u16, i32 u32, i64 u64);
integer!(unsigned: u8, u16, u32, u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_rounds_down_and_never_fails() {
        assert_eq!((-7_i8).floor_divide(2), -4);
        assert_eq!((-7_i8).remainder(2), 1);
        assert_eq!((-7_i8).truncated_remainder(2), -1);
        assert_eq!(7_i8.floor_divide(0), 0);
        assert_eq!(i8::MIN.floor_divide(-1), i8::MIN);
        assert_eq!(i8::MIN.remainder(-1), 0);
        assert_eq!(250_u8.floor_divide(7), 35);
    }

    #[test]
    fn shifts_by_the_width_leave_the_sign() {
        assert_eq!(1_u8.shift_left(8), 0);
        assert_eq!((-1_i8).shift_left(-1), 0);
        assert_eq!((-1_i8).shift_right(100), -1);
        assert_eq!(100_i8.shift_right(100), 0);
    }

    #[test]
    fn powers_and_divisors_wrap() {
        assert_eq!(3_u8.power(5), 243);
        assert_eq!(2_u64.power(64), 0);
        assert_eq!(i8::MIN.gcd(0), i8::MIN);
        assert_eq!(12_u8.lcm(18), 36);
        assert_eq!(0_i32.lcm(0), 0);
    }
}
