//! Choosing among operands: `where` and `clip`.

use super::dtype::Dtype;
use super::element::{Element, Values, with_values};
use super::scalar::ScalarOutOfBounds;
use super::shape::broadcast;
use super::slab::Slab;
use super::ufunc::{ComputeError, Operand, TypeError, Ufunc, common};

/// The type of `where` with these two sides, as `result_type` has it.
#[must_use]
pub fn where_dtype(yes: Operand, no: Operand) -> Dtype {
    common(&[yes, no])
}

/// For each element that of `yes` where the condition is true and that of `no` where it is not. A condition
/// that is not of truth values is true where it is not zero. Shapes broadcast; the result is of type `dtype`.
///
/// # Errors
/// The shapes don't broadcast.
pub fn choose(condition: &Slab, yes: &Slab, no: &Slab, dtype: Dtype) -> Result<Slab, ComputeError> {
    fn pick<T: Element>(condition: &[bool], yes: &[T], no: &Values) -> Option<Values> {
        let pairs = yes.iter().zip(T::slice(no)?);
        Some(T::wrap(condition.iter().zip(pairs).map(|(is_yes, (yes, no))| if *is_yes { *yes } else { *no }).collect()))
    }
    let shape = broadcast(&[condition.shape(), yes.shape(), no.shape()])?;
    let stretched = |slab: &Slab, dtype: Dtype| -> Result<Values, ComputeError> {
        Ok(slab.clone().astype(dtype).broadcast_to(&shape)?.into_owned().into_values())
    };
    let Values::Bool(condition) = stretched(condition, Dtype::Bool)? else { return Err(ComputeError::Mismatch) };
    let (yes, no) = (stretched(yes, dtype)?, stretched(no, dtype)?);
    let values = with_values!(&yes, yes => pick(&condition, yes, &no)).ok_or(ComputeError::Mismatch)?;
    Slab::new(shape, values).map_err(|_| ComputeError::Mismatch)
}

/// Elements kept between two bounds, either of which may be missing, as numpy's `clip`.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    dtype: Dtype,
    low: Option<Bound>,
    high: Option<Bound>,
}

/// A bound of [`Clip`]: the same for all elements, or a slab of its own.
#[derive(Debug, Clone, PartialEq)]
enum Bound {
    Same(Slab),
    Each,
}

impl Clip {
    /// Works out the type of the result, which is that of all operands together.
    ///
    /// # Errors
    /// A bound is a number that the type does not have; the bounds are missing.
    pub fn resolve(value: Operand, low: Option<Operand>, high: Option<Operand>) -> Result<Self, TypeError> {
        let operands: Vec<Operand> = [Some(value), low, high].into_iter().flatten().collect();
        if operands.len() < 2 {
            return Err(TypeError::Operands { ufunc: "clip", expected: 2, found: operands.len() });
        }
        let dtype = common(&operands);
        let bound = |bound: Option<Operand>| -> Result<Option<Bound>, ScalarOutOfBounds> {
            bound
                .map(|bound| match bound {
                    Operand::Array(_) => Ok(Bound::Each),
                    Operand::Number(number) => number.to_slab(dtype).map(Bound::Same),
                })
                .transpose()
        };
        Ok(Self { dtype, low: bound(low)?, high: bound(high)? })
    }

    /// The type of the result.
    #[must_use]
    pub const fn output(&self) -> Dtype {
        self.dtype
    }

    /// Clips a slab, given with the bounds that are slabs, the lower one first.
    ///
    /// # Errors
    /// The shapes don't broadcast.
    pub fn apply(&self, value: &Slab, bounds: &[Slab]) -> Result<Slab, ComputeError> {
        let mut bounds = bounds.iter();
        let mut clipped = value.clone().astype(self.dtype);
        for (bound, name) in [(&self.low, "maximum"), (&self.high, "minimum")] {
            let bound = match bound {
                None => continue,
                Some(Bound::Same(bound)) => bound.clone(),
                Some(Bound::Each) => bounds.next().ok_or(ComputeError::Mismatch)?.clone().astype(self.dtype),
            };
            let operands = [Operand::Array(self.dtype), Operand::Array(self.dtype)];
            let ufunc = Ufunc::named(name).ok_or(ComputeError::Mismatch)?;
            let found = ufunc.resolve(&operands).map_err(|_| ComputeError::Mismatch)?;
            clipped = found.apply(&[clipped, bound])?.pop().ok_or(ComputeError::Mismatch)?;
        }
        if bounds.next().is_some() {
            return Err(ComputeError::Mismatch);
        }
        Ok(clipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::scalar::Scalar;

    #[test]
    fn where_takes_from_either_side() {
        let condition = Slab::of(vec![0.0_f32, 2.0, f32::NAN]);
        let dtype = where_dtype(Operand::Array(Dtype::I8), Operand::Array(Dtype::U8));
        assert_eq!(dtype, Dtype::I16);
        let chosen = choose(&condition, &Slab::of(vec![-1_i8]), &Slab::of(vec![1_u8, 2, 3]), dtype).unwrap();
        assert_eq!(chosen, Slab::of(vec![1_i16, -1, -1]));
    }

    #[test]
    fn clip_keeps_what_is_between() {
        let numbers = (Operand::Number(Scalar::Int(2)), Operand::Number(Scalar::Int(4)));
        let clip = Clip::resolve(Operand::Array(Dtype::U8), Some(numbers.0), Some(numbers.1)).unwrap();
        assert_eq!(clip.apply(&Slab::of(vec![0_u8, 3, 9]), &[]).unwrap(), Slab::of(vec![2_u8, 3, 4]));
        let wrong = Operand::Number(Scalar::Int(-1));
        assert!(Clip::resolve(Operand::Array(Dtype::U8), Some(wrong), None).is_err());
        assert!(Clip::resolve(Operand::Array(Dtype::U8), None, None).is_err());
        let clip = Clip::resolve(Operand::Array(Dtype::F32), None, Some(Operand::Array(Dtype::F32))).unwrap();
        let bounds = Slab::of(vec![1.0_f32, 5.0]);
        assert_eq!(clip.apply(&Slab::of(vec![3.0_f32]), &[bounds]).unwrap(), Slab::of(vec![1.0_f32, 3.0]));
    }
}
