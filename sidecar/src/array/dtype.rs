//! Types of elements: names, promotion, and which casts are allowed.

use std::fmt;

use thiserror::Error;

/// The type of an element, without its byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dtype {
    /// One byte, 0 or 1.
    Bool,
    /// A signed integer of 8 bits.
    I8,
    /// An unsigned integer of 8 bits.
    U8,
    /// A signed integer of 16 bits.
    I16,
    /// An unsigned integer of 16 bits.
    U16,
    /// A signed integer of 32 bits.
    I32,
    /// An unsigned integer of 32 bits.
    U32,
    /// A signed integer of 64 bits.
    I64,
    /// An unsigned integer of 64 bits.
    U64,
    /// IEEE 754 half precision.
    F16,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 double precision.
    F64,
    /// Two `F32`: real and imaginary part.
    C64,
    /// Two `F64`: real and imaginary part.
    C128,
}

/// Which byte of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// The least significant one.
    Little,
    /// The most significant one.
    Big,
}

/// What kind of number a type is, in the order in which kinds widen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Truth values.
    Bool,
    /// Integers from 0.
    Unsigned,
    /// Integers of both signs.
    Signed,
    /// Binary floating point.
    Float,
    /// Pairs of them.
    Complex,
}

/// Which casts are allowed, from none to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Casting {
    /// None at all.
    No,
    /// Of byte order alone, which a [`Dtype`] does not have: the same as [`Casting::No`] here.
    Equiv,
    /// Those that keep every value.
    Safe,
    /// Safe ones, and those that stay in a kind or go to a wider one, such as `float64` to `float32`.
    SameKind,
    /// Any.
    Unsafe,
}

/// A name that is no name of a type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "no such type of numbers; known are bool, int8 to int64, uint8 to uint64, float16 to float64, complex64, complex128"
)]
pub struct InvalidDtype;

impl Dtype {
    /// All types, each after those that promotion prefers to it.
    pub const ALL: [Self; 14] = [
        Self::Bool,
        Self::I8,
        Self::U8,
        Self::I16,
        Self::U16,
        Self::I32,
        Self::U32,
        Self::I64,
        Self::U64,
        Self::F16,
        Self::F32,
        Self::F64,
        Self::C64,
        Self::C128,
    ];

    /// Reads numpy's names: `int8`, `i1`, `<i4`, `>f8`, `|b1`, `float32`, `complex128`, and so on. Without a
    /// sign the byte order is little.
    ///
    /// # Errors
    /// It is no such name.
    pub fn parse(name: &str) -> Result<(Self, ByteOrder), InvalidDtype> {
        let (order, code) = match name.as_bytes().first() {
            Some(b'<' | b'=' | b'|') => (ByteOrder::Little, name.get(1..).unwrap_or_default()),
            Some(b'>') => (ByteOrder::Big, name.get(1..).unwrap_or_default()),
            _ => (ByteOrder::Little, name),
        };
        let is_signed = code.len() != name.len();
        let found = Self::ALL.into_iter().find(|dtype| dtype.code() == code || (!is_signed && dtype.name() == code));
        found.map(|dtype| (dtype, order)).ok_or(InvalidDtype)
    }

