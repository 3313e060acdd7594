//! The loops themselves: over slices, one function for all elements, so that the compiler makes vectors of it.

use half::f16;
use half::slice::HalfFloatSliceExt as _;

use crate::array::element::{Element, Values};

/// A function of each element.
pub(super) fn map<A: Element, R: Element>(elements: &[A], function: impl Fn(A) -> R) -> Option<Values> {
    Some(R::wrap(elements.iter().map(|element| function(*element)).collect()))
}

/// A function of each pair of elements. One element goes with all of the other side.
pub(super) fn zip<A: Element, B: Element, R: Element>(
    left: &[A],
    right: &[B],
    function: impl Fn(A, B) -> R,
) -> Option<Values> {
    Some(R::wrap(match (left, right) {
        (left, [right]) => left.iter().map(|left| function(*left, *right)).collect(),
        ([left], right) => right.iter().map(|right| function(*left, *right)).collect(),
        (left, right) => left.iter().zip(right).map(|(left, right)| function(*left, *right)).collect(),
    }))
}

/// A function with two results.
pub(super) fn zip_two<A: Element, B: Element, R: Element, S: Element>(
    left: &[A],
    right: &[B],
    function: impl Fn(A, B) -> (R, S),
) -> Option<Vec<Values>> {
    let (first, second) = match (left, right) {
        (left, [right]) => left.iter().map(|left| function(*left, *right)).unzip(),
        ([left], right) => right.iter().map(|right| function(*left, *right)).unzip(),
        (left, right) => left.iter().zip(right).map(|(left, right)| function(*left, *right)).unzip(),
    };
    Some(vec![R::wrap(first), S::wrap(second)])
}

/// Halves as singles, in which functions of them are computed.
pub(super) fn widen(elements: &[f16]) -> Vec<f32> {
    let mut wide = vec![0.0; elements.len()];
    elements.convert_to_f32_slice(&mut wide);
    wide
}

/// Singles rounded to halves; other results as they are.
pub(super) fn narrow(values: Values) -> Values {
    match values {
        Values::F32(wide) => {
            let mut elements = vec![f16::ZERO; wide.len()];
            half::slice::HalfFloatSliceExt::convert_from_f32_slice(elements.as_mut_slice(), &wide);
            Values::F16(elements)
        }
        other => other,
    }
}
