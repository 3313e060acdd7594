//! Numbers as numpy knows them: types, casts, element-wise functions and reductions over slabs of bytes.
//!
//! What an operation computes must be what its user would have computed with numpy 2.4, whose rules are
//! followed here to the type and to the bit (within two units in the last place for functions that no
//! two libraries agree on). A [`slab::Slab`] is a dense piece of a dataset; a [`ufunc::Ufunc`] works on
//! slabs of one shape or of shapes that broadcast, a [`reduce::Reduction`] takes them one after another,
//! so that neither needs more memory than a slab and its result.
//!
//! It never does I/O, never looks at the clock, and knows nothing of where the bytes come from.

pub mod cast;
pub mod choose;
mod complex;
pub mod dtype;
pub mod element;
pub mod factor;
mod float;
mod half_width;
mod integer;
pub mod reduce;
pub mod scalar;
pub mod shape;
pub mod slab;
pub mod ufunc;
