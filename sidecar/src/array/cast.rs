//! Values of one type as another, as numpy's `astype` on x86-64 does: integers wrap, and a float that is out
//! of an integer's range (or not a number) becomes what the processor makes of it, not the nearest value.

use half::f16;

use super::dtype::Dtype;
use super::element::{Complex64, Complex128, Element, Values, with_dtype, with_values};
use super::half_width;
use super::slab::Slab;

/// A value that can become one of type `T`, perhaps another one.
pub trait CastTo<T> {
    /// The value as `T`.
    fn cast(self) -> T;
}

impl Values {
    /// The values as another type. Which casts are wanted is [`can_cast`](super::dtype::can_cast)'s business.
    #[must_use]
    pub fn astype(&self, dtype: Dtype) -> Self {
        fn cast<A: Element + CastTo<B>, B: Element>(elements: &[A]) -> Values {
            B::wrap(elements.iter().map(|element| element.cast()).collect())
        }
        if self.dtype() == dtype {
            return self.clone();
        }
        with_values!(self, elements => with_dtype!(dtype, To => cast::<_, To>(elements)))
    }
}

impl Slab {
    /// The slab with its elements as another type; the imaginary part is dropped where there is no place
    /// for it.
    #[must_use]
    pub fn astype(self, dtype: Dtype) -> Self {
        if self.dtype() == dtype {
            return self;
        }
        let shape = self.shape().to_vec();
        // The shape is that of as many elements.
        Self::new(shape, self.values().astype(dtype)).unwrap_or(self)
    }
}

/// What `cvttsd2si` makes of a double, 32 bits wide.
fn to_i32(value: f64) -> i32 {
    if value > -2_147_483_649.0 && value < 2_147_483_648.0 { value as i32 } else { i32::MIN }
}

/// What `cvttsd2si` makes of a double, 64 bits wide.
fn to_i64(value: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) { value as i64 } else { i64::MIN }
}

/// What vectors make of a cast to 32 unsigned bits: numpy's scalars differ out of range.
fn to_u32(value: f64) -> u32 {
    const HALF: f64 = 2_147_483_648.0;
    if value >= HALF { to_i32(value - HALF).cast_unsigned() ^ (1 << 31) } else { to_i32(value).cast_unsigned() }
}

/// What compilers make of a cast to 64 unsigned bits, which the processor does not have.
fn to_u64(value: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    if value >= HALF { to_i64(value - HALF).cast_unsigned() ^ (1 << 63) } else { to_i64(value).cast_unsigned() }
}

macro_rules! plain {
    ($from:ty => $($to:ty),*) => {
        $(impl CastTo<$to> for $from {
            fn cast(self) -> $to {
                self as $to
            }
        })*
    };
}
macro_rules! through {
    ($from:ty, $by:expr => $($to:ty),*) => {
        $(impl CastTo<$to> for $from {
            fn cast(self) -> $to {
                let by = $by;
                by(self).cast()
            }
        })*
    };
}
macro_rules! real {
    ($($from:ty),*) => {
        $(
            impl CastTo<Complex64> for $from {
                fn cast(self) -> Complex64 {
                    Complex64::new(self.cast(), 0.0)
                }
            }
            impl CastTo<Complex128> for $from {
                fn cast(self) -> Complex128 {
                    Complex128::new(self.cast(), 0.0)
                }
            }
        )*
    };
}
macro_rules! integer {
    ($($from:ty),*) => {
        $(
            plain!($from => i8, u8, i16, u16, i32, u32, i64, u64, f32, f64);
            impl CastTo<bool> for $from {
                fn cast(self) -> bool {
                    self != 0
                }
            }
            impl CastTo<f16> for $from {
                fn cast(self) -> f16 {
                    f16::from_f32(self as f32)
                }
            }
            real!($from);
        )*
    };
}
macro_rules! float {
    ($($from:ty),*) => {
        $(
            plain!($from => f32, f64);
            float!($from, to_i32 => i8, u8, i16, u16, i32);
            float!($from, to_u32 => u32);
            float!($from, to_i64 => i64);
            float!($from, to_u64 => u64);
            impl CastTo<bool> for $from {
                fn cast(self) -> bool {
                    self != 0.0
                }
            }
            real!($from);
        )*
    };
    ($from:ty, $by:ident => $($to:ty),*) => {
        $(impl CastTo<$to> for $from {
            fn cast(self) -> $to {
                $by(self.into()) as $to
            }
        })*
    };
}
macro_rules! complex {
    ($($from:ty),*) => {
        $(
            through!($from, |value: $from| value.re => i8, u8, i16, u16, i32, u32, i64, u64, f16, f32, f64);
            impl CastTo<bool> for $from {
                fn cast(self) -> bool {
                    self.re != 0.0 || self.im != 0.0
                }
            }
            impl CastTo<Complex64> for $from {
                fn cast(self) -> Complex64 {
                    Complex64::new(self.re.cast(), self.im.cast())
                }
            }
            impl CastTo<Complex128> for $from {
                fn cast(self) -> Complex128 {
                    Complex128::new(self.re.cast(), self.im.cast())
                }
            }
        )*
    };
}

integer!(i8, u8, i16, u16, i32, u32, i64, u64);
float!(f32, f64);
complex!(Complex64, Complex128);
real!(bool, f16);
through!(bool, u8::from => i8, u8, i16, u16, i32, u32, i64, u64, f16, f32, f64);
through!(f16, f32::from => bool, i8, u8, i16, u16, i32, u32, i64, u64, f32, f64);

impl CastTo<Self> for bool {
    fn cast(self) -> Self {
        self
    }
}

impl CastTo<Self> for f16 {
    fn cast(self) -> Self {
        self
    }
}

impl CastTo<f16> for f32 {
    fn cast(self) -> f16 {
        f16::from_f32(self)
    }
}

impl CastTo<f16> for f64 {
    fn cast(self) -> f16 {
        half_width::from_f64(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_range_is_what_the_processor_makes_of_it() {
        let values = Values::F64(vec![3.9, -3.9, 300.0, f64::NAN, 1e300, 2_147_483_648.0]);
        assert_eq!(values.astype(Dtype::I32), Values::I32(vec![3, -3, 300, i32::MIN, i32::MIN, i32::MIN]));
        assert_eq!(values.astype(Dtype::U8), Values::U8(vec![3, 253, 44, 0, 0, 0]));
        let big = Values::F64(vec![1.8e19, 1e30, -1.0]);
        assert_eq!(big.astype(Dtype::U64), Values::U64(vec![18_000_000_000_000_000_000, 0, u64::MAX]));
    }

    #[test]
    fn a_complex_number_loses_its_imaginary_part_but_not_its_truth() {
        let values = Values::C128(vec![Complex128::new(0.0, 2.0)]);
        assert_eq!(values.astype(Dtype::F32), Values::F32(vec![0.0]));
        assert_eq!(values.astype(Dtype::Bool), Values::Bool(vec![true]));
        assert_eq!(values.astype(Dtype::C64), Values::C64(vec![Complex64::new(0.0, 2.0)]));
    }
}