    /// The name as numpy writes it, such as `float32`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::I8 => "int8",
            Self::U8 => "uint8",
            Self::I16 => "int16",
            Self::U16 => "uint16",
            Self::I32 => "int32",
            Self::U32 => "uint32",
            Self::I64 => "int64",
            Self::U64 => "uint64",
            Self::F16 => "float16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::C64 => "complex64",
            Self::C128 => "complex128",
        }
    }

    /// The short name, such as `f4`: what comes after the sign of the byte order.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Bool => "b1",
            Self::I8 => "i1",
            Self::U8 => "u1",
            Self::I16 => "i2",
            Self::U16 => "u2",
            Self::I32 => "i4",
            Self::U32 => "u4",
            Self::I64 => "i8",
            Self::U64 => "u8",
            Self::F16 => "f2",
            Self::F32 => "f4",
            Self::F64 => "f8",
            Self::C64 => "c8",
            Self::C128 => "c16",
        }
    }

    /// How many bytes an element has.
    #[must_use]
    pub const fn item_size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 | Self::C64 => 8,
            Self::C128 => 16,
        }
    }

    /// What kind of number it is.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Bool => Kind::Bool,
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => Kind::Unsigned,
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => Kind::Signed,
            Self::F16 | Self::F32 | Self::F64 => Kind::Float,
            Self::C64 | Self::C128 => Kind::Complex,
        }
    }

    /// Whether it is an integer, truth values not included.
    #[must_use]
    pub const fn is_integer(self) -> bool {
        matches!(self.kind(), Kind::Signed | Kind::Unsigned)
    }

    /// The type of the real part; of a real number its own.
    #[must_use]
    pub const fn real(self) -> Self {
        match self {
            Self::C64 => Self::F32,
            Self::C128 => Self::F64,
            other => other,
        }
    }

    /// The smallest and the largest integer of the type; none for other kinds.
    #[must_use]
    pub fn bounds(self) -> Option<(i128, i128)> {
        Some(match self {
            Self::I8 => (i8::MIN.into(), i8::MAX.into()),
            Self::I16 => (i16::MIN.into(), i16::MAX.into()),
            Self::I32 => (i32::MIN.into(), i32::MAX.into()),
            Self::I64 => (i64::MIN.into(), i64::MAX.into()),
            Self::U8 => (0, u8::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
            _ => return None,
        })
    }

    /// The type that both fit into, by numpy's table: the first of [`Dtype::ALL`] that both cast to safely.
    #[must_use]
    pub fn promote(self, other: Self) -> Self {
        let fits = |to: &Self| can_cast(self, *to, Casting::Safe) && can_cast(other, *to, Casting::Safe);
        Self::ALL.into_iter().find(fits).unwrap_or(Self::C128)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Whether values of type `from` may be cast to type `to`, as numpy's `can_cast` says of types.
#[must_use]
pub fn can_cast(from: Dtype, to: Dtype, casting: Casting) -> bool {
    match casting {
        _ if from == to => true,
        Casting::No | Casting::Equiv => false,
        Casting::Safe => is_safe(from, to),
        Casting::SameKind => is_safe(from, to) || from.kind() <= to.kind(),
        Casting::Unsafe => true,
    }
}

fn is_safe(from: Dtype, to: Dtype) -> bool {
    let (from_size, to_size) = (from.item_size(), to.item_size());
    // A part of a complex number has half of its bytes.
    let part_size = to.real().item_size();
    match (from.kind(), to.kind()) {
        (Kind::Bool, _) => true,
        (Kind::Unsigned, Kind::Unsigned) | (Kind::Signed, Kind::Signed) | (Kind::Float, Kind::Float) => {
            from_size <= to_size
        }
        (Kind::Unsigned, Kind::Signed) => from_size < to_size,
        // As numpy has it: 64-bit integers go into a double, though not all of them fit.
        (Kind::Unsigned | Kind::Signed, Kind::Float | Kind::Complex) => from_size < part_size || part_size == 8,
        (Kind::Float, Kind::Complex) => from_size <= part_size,
        (Kind::Complex, Kind::Complex) => from_size <= to_size,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_every_spelling() {
        for dtype in Dtype::ALL {
            assert_eq!(Dtype::parse(dtype.name()), Ok((dtype, ByteOrder::Little)));
            assert_eq!(Dtype::parse(dtype.code()), Ok((dtype, ByteOrder::Little)));
            assert_eq!(Dtype::parse(&format!(">{}", dtype.code())), Ok((dtype, ByteOrder::Big)));
            assert_eq!(Dtype::parse(&format!("<{}", dtype.code())), Ok((dtype, ByteOrder::Little)));
        }
        for wrong in ["", "<", ">int8", "int", "float128", "f3", "object", "é", "<é"] {
            assert_eq!(Dtype::parse(wrong), Err(InvalidDtype), "{wrong}");
        }
    }

    #[test]
    fn promotion_is_symmetric_and_keeps_values() {
        for a in Dtype::ALL {
            assert_eq!(a.promote(a), a);
            for b in Dtype::ALL {
                let both = a.promote(b);
                assert_eq!(both, b.promote(a));
                assert!(can_cast(a, both, Casting::Safe) && can_cast(b, both, Casting::Safe));
            }
        }
        assert_eq!(Dtype::U8.promote(Dtype::I8), Dtype::I16);
        assert_eq!(Dtype::U64.promote(Dtype::I8), Dtype::F64);
        assert_eq!(Dtype::I32.promote(Dtype::F32), Dtype::F64);
        assert_eq!(Dtype::I16.promote(Dtype::F16), Dtype::F32);
        assert_eq!(Dtype::I8.promote(Dtype::F16), Dtype::F16);
        assert_eq!(Dtype::F64.promote(Dtype::C64), Dtype::C128);
    }

    #[test]
    fn same_kind_narrows_but_does_not_drop_what_a_kind_has() {
        assert!(can_cast(Dtype::F64, Dtype::F16, Casting::SameKind));
        assert!(can_cast(Dtype::I64, Dtype::F16, Casting::SameKind));
        assert!(can_cast(Dtype::U64, Dtype::I8, Casting::SameKind));
        assert!(!can_cast(Dtype::I8, Dtype::U64, Casting::SameKind));
        assert!(!can_cast(Dtype::F16, Dtype::I64, Casting::SameKind));
        assert!(!can_cast(Dtype::C64, Dtype::F64, Casting::SameKind));
        assert!(can_cast(Dtype::C64, Dtype::F64, Casting::Unsafe));
    }
}
