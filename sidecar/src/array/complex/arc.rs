//! Inverse trigonometric and hyperbolic functions.
//!
//! The way round cancellation and overflow is that of Hull, Fairgrieve and Tang, "Implementing the complex
//! arcsine and arccosine functions using exception handling", ACM TOMS 23 (1997).

use std::f64::consts::{FRAC_PI_2, LN_2};

use num_complex::Complex64 as Complex;

use super::elementary::ln;
use crate::array::float::arc_tanh as real_arc_tanh;

const NAN: Complex = Complex::new(f64::NAN, f64::NAN);
const EPSILON: f64 = f64::EPSILON;
/// Beyond it 1 is nothing, and the functions are logarithms.
const HUGE: f64 = 1.0 / EPSILON;
/// Below it a function is its argument.
const TINY: f64 = 1e-9;
/// Where `log(A + sqrt(A * A - 1))` is as good as the way round it.
const LARGE_A: f64 = 10.0;
/// Where `asin(B)` begins to lose bits.
const LARGE_B: f64 = 0.6417;
/// Below it `y / A` may lose bits to underflow.
const SMALL_Y: f64 = 5.966_672_584_960_166e-154;

/// What the inverse sine and cosine have in common, of `x + iy` in the first quadrant.
struct Parts {
    /// The real part of the inverse hyperbolic sine.
    real: f64,
    /// The sine of its imaginary part, if it has not lost bits.
    sine: Option<f64>,
    /// Otherwise the imaginary part is the angle of the point (`adjacent`, `opposite`).
    adjacent: f64,
    opposite: f64,
}

impl Parts {
    fn of(x: f64, y: f64) -> Self {
        let (r, s) = (x.hypot(y + 1.0), x.hypot(y - 1.0));
        let a = f64::midpoint(r, s).max(1.0);
        let is_off_the_cut = x >= EPSILON * (y - 1.0).abs();
        let real = if a >= LARGE_A {
            (a + (a * a - 1.0).sqrt()).ln()
        } else if y == 1.0 && x < EPSILON * EPSILON / 128.0 {
            x.sqrt()
        } else if is_off_the_cut {
            let above_one = excess(x, 1.0 + y, r) + excess(x, 1.0 - y, s);
            (above_one + (above_one * (a + 1.0)).sqrt()).ln_1p()
        } else if y < 1.0 {
            x / ((1.0 - y) * (1.0 + y)).sqrt()
        } else {
            ((y - 1.0) + ((y - 1.0) * (y + 1.0)).sqrt()).ln_1p()
        };
        if y < SMALL_Y {
            return Self { real, sine: None, adjacent: a * (2.0 / EPSILON), opposite: y * (2.0 / EPSILON) };
        }
        let sine = y / a;
        if sine <= LARGE_B {
            return Self { real, sine: Some(sine), adjacent: 0.0, opposite: 0.0 };
        }
        let far = 4.0 / EPSILON / EPSILON;
        let (adjacent, opposite) = if y == 1.0 && x < EPSILON / 128.0 {
            (x.sqrt() * f64::midpoint(a, y).sqrt(), y)
        } else if is_off_the_cut {
            let above_y = excess(x, y + 1.0, r) + excess(x, y - 1.0, s);
            ((above_y * (a + y)).sqrt(), y)
        } else if y > 1.0 {
            (x * far * y / ((y + 1.0) * (y - 1.0)).sqrt(), y * far)
        } else {
            (((1.0 - y) * (1.0 + y)).sqrt(), y)
        };
        Self { real, sine: None, adjacent, opposite }
    }
}

/// Half of `hypot(a, b) - b`, without cancellation.
fn excess(a: f64, b: f64, hypot: f64) -> f64 {
    if b < 0.0 {
        (hypot - b) / 2.0
    } else if b == 0.0 {
        a / 2.0
    } else {
        a * a / (hypot + b) / 2.0
    }
}

/// Inverse hyperbolic sine.
pub(crate) fn arc_sinh(value: Complex) -> Complex {
    let Complex { re: x, im: y } = value;
    if x.is_nan() || y.is_nan() {
        return if x.is_infinite() {
            Complex::new(x, y)
        } else if y.is_infinite() {
            Complex::new(y, x)
        } else if y == 0.0 {
            value
        } else {
            NAN
        };
    }
    let (ax, ay) = (x.abs(), y.abs());
    let (real, imaginary) = if ax > HUGE || ay > HUGE {
        let log = ln(Complex::new(ax, ay));
        (log.re + LN_2, log.im)
    } else if ax < TINY && ay < TINY {
        return value;
    } else {
        let parts = Parts::of(ax, ay);
        (parts.real, parts.sine.map_or_else(|| parts.opposite.atan2(parts.adjacent), f64::asin))
    };
    Complex::new(real.copysign(x), imaginary.copysign(y))
}

