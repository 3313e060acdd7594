//! A dense piece of an array: a shape, and its elements in order, the last axis fastest.

use std::borrow::Cow;

use thiserror::Error;

use super::dtype::{ByteOrder, Dtype};
use super::element::{Element, Values, with_dtype, with_values};
use super::shape::{ShapeError, count, runs, strides};

/// A shape with its elements. Invariant: there are as many elements as the shape has.
#[derive(Debug, Clone, PartialEq)]
pub struct Slab {
    shape: Vec<usize>,
    values: Values,
}

/// Bytes or elements that a shape does not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SlabError {
    /// Too many or too few.
    #[error("there are {found} bytes or elements where the shape has {expected}")]
    Length {
        /// How many the shape has.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// No such shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl Slab {
    /// Puts a shape and its elements together.
    ///
    /// # Errors
    /// There are more or fewer elements than the shape has.
    pub fn new(shape: Vec<usize>, values: Values) -> Result<Self, SlabError> {
        let (expected, found) = (count(&shape)?, values.len());
        if expected != found {
            return Err(SlabError::Length { expected, found });
        }
        Ok(Self { shape, values })
    }

    /// A slab without axes: one element.
    #[must_use]
    pub fn single<T: Element>(element: T) -> Self {
        Self { shape: Vec::new(), values: T::wrap(vec![element]) }
    }

    /// A slab with one axis.
    #[must_use]
    pub fn of<T: Element>(elements: Vec<T>) -> Self {
        Self { shape: vec![elements.len()], values: T::wrap(elements) }
    }

    /// Reads a slab from bytes. A truth value is a byte, false if 0.
    ///
    /// # Errors
    /// There are more or fewer bytes than the shape has.
    pub fn from_bytes(dtype: Dtype, order: ByteOrder, shape: Vec<usize>, bytes: &[u8]) -> Result<Self, SlabError> {
        let expected = count(&shape)?.checked_mul(dtype.item_size()).ok_or(ShapeError::TooLarge)?;
        if expected != bytes.len() {
            return Err(SlabError::Length { expected, found: bytes.len() });
        }
        let values = with_dtype!(dtype, Item => Item::wrap(Item::read(bytes, order)));
        Ok(Self { shape, values })
    }

    /// The elements as bytes.
    #[must_use]
    pub fn to_bytes(&self, order: ByteOrder) -> Vec<u8> {
        fn write<T: Element>(elements: &[T], order: ByteOrder, bytes: &mut Vec<u8>) {
            T::write(elements, order, bytes);
        }
        let mut bytes = Vec::with_capacity(self.values.len().saturating_mul(self.dtype().item_size()));
        with_values!(&self.values, elements => write(elements, order, &mut bytes));
        bytes
    }

    /// The type of each element.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.values.dtype()
    }

    /// How many elements each axis has.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements.
    #[must_use]
    pub const fn values(&self) -> &Values {
        &self.values
    }

    /// The elements alone.
    #[must_use]
    pub fn into_values(self) -> Values {
        self.values
    }

    /// The same elements in another shape: for tests.
    ///
    /// # Errors
    /// It has another number of elements.
    pub fn reshape(self, shape: Vec<usize>) -> Result<Self, SlabError> {
        Self::new(shape, self.values)
    }

    /// The elements repeated along the axes on which the slab stretches; the slab itself if it has that
    /// shape already.
    ///
    /// # Errors
    /// The shape is not one that this slab broadcasts to.
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<Cow<'_, Self>, ShapeError> {
        if self.shape == shape {
            return Ok(Cow::Borrowed(self));
        }
        let steps = strides(&self.shape, shape)?;
        let count = count(shape)?;
        let row = shape.last().copied().unwrap_or(1);
        let is_repeated = steps.last().is_none_or(|step| *step == 0);
        let values = with_values!(&self.values, elements => {
            repeat(elements, count, |out| {
                runs(shape, &steps, |offset| {
                    if is_repeated {
                        let element = elements.get(offset).copied().unwrap_or_default();
                        out.resize(out.len().saturating_add(row), element);
                    } else {
                        out.extend_from_slice(elements.get(offset..offset.saturating_add(row)).unwrap_or_default());
                    }
                });
            })
        });
        Ok(Cow::Owned(Self { shape: shape.to_vec(), values }))
    }
}

fn repeat<T: Element>(_: &[T], count: usize, fill: impl FnOnce(&mut Vec<T>)) -> Values {
    let mut out = Vec::with_capacity(count);
    fill(&mut out);
    T::wrap(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_both_orders_come_back() {
        for dtype in Dtype::ALL {
            let bytes: Vec<u8> = (0..dtype.item_size() * 6).map(|byte| (byte % 2) as u8).collect();
            for order in [ByteOrder::Little, ByteOrder::Big] {
                let slab = Slab::from_bytes(dtype, order, vec![2, 3], &bytes).unwrap();
                assert_eq!(slab.dtype(), dtype);
                assert_eq!(slab.to_bytes(order), bytes);
            }
            let short = Slab::from_bytes(dtype, ByteOrder::Little, vec![7], &bytes);
            assert_eq!(short, Err(SlabError::Length { expected: dtype.item_size() * 7, found: bytes.len() }));
        }
        let slab = Slab::from_bytes(Dtype::U16, ByteOrder::Big, vec![1], &[1, 2]).unwrap();
        assert_eq!(slab.values(), &Values::U16(vec![0x0102]));
        let slab = Slab::from_bytes(Dtype::C64, ByteOrder::Big, vec![], &[0x3f, 0x80, 0, 0, 0x40, 0, 0, 0]).unwrap();
        assert_eq!(slab, Slab::single(num_complex::Complex::new(1.0_f32, 2.0)));
    }

    #[test]
    fn slabs_stretch() {
        let column = Slab::new(vec![2, 1], Values::U8(vec![1, 2])).unwrap();
        assert_eq!(column.broadcast_to(&[2, 3]).unwrap().values(), &Values::U8(vec![1, 1, 1, 2, 2, 2]));
        let row = Slab::of(vec![1_u8, 2]);
        assert_eq!(row.broadcast_to(&[2, 2]).unwrap().values(), &Values::U8(vec![1, 2, 1, 2]));
        assert_eq!(Slab::single(7_u8).broadcast_to(&[0, 2]).unwrap().values(), &Values::U8(vec![]));
        assert!(row.broadcast_to(&[3]).is_err());
        assert!(row.broadcast_to(&[]).is_err());
        assert!(matches!(row.broadcast_to(&[2]), Ok(Cow::Borrowed(_))));
    }
}
