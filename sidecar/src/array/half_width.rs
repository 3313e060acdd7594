//! Half precision: rounded once, whatever it is rounded from.

use half::f16;

/// The half nearest to a double, ties to even. Not by way of a rounded single, which would round twice.
pub(crate) fn from_f64(value: f64) -> f16 {
    let nearest = value as f32;
    if f64::from(nearest) == value || value.is_nan() {
        return f16::from_f32(nearest);
    }
    // Round to odd: cut off, then mark that something was cut off. The second rounding is then right.
    let bits = nearest.to_bits();
    let cut = if f64::from(nearest).abs() > value.abs() { bits.wrapping_sub(1) } else { bits };
    f16::from_f32(f32::from_bits(cut | 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_is_rounded_once() {
        // A tie in single precision, but above it in double.
        let tie = 1.0 + 2_f64.powi(-11);
        assert_eq!(from_f64(tie).to_bits(), 0x3c00);
        assert_eq!(from_f64(tie + 2_f64.powi(-40)).to_bits(), 0x3c01);
        assert_eq!(from_f64(-tie - 2_f64.powi(-40)).to_bits(), 0xbc01);
        assert_eq!(from_f64(65_519.999_999_9).to_bits(), 0x7bff);
        assert_eq!(from_f64(65520.0).to_bits(), 0x7c00);
        assert_eq!(from_f64(1e300), f16::INFINITY);
        assert_eq!(from_f64(-1e300), f16::NEG_INFINITY);
        assert_eq!(from_f64(1e-300).to_bits(), 0);
        assert_eq!(from_f64(2_f64.powi(-25) * (1.0 + 2_f64.powi(-50))).to_bits(), 1);
        assert!(from_f64(f64::NAN).is_nan());
    }
}
