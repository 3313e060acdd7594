//! Functions of two operands.

use half::f16;
use num_complex::Complex;

use super::kernel::{narrow, widen, zip, zip_two};
use crate::array::cast::CastTo;
use crate::array::complex;
use crate::array::element::{Complex128, Element, Values};
use crate::array::float::Real;
use crate::array::integer::Integer;

/// What is computed; numpy's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Fmod,
    Power,
    FloatPower,
    Maximum,
    Minimum,
    Fmax,
    Fmin,
    Arctan2,
    Hypot,
    Copysign,
    Nextafter,
    Heaviside,
    Logaddexp,
    Logaddexp2,
    Ldexp,
    Gcd,
    Lcm,
    BitwiseAnd,
    BitwiseOr,
    BitwiseXor,
    LeftShift,
    RightShift,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    LogicalAnd,
    LogicalOr,
    LogicalXor,
}

/// The function of each pair of elements; none if there is no such function of the types.
pub(super) fn apply(function: Binary, left: &Values, right: &Values) -> Option<Values> {
    match (left, right) {
        (Values::Bool(left), Values::Bool(right)) => truths(function, left, right),
        (Values::I8(left), Values::I8(right)) => integers(function, left, right),
        (Values::U8(left), Values::U8(right)) => integers(function, left, right),
        (Values::I16(left), Values::I16(right)) => integers(function, left, right),
        (Values::U16(left), Values::U16(right)) => integers(function, left, right),
        (Values::I32(left), Values::I32(right)) => integers(function, left, right),
        (Values::U32(left), Values::U32(right)) => integers(function, left, right),
        (Values::I64(left), Values::I64(right)) => integers(function, left, right),
        (Values::U64(left), Values::U64(right)) => integers(function, left, right),
        (Values::I64(left), Values::U64(right)) => ordered(function, left, right),
        (Values::U64(left), Values::I64(right)) => ordered(function, left, right),
        (Values::F16(left), Values::F16(right)) if function == Binary::Nextafter => zip(left, right, half_next_after),
        (Values::F16(left), Values::F16(right)) => reals(function, &widen(left), &widen(right)).map(narrow),
        (Values::F32(left), Values::F32(right)) => reals(function, left, right),
        (Values::F64(left), Values::F64(right)) => reals(function, left, right),
        (Values::C64(left), Values::C64(right)) => complexes(function, left, right),
        (Values::C128(left), Values::C128(right)) => complexes(function, left, right),
        _ if function == Binary::Ldexp => scale(left, right),
        _ => None,
    }
}

/// Quotients rounded down, and remainders.
pub(super) fn divmod(left: &Values, right: &Values) -> Option<Vec<Values>> {
    fn integers<T: Integer>(left: &[T], right: &[T]) -> Option<Vec<Values>> {
        zip_two(left, right, |left, right| (left.floor_divide(right), left.remainder(right)))
    }
    match (left, right) {
        (Values::I8(left), Values::I8(right)) => integers(left, right),
        (Values::U8(left), Values::U8(right)) => integers(left, right),
        (Values::I16(left), Values::I16(right)) => integers(left, right),
        (Values::U16(left), Values::U16(right)) => integers(left, right),
        (Values::I32(left), Values::I32(right)) => integers(left, right),
        (Values::U32(left), Values::U32(right)) => integers(left, right),
        (Values::I64(left), Values::I64(right)) => integers(left, right),
        (Values::U64(left), Values::U64(right)) => integers(left, right),
        (Values::F16(left), Values::F16(right)) => {
            let results = zip_two(&widen(left), &widen(right), f32::floor_divmod)?;
            Some(results.into_iter().map(narrow).collect())
        }
        (Values::F32(left), Values::F32(right)) => zip_two(left, right, f32::floor_divmod),
        (Values::F64(left), Values::F64(right)) => zip_two(left, right, f64::floor_divmod),
        _ => None,
    }
}

