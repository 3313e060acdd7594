//! Element-wise functions under numpy's names, with the types that numpy 2.4 gives their results.
//!
//! A [`Ufunc`] is found by name and resolved against what it is to be given, which says everything that
//! can be said without the data: whether there is such a function of these types, and what comes out. The
//! [`Loop`] that this makes is then applied to slab after slab.

mod binary;
mod kernel;
mod names;
mod resolve;
mod unary;

use std::borrow::Cow;

use thiserror::Error;

use super::dtype::Dtype;
use super::element::{Element, Values};
use super::scalar::{Scalar, ScalarOutOfBounds};
use super::shape::{ShapeError, broadcast};
use super::slab::Slab;
use binary::Binary;
use unary::Unary;

pub use names::ALL;
pub(super) use resolve::common;

/// An element-wise function.
#[derive(Debug, PartialEq, Eq)]
pub struct Ufunc {
    name: &'static str,
    aliases: &'static [&'static str],
    function: Function,
    loops: &'static [Dtype],
    rule: Rule,
    result: Outcome,
}

/// What it computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Unary(Unary),
    Binary(Binary),
    Frexp,
    Modf,
    Divmod,
}

/// How the types of the operands become the types that it computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The common type, or the first in the list of loops that it casts to.
    Common,
    /// As `Common`, but not of truth values.
    NotOfBool,
    /// As `Common`, but doubles for integers.
    Divide,
    /// As `Common`, but integers of any two types as they are.
    Compare,
    /// Truth values, whatever there is.
    Logical,
    /// The first in the list of loops that each operand casts to.
    Separate,
    /// As `Separate`, with an integer as the second operand.
    Scale,
}

/// The type of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The type that it computes with; of `frexp` with an exponent.
    Same,
    /// The same, but the type of the real part.
    Real,
    /// A truth value.
    Bool,
    /// A count of bits.
    Byte,
}

/// What a function is to be given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Operand {
    /// Slabs of that type.
    Array(Dtype),
    /// The same number for every element; it is not given again when the loop is applied.
    Number(Scalar),
}

/// A function with the types that it computes with.
#[derive(Debug, Clone, PartialEq)]
pub struct Loop {
    function: Function,
    inputs: Vec<Input>,
    outputs: Vec<Dtype>,
    /// What comes out for every element, if that can be said beforehand: comparisons with an integer that
    /// the other side's type does not have.
    certain: Option<bool>,
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq)]
enum Input {
    Array(Dtype),
    Number(Slab),
}

/// Operands that a function is not for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TypeError {
    /// It takes another number of operands.
    #[error("{ufunc} takes {expected} operands, not {found}")]
    Operands {
        /// Its name.
        ufunc: &'static str,
        /// How many it takes.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// It is not for such operands.
    #[error("{ufunc} is not for operands of type {dtypes}")]
    NoLoop {
        /// Its name.
        ufunc: &'static str,
        /// The operands' types.
        dtypes: String,
    },
    /// A number does not fit into the type that it has to take.
    #[error(transparent)]
    OutOfBounds(#[from] ScalarOutOfBounds),
}

/// Why nothing came out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ComputeError {
    /// An integer to a negative power would not be an integer.
    #[error("integers to negative integer powers are not allowed; cast them to floats")]
    NegativePower,
    /// The slabs' shapes don't fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The slabs are not those that the function was resolved for.
    #[error("the slabs are not those that the function was resolved for")]
    Mismatch,
}

impl Ufunc {
    /// The function of that name, which may be one of numpy's aliases such as `abs`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|ufunc| ufunc.name == name || ufunc.aliases.contains(&name))
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its other names.
    #[must_use]
    pub const fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    /// How many operands it takes.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        match self.function {
            Function::Unary(_) | Function::Frexp | Function::Modf => 1,
            Function::Binary(_) | Function::Divmod => 2,
        }
    }

    /// How many results it has.
    #[must_use]
    pub const fn outputs(&self) -> usize {
        match self.function {
            Function::Unary(_) | Function::Binary(_) => 1,
            Function::Frexp | Function::Modf | Function::Divmod => 2,
        }
    }

    /// Works out the types.
    ///
    /// # Errors
    /// The function is not for such operands.
    pub fn resolve(&self, operands: &[Operand]) -> Result<Loop, TypeError> {
        resolve::resolve(self, operands)
    }
}

