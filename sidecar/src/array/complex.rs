//! Functions of complex numbers, with the special values of the C standard's Annex G, which numpy's have.
//!
//! They are worked out in double precision; single precision is rounded from it.

mod arc;
mod elementary;

pub(crate) use arc::{arc_cos, arc_cosh, arc_sin, arc_sinh, arc_tan, arc_tanh};
pub(crate) use elementary::{cos, cosh, exp, exp_m1, ln, ln_1p, power, sin, sinh, sqrt, tan, tanh};

use num_complex::Complex;

use super::float::Real;

/// The quotient, by Smith's way round overflow.
pub(crate) fn divide<T: Real>(left: Complex<T>, right: Complex<T>) -> Complex<T> {
    let (re, im) = (right.re.abs(), right.im.abs());
    if re >= im {
        if re == T::default() && im == T::default() {
            return Complex { re: left.re / re, im: left.im / im };
        }
        let ratio = right.im / right.re;
        let scale = T::ONE / (right.re + right.im * ratio);
        Complex { re: (left.re + left.im * ratio) * scale, im: (left.im - left.re * ratio) * scale }
    } else {
        let ratio = right.re / right.im;
        let scale = T::ONE / (right.im + right.re * ratio);
        Complex { re: (left.re * ratio + left.im) * scale, im: (left.im * ratio - left.re) * scale }
    }
}

/// The product, by the book.
pub(crate) fn multiply<T: Real>(left: Complex<T>, right: Complex<T>) -> Complex<T> {
    Complex { re: left.re * right.re - left.im * right.im, im: left.re * right.im + left.im * right.re }
}

/// 1 divided by it.
pub(crate) fn reciprocal<T: Real>(value: Complex<T>) -> Complex<T> {
    if value.im.abs() <= value.re.abs() {
        let ratio = value.im / value.re;
        let divisor = value.re + value.im * ratio;
        Complex { re: T::ONE / divisor, im: -ratio / divisor }
    } else {
        let ratio = value.re / value.im;
        let divisor = value.re * ratio + value.im;
        Complex { re: ratio / divisor, im: -T::ONE / divisor }
    }
}

/// The number of size 1 in its direction; 0 of 0.
pub(crate) fn sign<T: Real>(value: Complex<T>) -> Complex<T> {
    let size = value.re.hypot(value.im);
    let zero = T::default();
    let no_number = Complex { re: T::of(f64::NAN), im: T::of(f64::NAN) };
    if size.is_infinite() {
        let (re, im) = (value.re.is_infinite(), value.im.is_infinite());
        if re && im {
            return no_number;
        }
        if re {
            return Complex { re: T::ONE.copysign(value.re), im: zero };
        }
        if im {
            return Complex { re: zero, im: T::ONE.copysign(value.im) };
        }
    }
    if is_nan(value) {
        return no_number;
    }
    if size == zero {
        return Complex { re: zero, im: zero };
    }
    Complex { re: value.re / size, im: value.im / size }
}

/// Whether one of its parts is not a number.
pub(crate) fn is_nan<T: Real>(value: Complex<T>) -> bool {
    value.re.is_nan() || value.im.is_nan()
}

/// Whether it comes before another: by real parts, then by imaginary ones; false with what is not a number.
pub(crate) fn is_less<T: Real>(left: Complex<T>, right: Complex<T>) -> bool {
    (left.re < right.re && !left.im.is_nan() && !right.im.is_nan()) || (left.re == right.re && left.im < right.im)
}

/// Whether it comes before another, or is the same.
pub(crate) fn is_less_or_equal<T: Real>(left: Complex<T>, right: Complex<T>) -> bool {
    (left.re < right.re && !left.im.is_nan() && !right.im.is_nan()) || (left.re == right.re && left.im <= right.im)
}