fn truths(function: Binary, left: &[bool], right: &[bool]) -> Option<Values> {
    match function {
        Binary::Add | Binary::Maximum | Binary::Fmax | Binary::BitwiseOr | Binary::LogicalOr => {
            zip(left, right, |left: bool, right| left | right)
        }
        Binary::Multiply | Binary::Minimum | Binary::Fmin | Binary::BitwiseAnd | Binary::LogicalAnd => {
            zip(left, right, |left: bool, right| left & right)
        }
        Binary::BitwiseXor | Binary::LogicalXor => zip(left, right, |left: bool, right| left ^ right),
        _ => ordered(function, left, right),
    }
}

fn integers<T: Integer>(function: Binary, left: &[T], right: &[T]) -> Option<Values> {
    match function {
        Binary::Add => zip(left, right, T::plus),
        Binary::Subtract => zip(left, right, T::minus),
        Binary::Multiply => zip(left, right, T::times),
        Binary::FloorDivide => zip(left, right, T::floor_divide),
        Binary::Remainder => zip(left, right, T::remainder),
        Binary::Fmod => zip(left, right, T::truncated_remainder),
        Binary::Power => zip(left, right, T::power),
        Binary::Maximum | Binary::Fmax => zip(left, right, |left: T, right| left.max(right)),
        Binary::Minimum | Binary::Fmin => zip(left, right, |left: T, right| left.min(right)),
        Binary::Gcd => zip(left, right, T::gcd),
        Binary::Lcm => zip(left, right, T::lcm),
        Binary::BitwiseAnd => zip(left, right, T::and),
        Binary::BitwiseOr => zip(left, right, T::or),
        Binary::BitwiseXor => zip(left, right, T::xor),
        Binary::LeftShift => zip(left, right, T::shift_left),
        Binary::RightShift => zip(left, right, T::shift_right),
        _ => ordered(function, left, right),
    }
}

/// Two numbers that can be compared, if not exactly then as wider ones.
trait Comparable<T>: Copy {
    fn is_equal(self, other: T) -> bool;
    fn is_less(self, other: T) -> bool;
    fn is_less_or_equal(self, other: T) -> bool;
}

impl<T: Copy + PartialOrd> Comparable<T> for T {
    fn is_equal(self, other: T) -> bool {
        self == other
    }
    fn is_less(self, other: T) -> bool {
        self < other
    }
    fn is_less_or_equal(self, other: T) -> bool {
        self <= other
    }
}

impl Comparable<u64> for i64 {
    fn is_equal(self, other: u64) -> bool {
        self >= 0 && self.cast_unsigned() == other
    }
    fn is_less(self, other: u64) -> bool {
        self < 0 || self.cast_unsigned() < other
    }
    fn is_less_or_equal(self, other: u64) -> bool {
        self < 0 || self.cast_unsigned() <= other
    }
}

impl Comparable<i64> for u64 {
    fn is_equal(self, other: i64) -> bool {
        other.is_equal(self)
    }
    fn is_less(self, other: i64) -> bool {
        !other.is_less_or_equal(self)
    }
    fn is_less_or_equal(self, other: i64) -> bool {
        !other.is_less(self)
    }
}

fn ordered<A: Element + Comparable<B>, B: Element + Comparable<A>>(
    function: Binary,
    left: &[A],
    right: &[B],
) -> Option<Values> {
    match function {
        Binary::Equal => zip(left, right, A::is_equal),
        Binary::NotEqual => zip(left, right, |left: A, right| !left.is_equal(right)),
        Binary::Less => zip(left, right, A::is_less),
        Binary::LessEqual => zip(left, right, A::is_less_or_equal),
        Binary::Greater => zip(left, right, |left, right: B| right.is_less(left)),
        Binary::GreaterEqual => zip(left, right, |left, right: B| right.is_less_or_equal(left)),
        _ => None,
    }
}