/// Inverse sine.
pub(crate) fn arc_sin(value: Complex) -> Complex {
    swapped(arc_sinh(swapped(value)))
}

/// Inverse cosine.
pub(crate) fn arc_cos(value: Complex) -> Complex {
    let Complex { re: x, im: y } = value;
    if x.is_nan() || y.is_nan() {
        return if x.is_infinite() {
            Complex::new(y, f64::NEG_INFINITY)
        } else if y.is_infinite() {
            Complex::new(x, -y)
        } else if x == 0.0 {
            Complex::new(FRAC_PI_2, y)
        } else {
            NAN
        };
    }
    let (ax, ay) = (x.abs(), y.abs());
    let (real, imaginary) = if ax > HUGE || ay > HUGE {
        let log = ln(value);
        (log.im.abs(), log.re + LN_2)
    } else if x == 1.0 && y == 0.0 {
        (0.0, 0.0)
    } else if ax < TINY && ay < TINY {
        return Complex::new(FRAC_PI_2 - x, -y);
    } else {
        let parts = Parts::of(ay, ax);
        let angle = |sine: f64| sine.copysign(x).acos();
        (parts.sine.map_or_else(|| parts.adjacent.atan2(parts.opposite.copysign(x)), angle), parts.real)
    };
    Complex::new(real, imaginary.abs().copysign(-y))
}

/// Inverse hyperbolic cosine.
pub(crate) fn arc_cosh(value: Complex) -> Complex {
    let turned = arc_cos(value);
    match (turned.re.is_nan(), turned.im.is_nan()) {
        (true, true) => NAN,
        (true, false) => Complex::new(turned.im.abs(), turned.re),
        (false, true) if value.re == 0.0 => Complex::new(f64::NAN, FRAC_PI_2),
        (false, true) => NAN,
        (false, false) => Complex::new(turned.im.abs(), turned.re.copysign(value.im)),
    }
}

/// Inverse hyperbolic tangent.
pub(crate) fn arc_tanh(value: Complex) -> Complex {
    let Complex { re: x, im: y } = value;
    let (ax, ay) = (x.abs(), y.abs());
    if y == 0.0 && ax <= 1.0 {
        return Complex::new(real_arc_tanh(x), y);
    }
    if x == 0.0 {
        return Complex::new(x, y.atan());
    }
    if x.is_nan() || y.is_nan() {
        return if x.is_infinite() {
            Complex::new(0_f64.copysign(x), y)
        } else if y.is_infinite() {
            Complex::new(0_f64.copysign(x), FRAC_PI_2.copysign(y))
        } else {
            NAN
        };
    }
    if ax > HUGE || ay > HUGE {
        return Complex::new(real_part_of_reciprocal(x, y), FRAC_PI_2.copysign(y));
    }
    if ax < TINY && ay < TINY {
        return value;
    }
    let real = if ax == 1.0 && ay < EPSILON {
        (LN_2 - ay.ln()) / 2.0
    } else {
        let off = ax - 1.0;
        let square = if ay < SMALL_Y { off * off } else { off * off + ay * ay };
        (4.0 * ax / square).ln_1p() / 4.0
    };
    let angle = if ax == 1.0 {
        2_f64.atan2(-ay)
    } else if ay < EPSILON {
        (2.0 * ay).atan2((1.0 - ax) * (1.0 + ax))
    } else {
        (2.0 * ay).atan2((1.0 - ax) * (1.0 + ax) - ay * ay)
    };
    Complex::new(real.copysign(x), (angle / 2.0).copysign(y))
}

/// Inverse tangent.
pub(crate) fn arc_tan(value: Complex) -> Complex {
    swapped(arc_tanh(swapped(value)))
}

/// `x / (x * x + y * y)` of numbers one of which is huge.
fn real_part_of_reciprocal(x: f64, y: f64) -> f64 {
    if x.is_infinite() || y.is_infinite() {
        return 0_f64.copysign(x);
    }
    if x.abs() >= y.abs() {
        let ratio = y / x;
        1.0 / (x + y * ratio)
    } else {
        let ratio = x / y;
        ratio / (y + x * ratio)
    }
}

fn swapped(value: Complex) -> Complex {
    Complex::new(value.im, value.re)
}
