//! The Rust types behind each [`Dtype`], and vectors of them.

use half::f16;
use num_complex::Complex;

use super::dtype::{ByteOrder, Dtype};

/// A single-precision complex number.
pub type Complex64 = Complex<f32>;
/// A double-precision complex number.
pub type Complex128 = Complex<f64>;

/// A type of elements.
pub trait Element: Copy + Default + PartialEq + Send + Sync + std::fmt::Debug + 'static {
    /// Its name.
    const DTYPE: Dtype;

    /// These elements as [`Values`].
    fn wrap(elements: Vec<Self>) -> Values;

    /// The elements, if they are of this type.
    fn slice(values: &Values) -> Option<&[Self]>;

    /// Reads elements, one after another; a rest too short for one is left out.
    fn read(bytes: &[u8], order: ByteOrder) -> Vec<Self>;

    /// Appends elements as bytes.
    fn write(elements: &[Self], order: ByteOrder, bytes: &mut Vec<u8>);
}

/// Elements of one type.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Truth values.
    Bool(Vec<bool>),
    /// Signed integers of 8 bits.
    I8(Vec<i8>),
    /// Unsigned integers of 8 bits.
    U8(Vec<u8>),
    /// Signed integers of 16 bits.
    I16(Vec<i16>),
    /// Unsigned integers of 16 bits.
    U16(Vec<u16>),
    /// Signed integers of 32 bits.
    I32(Vec<i32>),
    /// Unsigned integers of 32 bits.
    U32(Vec<u32>),
    /// Signed integers of 64 bits.
    I64(Vec<i64>),
    /// Unsigned integers of 64 bits.
    U64(Vec<u64>),
    /// Halves.
    F16(Vec<f16>),
    /// Singles.
    F32(Vec<f32>),
    /// Doubles.
    F64(Vec<f64>),
    /// Pairs of singles.
    C64(Vec<Complex64>),
    /// Pairs of doubles.
    C128(Vec<Complex128>),
}

/// Runs an expression with `$slice` bound to the vector inside of a [`Values`], whatever its type.
macro_rules! with_values {
    ($values:expr, $slice:ident => $body:expr) => {
        match $values {
            $crate::array::element::Values::Bool($slice) => $body,
            $crate::array::element::Values::I8($slice) => $body,
            $crate::array::element::Values::U8($slice) => $body,
            $crate::array::element::Values::I16($slice) => $body,
            $crate::array::element::Values::U16($slice) => $body,
            $crate::array::element::Values::I32($slice) => $body,
            $crate::array::element::Values::U32($slice) => $body,
            $crate::array::element::Values::I64($slice) => $body,
            $crate::array::element::Values::U64($slice) => $body,
            $crate::array::element::Values::F16($slice) => $body,
            $crate::array::element::Values::F32($slice) => $body,
            $crate::array::element::Values::F64($slice) => $body,
            $crate::array::element::Values::C64($slice) => $body,
            $crate::array::element::Values::C128($slice) => $body,
        }
    };
}
/// Runs an expression with `$element` as the Rust type of a [`Dtype`].
macro_rules! with_dtype {
    ($dtype:expr, $element:ident => $body:expr) => {{
        macro_rules! with {
            ($type:ty) => {{
                type $element = $type;
                $body
            }};
        }
        match $dtype {
            $crate::array::dtype::Dtype::Bool => with!(bool),
            $crate::array::dtype::Dtype::I8 => with!(i8),
            $crate::array::dtype::Dtype::U8 => with!(u8),
            $crate::array::dtype::Dtype::I16 => with!(i16),
            $crate::array::dtype::Dtype::U16 => with!(u16),
            $crate::array::dtype::Dtype::I32 => with!(i32),
            $crate::array::dtype::Dtype::U32 => with!(u32),
            $crate::array::dtype::Dtype::I64 => with!(i64),
            $crate::array::dtype::Dtype::U64 => with!(u64),
            $crate::array::dtype::Dtype::F16 => with!(half::f16),
            $crate::array::dtype::Dtype::F32 => with!(f32),
            $crate::array::dtype::Dtype::F64 => with!(f64),
            $crate::array::dtype::Dtype::C64 => with!($crate::array::element::Complex64),
            $crate::array::dtype::Dtype::C128 => with!($crate::array::element::Complex128),
        }
    }};
}
pub(crate) use {with_dtype, with_values};

impl Values {
    /// The type of each element.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        fn of<T: Element>(_: &[T]) -> Dtype {
            T::DTYPE
        }
        with_values!(self, elements => of(elements))
    }

    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        with_values!(self, elements => elements.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

macro_rules! number {
    ($type:ty, $name:ident) => {
        impl Element for $type {
            const DTYPE: Dtype = Dtype::$name;

            number!(common $type, $name);

            fn read(bytes: &[u8], order: ByteOrder) -> Vec<Self> {
                let (chunks, _) = bytes.as_chunks();
                match order {
                    ByteOrder::Little => chunks.iter().map(|chunk| Self::from_le_bytes(*chunk)).collect(),
                    ByteOrder::Big => chunks.iter().map(|chunk| Self::from_be_bytes(*chunk)).collect(),
                }
            }

            fn write(elements: &[Self], order: ByteOrder, bytes: &mut Vec<u8>) {
                match order {
                    ByteOrder::Little => bytes.extend(elements.iter().flat_map(|element| element.to_le_bytes())),
                    ByteOrder::Big => bytes.extend(elements.iter().flat_map(|element| element.to_be_bytes())),
                }
            }
        }
    };
    (common $type:ty, $name:ident) => {
        fn wrap(elements: Vec<Self>) -> Values {
            Values::$name(elements)
        }

        fn slice(values: &Values) -> Option<&[Self]> {
            if let Values::$name(elements) = values { Some(elements) } else { None }
        }
    };
    (complex $type:ty, $part:ty, $name:ident) => {
        impl Element for $type {
            const DTYPE: Dtype = Dtype::$name;

            number!(common $type, $name);

            fn read(bytes: &[u8], order: ByteOrder) -> Vec<Self> {
                let parts = <$part>::read(bytes, order);
                let (pairs, _) = parts.as_chunks();
                pairs.iter().map(|[re, im]| Self::new(*re, *im)).collect()
            }

            fn write(elements: &[Self], order: ByteOrder, bytes: &mut Vec<u8>) {
                for element in elements {
                    <$part>::write(&[element.re, element.im], order, bytes);
                }
            }
        }
    };
}

number!(i8, I8);
number!(u8, U8);
number!(i16, I16);
number!(u16, U16);
number!(i32, I32);
number!(u32, U32);
number!(i64, I64);
number!(u64, U64);
number!(f16, F16);
number!(f32, F32);
number!(f64, F64);
number!(complex Complex64, f32, C64);
number!(complex Complex128, f64, C128);

impl Element for bool {
    const DTYPE: Dtype = Dtype::Bool;

    number!(common bool, Bool);

    fn read(bytes: &[u8], _: ByteOrder) -> Vec<Self> {
        bytes.iter().map(|byte| *byte != 0).collect()
    }

    fn write(elements: &[Self], _: ByteOrder, bytes: &mut Vec<u8>) {
        bytes.extend(elements.iter().map(|element| u8::from(*element)));
    }
}