fn reals<T: Real>(function: Binary, left: &[T], right: &[T]) -> Option<Values> {
    match function {
        Binary::Add => zip(left, right, |left: T, right| left + right),
        Binary::Subtract => zip(left, right, |left: T, right| left - right),
        Binary::Multiply => zip(left, right, |left: T, right| left * right),
        Binary::Divide => zip(left, right, |left: T, right| left / right),
        Binary::FloorDivide => zip(left, right, |left: T, right| left.floor_divmod(right).0),
        Binary::Remainder => zip(left, right, |left: T, right| left.floor_divmod(right).1),
        Binary::Fmod => zip(left, right, |left: T, right| left % right),
        Binary::Power | Binary::FloatPower => zip(left, right, T::powf),
        Binary::Maximum => zip(left, right, |a: T, b| if a >= b || a.is_nan() { a } else { b }),
        Binary::Minimum => zip(left, right, |a: T, b| if a <= b || a.is_nan() { a } else { b }),
        Binary::Fmax => zip(left, right, |a: T, b: T| if a >= b || b.is_nan() { a } else { b }),
        Binary::Fmin => zip(left, right, |a: T, b: T| if a <= b || b.is_nan() { a } else { b }),
        Binary::Arctan2 => zip(left, right, T::atan2),
        Binary::Hypot => zip(left, right, T::hypot),
        Binary::Copysign => zip(left, right, T::copysign),
        Binary::Nextafter => zip(left, right, T::next_after),
        Binary::Heaviside => zip(left, right, T::heaviside),
        Binary::Logaddexp => zip(left, right, T::log_add_exp),
        Binary::Logaddexp2 => zip(left, right, T::log_add_exp2),
        _ => ordered(function, left, right),
    }
}

fn complexes<T: Real>(function: Binary, left: &[Complex<T>], right: &[Complex<T>]) -> Option<Values>
where
    Complex<T>: Element + CastTo<Complex128>,
    Complex128: CastTo<Complex<T>>,
{
    use complex::{is_less, is_less_or_equal, is_nan};
    type Pair<T> = Complex<T>;
    match function {
        Binary::Add => zip(left, right, |a: Pair<T>, b: Pair<T>| Complex { re: a.re + b.re, im: a.im + b.im }),
        Binary::Subtract => zip(left, right, |a: Pair<T>, b: Pair<T>| Complex { re: a.re - b.re, im: a.im - b.im }),
        Binary::Multiply => zip(left, right, complex::multiply),
        Binary::Divide => zip(left, right, complex::divide),
        Binary::Power | Binary::FloatPower => zip(left, right, complex::power),
        Binary::Maximum => zip(left, right, |a, b| if is_less_or_equal(b, a) || is_nan(a) { a } else { b }),
        Binary::Minimum => zip(left, right, |a, b| if is_less_or_equal(a, b) || is_nan(a) { a } else { b }),
        Binary::Fmax => zip(left, right, |a, b| if is_less_or_equal(b, a) || is_nan(b) { a } else { b }),
        Binary::Fmin => zip(left, right, |a, b| if is_less_or_equal(a, b) || is_nan(b) { a } else { b }),
        Binary::Equal => zip(left, right, |a: Pair<T>, b| a == b),
        Binary::NotEqual => zip(left, right, |a: Pair<T>, b| a != b),
        Binary::Less => zip(left, right, is_less),
        Binary::LessEqual => zip(left, right, is_less_or_equal),
        Binary::Greater => zip(left, right, |a, b| is_less(b, a)),
        Binary::GreaterEqual => zip(left, right, |a, b| is_less_or_equal(b, a)),
        _ => None,
    }
}

fn scale(values: &Values, exponents: &Values) -> Option<Values> {
    fn by<T: Real>(values: &[T], exponents: &Values) -> Option<Values> {
        match exponents {
            Values::I32(exponents) => zip(values, exponents, |value: T, exponent| value.scale(exponent.into())),
            Values::I64(exponents) => zip(values, exponents, |value: T, exponent| value.scale(exponent)),
            _ => None,
        }
    }
    match values {
        Values::F16(values) => by(&widen(values), exponents).map(narrow),
        Values::F32(values) => by(values, exponents),
        Values::F64(values) => by(values, exponents),
        _ => None,
    }
}

fn half_next_after(value: f16, other: f16) -> f16 {
    if value.is_nan() || other.is_nan() {
        return f16::NAN;
    }
    if value == other {
        // Of two zeros numpy takes this one, and for other types the other one.
        return value;
    }
    if value == f16::ZERO {
        return f16::from_bits(1 | (other.to_bits() & 0x8000));
    }
    let is_outwards = (other > value) == (value > f16::ZERO);
    let bits = value.to_bits();
    f16::from_bits(if is_outwards { bits.wrapping_add(1) } else { bits.wrapping_sub(1) })
}
