//! Functions of one operand.

use std::f64::consts::{LN_2, LOG2_E, LOG10_E};

use half::f16;
use num_complex::Complex;

use super::kernel::{map, narrow, widen};
use crate::array::cast::CastTo;
use crate::array::complex;
use crate::array::element::{Complex128, Element, Values};
use crate::array::float::Real;
use crate::array::integer::Integer;

/// What is computed; numpy's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unary {
    Absolute,
    Fabs,
    Negative,
    Positive,
    Sign,
    Square,
    Reciprocal,
    Conjugate,
    Sqrt,
    Cbrt,
    Exp,
    Exp2,
    Expm1,
    Log,
    Log2,
    Log10,
    Log1p,
    Sin,
    Cos,
    Tan,
    Arcsin,
    Arccos,
    Arctan,
    Sinh,
    Cosh,
    Tanh,
    Arcsinh,
    Arccosh,
    Arctanh,
    Degrees,
    Radians,
    Floor,
    Ceil,
    Trunc,
    Rint,
    Isnan,
    Isinf,
    Isfinite,
    Signbit,
    Spacing,
    Invert,
    LogicalNot,
    BitwiseCount,
}

/// The function of each element; none if there is no such function of the type.
pub(super) fn apply(function: Unary, values: &Values) -> Option<Values> {
    match values {
        Values::Bool(elements) => truths(function, elements),
        Values::I8(elements) => integers(function, elements),
        Values::U8(elements) => integers(function, elements),
        Values::I16(elements) => integers(function, elements),
        Values::U16(elements) => integers(function, elements),
        Values::I32(elements) => integers(function, elements),
        Values::U32(elements) => integers(function, elements),
        Values::I64(elements) => integers(function, elements),
        Values::U64(elements) => integers(function, elements),
        Values::F16(elements) if function == Unary::Spacing => map(elements, half_spacing),
        Values::F16(elements) => reals(function, &widen(elements)).map(narrow),
        Values::F32(elements) => reals(function, elements),
        Values::F64(elements) => reals(function, elements),
        Values::C64(elements) => complexes(function, elements),
        Values::C128(elements) => complexes(function, elements),
    }
}

/// Mantissas and exponents.
pub(super) fn frexp(values: &Values) -> Option<Vec<Values>> {
    fn split<T: Real>(elements: &[T]) -> Option<Vec<Values>> {
        let (mantissas, exponents) = elements.iter().map(|element| element.split()).unzip();
        Some(vec![T::wrap(mantissas), Values::I32(exponents)])
    }
    match values {
        Values::F16(elements) => Some(split(&widen(elements))?.into_iter().map(narrow).collect()),
        Values::F32(elements) => split(elements),
        Values::F64(elements) => split(elements),
        _ => None,
    }
}

/// Fractions and integral parts.
pub(super) fn modf(values: &Values) -> Option<Vec<Values>> {
    fn split<T: Real>(elements: &[T]) -> Option<Vec<Values>> {
        let (whole, fractions) = elements.iter().map(|element| element.split_fraction()).unzip();
        Some(vec![T::wrap(fractions), T::wrap(whole)])
    }
    match values {
        Values::F16(elements) => Some(split(&widen(elements))?.into_iter().map(narrow).collect()),
        Values::F32(elements) => split(elements),
        Values::F64(elements) => split(elements),
        _ => None,
    }
}

fn truths(function: Unary, elements: &[bool]) -> Option<Values> {
    match function {
        Unary::Absolute | Unary::Floor | Unary::Ceil | Unary::Trunc => map(elements, |element| element),
        Unary::Isfinite => map(elements, |_| true),
        Unary::Isnan | Unary::Isinf => map(elements, |_| false),
        Unary::Invert | Unary::LogicalNot => map(elements, |element: bool| !element),
        _ => None,
    }
}

fn integers<T: Integer>(function: Unary, elements: &[T]) -> Option<Values> {
    match function {
        Unary::Absolute => map(elements, T::absolute),
        Unary::Negative => map(elements, T::negative),
        Unary::Positive | Unary::Conjugate | Unary::Floor | Unary::Ceil | Unary::Trunc => {
            map(elements, |element| element)
        }
        Unary::Sign => map(elements, T::sign),
        Unary::Square => map(elements, |element| element.times(element)),
        Unary::Reciprocal => map(elements, T::reciprocal),
        Unary::Isfinite => map(elements, |_| true),
        Unary::Isnan | Unary::Isinf => map(elements, |_| false),
        Unary::Invert => map(elements, T::invert),
        Unary::BitwiseCount => map(elements, T::bit_count),
        _ => None,
    }
}

