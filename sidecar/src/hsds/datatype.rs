//! Types of elements, as HSDS writes them.
//!
//! A type keeps the JSON that it was read from, so that a copy of an object has exactly the type of the
//! original, whatever else HSDS wrote there.

mod making;
mod reading;

use serde_json::Value;
use thiserror::Error;

use crate::hsds::id::ObjectId;

/// The bytes of a reference to an object, where the type does not say another number.
pub const REFERENCE_BYTES: u64 = 48;
/// The deepest nesting of types.
pub const MAX_DEPTH: usize = 32;
/// The largest element of a fixed size, in bytes.
pub const MAX_ITEM: u64 = 1 << 31;

/// A type.
///
/// Invariant: the JSON says what the class says.
#[derive(Clone, Debug)]
pub struct Datatype {
    class: Class,
    committed: Option<ObjectId>,
    json: Value,
}

/// What a type is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// A fixed number of elements of another type, row by row.
    Array {
        /// The other type.
        base: Box<Datatype>,
        /// How many along each dimension.
        dims: Vec<u64>,
    },
    /// Bits.
    Bitfield(Layout),
    /// Fields one behind the other, without gaps.
    Compound(Vec<Field>),
    /// Names for numbers.
    Enumeration {
        /// The numbers.
        base: Integer,
        /// The names.
        members: Vec<Member>,
    },
    /// An IEEE number.
    Float(Layout),
    /// A whole number.
    Integer(Integer),
    /// Bytes that mean something to someone.
    Opaque {
        /// How many.
        bytes: u64,
    },
    /// An object or a part of a dataset.
    Reference(Reference),
    /// Text.
    Text(Text),
    /// Any number of elements of another type.
    Variable(Box<Datatype>),
}

/// How a number lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How many bytes it has.
    pub bytes: u64,
    /// In which order.
    pub order: Order,
}

/// The order of a number's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The highest byte first.
    Big,
    /// The lowest byte first.
    Little,
}

/// A whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integer {
    /// How it lies in memory.
    pub layout: Layout,
    /// Whether it may be below zero.
    pub is_signed: bool,
}

/// A field of a compound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub datatype: Datatype,
}

/// A name for a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name.
    pub name: String,
    /// The number.
    pub value: i128,
}

/// What a reference points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// An object, as text of so many bytes, filled up with zeros.
    Object {
        /// How many bytes.
        bytes: u64,
    },
    /// A part of a dataset.
    Region,
}

/// Text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// How many bytes; none for as many as it needs.
    pub bytes: Option<u64>,
    /// Whether it may have more than ASCII.
    pub is_unicode: bool,
    /// How it is filled up to its length: `H5T_STR_NULLPAD` and the like.
    pub padding: Option<String>,
}

/// A text that is no type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidDatatype {
    /// It is of a class that is not known here.
    #[error("`{0}` is no class of types that is known here")]
    Class(String),
    /// It is nested too deeply.
    #[error("a type is nested more than {MAX_DEPTH} levels deep")]
    Depth,
    /// A part of it is missing or wrong.
    #[error("a type's `{0}` is missing or wrong")]
    Part(&'static str),
    /// Its elements are too large, or have no bytes at all.
    #[error("a type's elements have more than {MAX_ITEM} bytes, or none")]
    Size,
}

impl Datatype {
    /// What it is.
    #[must_use]
    pub fn class(&self) -> &Class {
        &self.class
    }

    /// The committed type that it is, where it is one.
    #[must_use]
    pub fn committed(&self) -> Option<ObjectId> {
        self.committed
    }

    /// As HSDS writes it, with the committed type's id where it is one.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// As requests that make an object have it: the committed type's id, or the type.
    #[must_use]
    pub fn wanted(&self) -> Value {
        match self.committed {
            Some(id) => Value::String(id.to_string()),
            None => self.json.clone(),
        }
    }

    /// How many bytes an element has; none where elements differ in that.
    #[must_use]
    pub fn item_size(&self) -> Option<u64> {
        match &self.class {
            Class::Array { base, dims } => dims.iter().try_fold(base.item_size()?, |size, dim| size.checked_mul(*dim)),
            Class::Bitfield(layout) | Class::Float(layout) => Some(layout.bytes),
            Class::Compound(fields) => {
                fields.iter().try_fold(0_u64, |size, field| size.checked_add(field.datatype.item_size()?))
            }
            Class::Enumeration { base, .. } | Class::Integer(base) => Some(base.layout.bytes),
            Class::Opaque { bytes } | Class::Reference(Reference::Object { bytes }) => Some(*bytes),
            Class::Reference(Reference::Region) | Class::Variable(_) => None,
            Class::Text(text) => text.bytes,
        }
    }

    /// Whether elements differ in their number of bytes.
    #[must_use]
    pub fn is_variable(&self) -> bool {
        self.item_size().is_none()
    }

    /// Whether it is what numpy's `bool` is stored as.
    #[must_use]
    pub fn is_boolean(&self) -> bool {
        let Class::Enumeration { base, members } = &self.class else { return false };
        let has = |name: &str, value: i128| members.iter().any(|one| one.name == name && one.value == value);
        base.layout.bytes == 1 && members.len() == 2 && has("FALSE", 0) && has("TRUE", 1)
    }

    /// How each of the two parts lies in memory, if it is what numpy's complex numbers are stored as.
    #[must_use]
    pub fn complex_part(&self) -> Option<Layout> {
        let Class::Compound(fields) = &self.class else { return None };
        match fields.as_slice() {
            [real, imaginary] if real.name == "r" && imaginary.name == "i" => {
                match (real.datatype.class(), imaginary.datatype.class()) {
                    (Class::Float(one), Class::Float(other)) if one == other => Some(*one),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether there are references in its elements.
    #[must_use]
    pub fn has_references(&self) -> bool {
        match &self.class {
            Class::Array { base, .. } | Class::Variable(base) => base.has_references(),
            Class::Compound(fields) => fields.iter().any(|field| field.datatype.has_references()),
            Class::Reference(_) => true,
            Class::Bitfield(_)
            | Class::Enumeration { .. }
            | Class::Float(_)
            | Class::Integer(_)
            | Class::Opaque { .. }
            | Class::Text(_) => false,
        }
    }

    /// The same type as the committed type of that id, or as no committed type.
    #[must_use]
    pub fn with_committed(mut self, committed: Option<ObjectId>) -> Self {
        if let Some(object) = self.json.as_object_mut() {
            object.remove("id");
            if let Some(id) = committed {
                object.insert("id".to_owned(), Value::String(id.to_string()));
            }
        }
        self.committed = committed;
        self
    }
}

impl PartialEq for Datatype {
    /// Whether elements of both mean the same, be they committed or not.
    fn eq(&self, other: &Self) -> bool {
        self.class == other.class
    }
}

impl Eq for Datatype {}

#[cfg(test)]
mod tests;
