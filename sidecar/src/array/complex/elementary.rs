//! Roots, exponentials, logarithms, and the trigonometric and hyperbolic functions.

use std::f64::consts::LN_2;

use num_complex::Complex as Number;
use num_complex::Complex64 as Complex;

use crate::array::cast::CastTo;
use crate::array::complex;
use crate::array::float::Real;

const NAN: Complex = Complex::new(f64::NAN, f64::NAN);
/// From here on hyperbolic functions are exponentials.
const LARGE: f64 = 22.0;
/// The largest number of which the exponential is certainly finite.
const LARGEST_EXPONENT: f64 = 709.0;

/// The square root with a real part that is not negative.
pub(crate) fn sqrt(value: Complex) -> Complex {
    let Complex { re, im } = value;
    if im.is_infinite() {
        return Complex::new(f64::INFINITY, im);
    }
    if re.is_nan() {
        return NAN;
    }
    if re.is_infinite() {
        let none = if im.is_nan() { f64::NAN } else { 0.0 };
        return if re < 0.0 {
            Complex::new(none, f64::INFINITY.copysign(im))
        } else {
            Complex::new(re, none.copysign(im))
        };
    }
    if re == 0.0 && im == 0.0 {
        return Complex::new(0.0, im);
    }
    // Powers of four, so that the root's scale is a power of two.
    let largest = re.abs().max(im.abs());
    let (scale, back) = if largest > 1e307 {
        (2_f64.powi(-4), 2_f64.powi(2))
    } else if largest < 1e-290 {
        (2_f64.powi(108), 2_f64.powi(-54))
    } else {
        (1.0, 1.0)
    };
    let (re, im) = (re * scale, im * scale);
    let root = f64::midpoint(re.abs(), re.hypot(im)).sqrt();
    if re >= 0.0 {
        Complex::new(root * back, im / (2.0 * root) * back)
    } else {
        Complex::new(im.abs() / (2.0 * root) * back, root.copysign(im) * back)
    }
}

/// The exponential.
pub(crate) fn exp(value: Complex) -> Complex {
    let Complex { re, im } = value;
    if im == 0.0 {
        return Complex::new(re.exp(), im);
    }
    if !im.is_finite() {
        return match re {
            f64::INFINITY => Complex::new(re, f64::NAN),
            f64::NEG_INFINITY => Complex::default(),
            _ => NAN,
        };
    }
    let (sin, cos) = im.sin_cos();
    scaled_exp(re, cos, sin)
}

/// `exp(exponent)` times a vector, which may be finite although the exponential is not.
fn scaled_exp(exponent: f64, re: f64, im: f64) -> Complex {
    if exponent.is_finite() && exponent > LARGEST_EXPONENT {
        let most = LARGEST_EXPONENT.exp();
        let rest = (exponent - LARGEST_EXPONENT).min(LARGEST_EXPONENT).exp();
        return Complex::new(re * most * rest, im * most * rest);
    }
    let size = exponent.exp();
    Complex::new(re * size, im * size)
}

/// The exponential less 1, as numpy has it.
pub(crate) fn exp_m1(value: Complex) -> Complex {
    let half = (value.im / 2.0).sin();
    Complex::new(value.re.exp_m1() * value.im.cos() - 2.0 * half * half, value.re.exp() * value.im.sin())
}

/// The natural logarithm, precise near the unit circle too.
pub(crate) fn ln(value: Complex) -> Complex {
    let (re, im) = (value.re.abs(), value.im.abs());
    let size = re.hypot(im);
    let real = if size.is_infinite() && re.is_finite() && im.is_finite() {
        (re / 2.0).hypot(im / 2.0).ln() + LN_2
    } else if size < f64::MIN_POSITIVE * 1e16 && size > 0.0 {
        let scale = 2_f64.powi(60);
        (re * scale).hypot(im * scale).ln() - 60.0 * LN_2
    } else if (0.5..=2.0).contains(&size) {
        squares_less_one(re, im).ln_1p() / 2.0
    } else {
        size.ln()
    };
    Complex::new(real, value.im.atan2(value.re))
}

/// `re * re + im * im - 1` with what rounding would lose.
fn squares_less_one(re: f64, im: f64) -> f64 {
    let sum = |left: f64, right: f64| {
        let sum = left + right;
        let part = sum - left;
        (sum, (left - (sum - part)) + (right - part))
    };
    let (re_square, im_square) = (re * re, im * im);
    let lost = re.mul_add(re, -re_square) + im.mul_add(im, -im_square);
    let (first, first_lost) = sum(re_square.max(im_square), -1.0);
    let (second, second_lost) = sum(first, re_square.min(im_square));
    second + (first_lost + second_lost + lost)
}

/// The natural logarithm of 1 more, as numpy has it.
pub(crate) fn ln_1p(value: Complex) -> Complex {
    let re = value.re + 1.0;
    Complex::new(re.hypot(value.im).ln(), value.im.atan2(re))
}

/// Hyperbolic sine.
pub(crate) fn sinh(value: Complex) -> Complex {
    let Complex { re, im } = value;
    if im == 0.0 {
        return Complex::new(re.sinh(), im);
    }
    if !im.is_finite() {
        return if re == 0.0 || re.is_infinite() { Complex::new(re, f64::NAN) } else { NAN };
    }
    let (sin, cos) = im.sin_cos();
    if re.abs() < LARGE {
        return Complex::new(re.sinh() * cos, re.cosh() * sin);
    }
    scaled_exp(re.abs(), (0.5 * cos) * 1_f64.copysign(re), 0.5 * sin)
}