fn reals<T: Real>(function: Unary, elements: &[T]) -> Option<Values> {
    match function {
        Unary::Absolute | Unary::Fabs => map(elements, T::abs),
        Unary::Negative => map(elements, |element: T| -element),
        Unary::Positive | Unary::Conjugate => map(elements, |element| element),
        Unary::Sign => map(elements, T::sign),
        Unary::Square => map(elements, |element| element * element),
        Unary::Reciprocal => map(elements, |element| T::ONE / element),
        Unary::Sqrt => map(elements, T::sqrt),
        Unary::Cbrt => map(elements, T::cbrt),
        Unary::Exp => map(elements, T::exp),
        Unary::Exp2 => map(elements, T::exp2),
        Unary::Expm1 => map(elements, T::exp_m1),
        Unary::Log => map(elements, T::ln),
        Unary::Log2 => map(elements, T::log2),
        Unary::Log10 => map(elements, T::log10),
        Unary::Log1p => map(elements, T::ln_1p),
        Unary::Sin => map(elements, T::sin),
        Unary::Cos => map(elements, T::cos),
        Unary::Tan => map(elements, T::tan),
        Unary::Arcsin => map(elements, T::asin),
        Unary::Arccos => map(elements, T::acos),
        Unary::Arctan => map(elements, T::atan),
        Unary::Sinh => map(elements, T::sinh),
        Unary::Cosh => map(elements, T::cosh),
        Unary::Tanh => map(elements, T::tanh),
        Unary::Arcsinh => map(elements, T::arc_sinh),
        Unary::Arccosh => map(elements, T::arc_cosh),
        Unary::Arctanh => map(elements, T::arc_tanh),
        Unary::Degrees => map(elements, |element| element * T::DEGREES),
        Unary::Radians => map(elements, |element| element * T::RADIANS),
        Unary::Floor => map(elements, T::floor),
        Unary::Ceil => map(elements, T::ceil),
        Unary::Trunc => map(elements, T::trunc),
        Unary::Rint => map(elements, T::rint),
        Unary::Isnan => map(elements, T::is_nan),
        Unary::Isinf => map(elements, T::is_infinite),
        Unary::Isfinite => map(elements, T::is_finite),
        Unary::Signbit => map(elements, T::is_sign_negative),
        Unary::Spacing => map(elements, T::spacing),
        Unary::Invert | Unary::LogicalNot | Unary::BitwiseCount => None,
    }
}

fn complexes<T: Real>(function: Unary, elements: &[Complex<T>]) -> Option<Values>
where
    Complex<T>: Element + CastTo<Complex128>,
    Complex128: CastTo<Complex<T>>,
{
    let through = |function: fn(Complex128) -> Complex128| map(elements, |element| function(element.cast()).cast());
    let scaled = |value: Complex128, factor: f64| Complex128::new(value.re * factor, value.im * factor);
    match function {
        Unary::Absolute => map(elements, |element| element.re.hypot(element.im)),
        Unary::Negative => map(elements, |element| Complex { re: -element.re, im: -element.im }),
        Unary::Positive => map(elements, |element| element),
        Unary::Conjugate => map(elements, |element| Complex { re: element.re, im: -element.im }),
        Unary::Sign => map(elements, complex::sign),
        Unary::Square => map(elements, |element| complex::multiply(element, element)),
        Unary::Reciprocal => map(elements, complex::reciprocal),
        Unary::Sqrt => through(complex::sqrt),
        Unary::Exp => through(complex::exp),
        Unary::Exp2 => map(elements, |element| complex::exp(scaled(element.cast(), LN_2)).cast()),
        Unary::Expm1 => through(complex::exp_m1),
        Unary::Log => through(complex::ln),
        Unary::Log2 => map(elements, |element| scaled(complex::ln(element.cast()), LOG2_E).cast()),
        Unary::Log10 => map(elements, |element| scaled(complex::ln(element.cast()), LOG10_E).cast()),
        Unary::Log1p => through(complex::ln_1p),
        Unary::Sin => through(complex::sin),
        Unary::Cos => through(complex::cos),
        Unary::Tan => through(complex::tan),
        Unary::Arcsin => through(complex::arc_sin),
        Unary::Arccos => through(complex::arc_cos),
        Unary::Arctan => through(complex::arc_tan),
        Unary::Sinh => through(complex::sinh),
        Unary::Cosh => through(complex::cosh),
        Unary::Tanh => through(complex::tanh),
        Unary::Arcsinh => through(complex::arc_sinh),
        Unary::Arccosh => through(complex::arc_cosh),
        Unary::Arctanh => through(complex::arc_tanh),
        Unary::Rint => map(elements, |element| Complex { re: element.re.rint(), im: element.im.rint() }),
        Unary::Isnan => map(elements, complex::is_nan),
        Unary::Isinf => map(elements, |element| element.re.is_infinite() || element.im.is_infinite()),
        Unary::Isfinite => map(elements, |element| element.re.is_finite() && element.im.is_finite()),
        _ => None,
    }
}

/// The distance between neighbours. As numpy has it, it is that to the neighbour above, and positive, while
/// for other types it is that to the neighbour farther from zero, with the number's sign.
fn half_spacing(value: f16) -> f16 {
    if value.is_infinite() || value.is_nan() {
        return f16::NAN;
    }
    let bits = value.to_bits();
    // -0 counts as a power of two here, and has the least number above it too.
    let is_negative = bits & 0x8000 != 0;
    let above = if value == f16::ZERO {
        f16::from_bits(1)
    } else {
        f16::from_bits(if is_negative { bits.wrapping_sub(1) } else { bits.wrapping_add(1) })
    };
    f16::from_f32(above.to_f32() - value.to_f32())
}
