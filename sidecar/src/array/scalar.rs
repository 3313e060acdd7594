//! Numbers that are arguments: they take the type of the array they meet, as Python's own numbers do.

use half::f16;
use thiserror::Error;

use super::cast::CastTo;
use super::dtype::{Dtype, Kind};
use super::element::{Complex128, Element, with_dtype};
use super::slab::Slab;

/// A number without a type of its own. (A truth value has one: it is as good as an array of it.)
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i128),
    /// A floating point number.
    Float(f64),
    /// A complex number.
    Complex(Complex128),
}

/// An integer that the type it should take does not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the integer {value} is out of bounds of {dtype}")]
pub struct ScalarOutOfBounds {
    /// The integer.
    pub value: i128,
    /// The type.
    pub dtype: Dtype,
}

impl Scalar {
    /// The type that it has when there is no array to take one from.
    #[must_use]
    pub const fn default_dtype(self) -> Dtype {
        match self {
            Self::Bool(_) => Dtype::Bool,
            Self::Int(_) => Dtype::I64,
            Self::Float(_) => Dtype::F64,
            Self::Complex(_) => Dtype::C128,
        }
    }

    /// The type of an array of `dtype` together with this number: the array's, or the smallest wider one if
    /// the number is of a wider kind.
    #[must_use]
    pub fn meet(self, dtype: Dtype) -> Dtype {
        match (self, dtype.kind()) {
            (Self::Bool(_), _) => dtype.promote(Dtype::Bool),
            (Self::Int(_), Kind::Bool) => Dtype::I64,
            (Self::Float(_), Kind::Bool | Kind::Unsigned | Kind::Signed) => Dtype::F64,
            (Self::Complex(_), Kind::Bool | Kind::Unsigned | Kind::Signed) => Dtype::C128,
            (Self::Complex(_), Kind::Float) => dtype.promote(Dtype::C64),
            _ => dtype,
        }
    }

    /// The number as an array without axes of that type. A float too large for it becomes infinite.
    ///
    /// # Errors
    /// It is an integer that the type, which is one of integers, does not have.
    pub fn to_slab(self, dtype: Dtype) -> Result<Slab, ScalarOutOfBounds> {
        fn slab<F: CastTo<T>, T: Element>(value: F) -> Slab {
            Slab::single(value.cast())
        }
        Ok(match self {
            Self::Bool(value) => with_dtype!(dtype, To => slab::<_, To>(value)),
            Self::Float(value) => with_dtype!(dtype, To => slab::<_, To>(value)),
            Self::Complex(value) => with_dtype!(dtype, To => slab::<_, To>(value)),
            Self::Int(value) => match dtype.bounds() {
                Some((low, high)) if value < low || value > high => return Err(ScalarOutOfBounds { value, dtype }),
                // In bounds, so that the lowest bits are all of it.
                Some((0, _)) => with_dtype!(dtype, To => slab::<_, To>(value as u64)),
                Some(_) => with_dtype!(dtype, To => slab::<_, To>(value as i64)),
                None if dtype == Dtype::Bool => Slab::single(value != 0),
                None if dtype == Dtype::F16 => Slab::single::<f16>((value as f64).cast()),
                None => with_dtype!(dtype, To => slab::<_, To>(value as f64)),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::element::Values;

    #[test]
    fn a_number_takes_the_type_that_it_meets() {
        assert_eq!(Scalar::Int(1).meet(Dtype::U8), Dtype::U8);
        assert_eq!(Scalar::Int(1).meet(Dtype::F16), Dtype::F16);
        assert_eq!(Scalar::Int(1).meet(Dtype::Bool), Dtype::I64);
        assert_eq!(Scalar::Float(1.0).meet(Dtype::I8), Dtype::F64);
        assert_eq!(Scalar::Float(1.0).meet(Dtype::F16), Dtype::F16);
        assert_eq!(Scalar::Complex(Complex128::default()).meet(Dtype::F32), Dtype::C64);
        assert_eq!(Scalar::Complex(Complex128::default()).meet(Dtype::F64), Dtype::C128);
    }

    #[test]
    fn integers_must_fit_and_floats_overflow() {
        assert_eq!(Scalar::Int(300).to_slab(Dtype::U8), Err(ScalarOutOfBounds { value: 300, dtype: Dtype::U8 }));
        assert_eq!(Scalar::Int(-1).to_slab(Dtype::U64).ok(), None);
        assert_eq!(Scalar::Int(u64::MAX.into()).to_slab(Dtype::U64).unwrap().values(), &Values::U64(vec![u64::MAX]));
        assert_eq!(Scalar::Float(1e300).to_slab(Dtype::F32).unwrap().values(), &Values::F32(vec![f32::INFINITY]));
        assert_eq!(Scalar::Int(100_000).to_slab(Dtype::F16).unwrap().values(), &Values::F16(vec![f16::INFINITY]));
    }
}