/// Hyperbolic cosine.
pub(crate) fn cosh(value: Complex) -> Complex {
    let Complex { re, im } = value;
    if im == 0.0 {
        return Complex::new(re.cosh(), if re.is_nan() { im } else { im * 1_f64.copysign(re) });
    }
    if !im.is_finite() {
        return if re == 0.0 {
            Complex::new(f64::NAN, 0.0)
        } else if re.is_infinite() {
            Complex::new(f64::INFINITY, f64::NAN)
        } else {
            NAN
        };
    }
    let (sin, cos) = im.sin_cos();
    if re.abs() < LARGE {
        return Complex::new(re.cosh() * cos, re.sinh() * sin);
    }
    scaled_exp(re.abs(), 0.5 * cos, (0.5 * sin) * 1_f64.copysign(re))
}

/// Hyperbolic tangent, by Kahan's way round cancellation.
pub(crate) fn tanh(value: Complex) -> Complex {
    let Complex { re, im } = value;
    if re.is_nan() {
        return Complex::new(re, if im == 0.0 { im } else { re });
    }
    if re.is_infinite() {
        let sign = if im.is_finite() { im.sin() * im.cos() } else { im };
        return Complex::new(1_f64.copysign(re), 0_f64.copysign(sign));
    }
    if !im.is_finite() {
        return Complex::new(if re == 0.0 { re } else { f64::NAN }, f64::NAN);
    }
    if re.abs() >= LARGE {
        let small = (-re.abs()).exp();
        return Complex::new(1_f64.copysign(re), 4.0 * im.sin() * im.cos() * small * small);
    }
    let tan = im.tan();
    let beta = 1.0 + tan * tan;
    let sinh = re.sinh();
    let rho = (1.0 + sinh * sinh).sqrt();
    let divisor = 1.0 + beta * sinh * sinh;
    Complex::new(beta * rho * sinh / divisor, tan / divisor)
}

/// Sine.
pub(crate) fn sin(value: Complex) -> Complex {
    turned_back(sinh(turned(value)))
}

/// Cosine.
pub(crate) fn cos(value: Complex) -> Complex {
    cosh(turned(value))
}

/// Tangent.
pub(crate) fn tan(value: Complex) -> Complex {
    turned_back(tanh(turned(value)))
}

/// Times i.
fn turned(value: Complex) -> Complex {
    Complex::new(-value.im, value.re)
}

/// Times -i.
fn turned_back(value: Complex) -> Complex {
    Complex::new(value.im, -value.re)
}

/// A power; by multiplication for small whole exponents, as numpy does.
pub(crate) fn power<T: Real>(base: Number<T>, exponent: Number<T>) -> Number<T>
where
    Number<T>: CastTo<Complex>,
    Complex: CastTo<Number<T>>,
{
    let (wide_base, wide): (Complex, Complex) = (base.cast(), exponent.cast());
    let zero = Complex::default();
    if wide == zero {
        return Complex::new(1.0, 0.0).cast();
    }
    if wide_base == zero {
        return if wide.re > 0.0 { zero.cast() } else { NAN.cast() };
    }
    if wide.im == 0.0 && wide.re.abs() < 100.0 && wide.re.fract() == 0.0 {
        let result = whole_power(base, wide.re.abs() as u32);
        return if wide.re == 1.0 {
            base
        } else if wide.re < 0.0 {
            complex::divide(Complex::new(1.0, 0.0).cast(), result)
        } else {
            result
        };
    }
    exp(multiply(wide, ln(wide_base))).cast()
}

/// By multiplication; infinite numbers come out as they do in numpy, which begins with 1 unless it is a
/// square or a cube.
fn whole_power<T: Real>(base: Number<T>, exponent: u32) -> Number<T> {
    let square = complex::multiply(base, base);
    let one = Number { re: T::ONE, im: T::default() };
    let (mut left, mut power, mut result) = (exponent, base, one);
    match exponent {
        2 => return square,
        3 => return complex::multiply(base, square),
        _ => {}
    }
    while left > 0 {
        if left & 1 == 1 {
            result = complex::multiply(result, power);
        }
        left >>= 1;
        if left > 0 {
            power = complex::multiply(power, power);
        }
    }
    result
}

/// The product as C has it: where both parts are no numbers, an infinity on either side makes them infinite.
fn multiply(left: Complex, right: Complex) -> Complex {
    let product = complex::multiply(left, right);
    if !product.re.is_nan() || !product.im.is_nan() {
        return product;
    }
    let is_infinite = |value: Complex| value.re.is_infinite() || value.im.is_infinite();
    if !is_infinite(left) && !is_infinite(right) {
        return product;
    }
    let part = |part: f64, is_box: bool| {
        if is_box {
            (if part.is_infinite() { 1_f64 } else { 0.0 }).copysign(part)
        } else if part.is_nan() {
            0_f64.copysign(part)
        } else {
            part
        }
    };
    let boxed = |value: Complex| Complex::new(part(value.re, is_infinite(value)), part(value.im, is_infinite(value)));
    let direction = complex::multiply(boxed(left), boxed(right));
    Complex::new(f64::INFINITY * direction.re, f64::INFINITY * direction.im)
}
