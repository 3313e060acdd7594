//! How near two results must be.

use half::f16;
use taskgate::array::dtype::{Dtype, Kind};
use taskgate::array::element::{Complex128, Values};
use taskgate::array::slab::Slab;

/// How near a result must be to numpy's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Nearness {
    /// The same bits, except of what is not a number.
    Exact,
    /// The same numbers: zeros of either sign are the same.
    Equal,
    /// So many units in the last place of a number from 1: less is not taken for better.
    Around(f64),
    /// So many units, unless a part is infinite: then one of the other's parts must be, too. Powers of complex numbers
    /// come to different infinities by each way to compute them.
    Power(f64),
    /// So many units in the last place; of complex numbers in that of the larger part.
    Units(f64),
}

/// Where two results differ too much: a text for people.
pub(super) fn difference(found: &Slab, expected: &Slab, nearness: Nearness) -> Option<String> {
    if found.dtype() != expected.dtype() || found.shape() != expected.shape() {
        let shape = |slab: &Slab| format!("{} {:?}", slab.dtype(), slab.shape());
        return Some(format!("{} instead of {}", shape(found), shape(expected)));
    }
    if found.dtype().kind() < Kind::Float {
        return differs(found.values() == expected.values(), found, expected);
    }
    let (left, right) = (parts(found), parts(expected));
    for (index, (left, right)) in left.iter().zip(&right).enumerate() {
        if !is_near(*left, *right, nearness, found.dtype().real()) {
            return Some(format!("at {index}: {left:?} instead of {right:?}"));
        }
    }
    None
}

fn differs(is_same: bool, found: &Slab, expected: &Slab) -> Option<String> {
    (!is_same).then(|| format!("{:?} instead of {:?}", found.values(), expected.values()))
}

fn parts(slab: &Slab) -> Vec<Complex128> {
    match slab.values().astype(Dtype::C128) {
        Values::C128(parts) => parts,
        _ => Vec::new(),
    }
}

fn is_near(left: Complex128, right: Complex128, nearness: Nearness, dtype: Dtype) -> bool {
    let size = right.re.abs().max(right.im.abs());
    let is_infinite = |value: Complex128| value.re.is_infinite() || value.im.is_infinite();
    if matches!(nearness, Nearness::Power(_)) && is_infinite(right) {
        return is_infinite(left) || left.is_nan();
    }
    // An exponent that overflows in single precision is in double one of which the exponential is 0 or infinite.
    let is_extreme = is_infinite(left) || left == Complex128::default();
    if matches!(nearness, Nearness::Power(_)) && dtype == Dtype::F32 && right.is_nan() && is_extreme {
        return true;
    }
    let has_nan = right.re.is_nan() || right.im.is_nan();
    let is_part_near = |left: f64, right: f64| match nearness {
        _ if left.is_nan() || right.is_nan() => left.is_nan() && right.is_nan(),
        Nearness::Exact => left.to_bits() == right.to_bits(),
        Nearness::Equal => left == right,
        // The sign of an infinity beside what is not a number means nothing.
        _ if has_nan && left.is_infinite() && right.is_infinite() => true,
        Nearness::Units(_) | Nearness::Around(_) | Nearness::Power(_) if left == right => true,
        Nearness::Around(units) => (left - right).abs() <= units * unit(size.max(1.0), dtype),
        Nearness::Units(units) | Nearness::Power(units) => {
            let scale = if size.is_finite() { size } else { right.abs() };
            left.is_finite() && (left - right).abs() <= units * unit(scale, dtype)
                // What overflows by a unit.
                || left.is_infinite() && right.is_finite() && right.abs() >= largest(dtype) * (1.0 - 1e-3)
        }
    };
    is_part_near(left.re, right.re) && is_part_near(left.im, right.im)
}

pub(super) fn largest(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F16 => f16::MAX.into(),
        Dtype::F32 => f32::MAX.into(),
        _ => f64::MAX,
    }
}

/// A unit in the last place of a number of that type.
pub(super) fn unit(number: f64, dtype: Dtype) -> f64 {
    let (digits, least) = match dtype {
        Dtype::F16 => (10, -24),
        Dtype::F32 => (23, -149),
        _ => (52, -1074),
    };
    if number == 0.0 || !number.is_finite() {
        return 2_f64.powi(least);
    }
    2_f64.powf(number.abs().log2().floor() - f64::from(digits)).max(2_f64.powi(least))
}