impl Loop {
    /// The types that the operands which are arrays are cast to before it is computed, in their order.
    pub fn inputs(&self) -> impl Iterator<Item = Dtype> {
        self.inputs.iter().filter_map(|input| if let Input::Array(dtype) = input { Some(*dtype) } else { None })
    }

    /// The types of the results.
    #[must_use]
    pub fn outputs(&self) -> &[Dtype] {
        &self.outputs
    }

    /// Computes the function of slabs, one for each operand that is an array, of any types and of shapes
    /// that broadcast. A result has the shape that they broadcast to.
    ///
    /// # Errors
    /// The shapes don't broadcast; there is an integer to a negative power.
    pub fn apply(&self, slabs: &[Slab]) -> Result<Vec<Slab>, ComputeError> {
        let arrays = self.inputs().count();
        if slabs.len() != arrays {
            return Err(ComputeError::Mismatch);
        }
        let shapes: Vec<_> = slabs.iter().map(Slab::shape).collect();
        let shape = broadcast(&shapes)?;
        if let Some(certain) = self.certain {
            let count = super::shape::count(&shape)?;
            return Ok(vec![wrap(&shape, Values::Bool(vec![certain; count]))?]);
        }
        let mut rest = slabs.iter();
        let mut operands = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            operands.push(match input {
                Input::Number(number) => Cow::Borrowed(number.values()),
                Input::Array(dtype) => operand(rest.next().ok_or(ComputeError::Mismatch)?, *dtype, &shape)?,
            });
        }
        let results = match (self.function, operands.as_slice()) {
            (Function::Unary(function), [value]) => unary::apply(function, value).map(|result| vec![result]),
            (Function::Frexp, [value]) => unary::frexp(value),
            (Function::Modf, [value]) => unary::modf(value),
            (Function::Binary(function), [left, right]) => {
                if function == Binary::Power && has_negative(right) && !left.is_empty() {
                    return Err(ComputeError::NegativePower);
                }
                binary::apply(function, left, right).map(|result| vec![result])
            }
            (Function::Divmod, [left, right]) => binary::divmod(left, right),
            _ => None,
        };
        results.ok_or(ComputeError::Mismatch)?.into_iter().map(|values| wrap(&shape, values)).collect()
    }
}

fn wrap(shape: &[usize], values: Values) -> Result<Slab, ComputeError> {
    Slab::new(shape.to_vec(), values).map_err(|_| ComputeError::Mismatch)
}

/// The operand's elements: as many as the result has, or one for all of them.
fn operand<'a>(slab: &'a Slab, dtype: Dtype, shape: &[usize]) -> Result<Cow<'a, Values>, ComputeError> {
    // One element is one element in any shape; kernels repeat it themselves.
    let is_single = slab.values().len() == 1;
    if is_single || slab.shape() == shape {
        let is_cast = slab.dtype() == dtype;
        return Ok(if is_cast { Cow::Borrowed(slab.values()) } else { Cow::Owned(slab.values().astype(dtype)) });
    }
    let stretched = slab.broadcast_to(shape)?.into_owned();
    Ok(Cow::Owned(stretched.astype(dtype).into_values()))
}

fn has_negative(values: &Values) -> bool {
    fn any<T: Element + PartialOrd>(elements: &[T]) -> bool {
        elements.iter().any(|element| *element < T::default())
    }
    match values {
        Values::I8(elements) => any(elements),
        Values::I16(elements) => any(elements),
        Values::I32(elements) => any(elements),
        Values::I64(elements) => any(elements),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
