//! The extent of datasets and attributes.

use serde_json::{Value, json};
use thiserror::Error;

/// The most dimensions that HDF5 has.
pub const MAX_RANK: usize = 32;

/// The extent of a dataset or an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dataspace {
    /// No element, and no dimensions either.
    Null,
    /// One element.
    Scalar,
    /// Elements along dimensions.
    Simple {
        /// How many along each.
        dims: Vec<u64>,
        /// How many there may be along each, none for no bound; none for what can't be resized.
        max: Option<Vec<Option<u64>>>,
    },
}

/// A text that is no dataspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is no dataspace")]
pub struct InvalidDataspace;

impl Dataspace {
    /// Elements along dimensions that stay as they are. For tests.
    #[must_use]
    pub fn simple(dims: impl Into<Vec<u64>>) -> Self {
        Self::Simple { dims: dims.into(), max: None }
    }

    /// Reads a `shape` of HSDS.
    ///
    /// # Errors
    /// [`InvalidDataspace`].
    pub fn read(value: &Value) -> Result<Self, InvalidDataspace> {
        let class = value.get("class").and_then(Value::as_str).or_else(|| value.as_str());
        match class.ok_or(InvalidDataspace)? {
            "H5S_NULL" => Ok(Self::Null),
            "H5S_SCALAR" => Ok(Self::Scalar),
            "H5S_SIMPLE" => {
                let numbers = value.get("dims").and_then(Value::as_array).ok_or(InvalidDataspace)?;
                let dims: Option<Vec<u64>> = numbers.iter().map(Value::as_u64).collect();
                let dims = dims.filter(|dims| dims.len() <= MAX_RANK).ok_or(InvalidDataspace)?;
                let max = match value.get("maxdims") {
                    None | Some(Value::Null) => None,
                    Some(max) => Some(bounds(max, dims.len()).ok_or(InvalidDataspace)?),
                };
                if dims.is_empty() { Ok(Self::Scalar) } else { Ok(Self::Simple { dims, max }) }
            }
            _ => Err(InvalidDataspace),
        }
    }

    /// How many elements there are along each dimension: none for one element.
    #[must_use]
    pub fn dims(&self) -> &[u64] {
        match self {
            Self::Simple { dims, .. } => dims,
            Self::Null | Self::Scalar => &[],
        }
    }

    /// How many elements there are; none where that is more than can be counted.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Null => Some(0),
            Self::Scalar => Some(1),
            Self::Simple { dims, .. } if dims.contains(&0) => Some(0),
            Self::Simple { dims, .. } => dims.iter().try_fold(1_u64, |count, dim| count.checked_mul(*dim)),
        }
    }

    /// As requests that make an object have it.
    #[must_use]
    pub fn shape(&self) -> Value {
        match self {
            Self::Null => json!("H5S_NULL"),
            Self::Scalar => json!("H5S_SCALAR"),
            Self::Simple { dims, .. } => json!(dims),
        }
    }

    /// The bounds, as requests that make a dataset have them; none for what can't be resized.
    #[must_use]
    pub fn max_shape(&self) -> Option<Value> {
        match self {
            Self::Simple { max: Some(max), .. } => {
                Some(max.iter().map(|bound| json!(bound.unwrap_or(0))).collect::<Vec<Value>>().into())
            }
            Self::Simple { max: None, .. } | Self::Null | Self::Scalar => None,
        }
    }
}

/// A bound is a number, or 0 or `H5S_UNLIMITED` for none.
fn bounds(value: &Value, rank: usize) -> Option<Vec<Option<u64>>> {
    let bound = |value: &Value| match value {
        Value::String(text) if text == "H5S_UNLIMITED" => Some(None),
        Value::Number(number) => number.as_u64().map(|bound| Some(bound).filter(|bound| *bound > 0)),
        _ => None,
    };
    let bounds: Option<Vec<Option<u64>>> = value.as_array()?.iter().map(bound).collect();
    bounds.filter(|bounds| bounds.len() == rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_hsds_are_read_and_asked_for() {
        for (text, space, shape, max) in [
            (json!({"class": "H5S_NULL"}), Dataspace::Null, json!("H5S_NULL"), None),
            (json!({"class": "H5S_SCALAR"}), Dataspace::Scalar, json!("H5S_SCALAR"), None),
            (json!({"class": "H5S_SIMPLE", "dims": [2, 0]}), Dataspace::simple([2, 0]), json!([2, 0]), None),
            (
                json!({"class": "H5S_SIMPLE", "dims": [2, 3, 4], "maxdims": ["H5S_UNLIMITED", 0, 9]}),
                Dataspace::Simple { dims: vec![2, 3, 4], max: Some(vec![None, None, Some(9)]) },
                json!([2, 3, 4]),
                Some(json!([0, 0, 9])),
            ),
        ] {
            let read = Dataspace::read(&text).expect("a dataspace");
            assert_eq!((read.shape(), read.max_shape()), (shape, max));
            assert_eq!(read, space);
        }
    }

    #[test]
    fn elements_are_counted() {
        assert_eq!(Dataspace::Null.count(), Some(0));
        assert_eq!(Dataspace::Scalar.count(), Some(1));
        assert_eq!(Dataspace::simple([2, 3]).count(), Some(6));
        assert_eq!(Dataspace::simple([u64::MAX, 0, u64::MAX]).count(), Some(0));
        assert_eq!(Dataspace::simple([u64::MAX, 2]).count(), None);
    }

    #[test]
    fn what_is_no_dataspace_is_refused() {
        for text in [
            json!(null),
            json!([1]),
            json!({"class": "H5S_ODD"}),
            json!({"class": "H5S_SIMPLE"}),
            json!({"class": "H5S_SIMPLE", "dims": [-1]}),
            json!({"class": "H5S_SIMPLE", "dims": [1], "maxdims": [1, 2]}),
            json!({"class": "H5S_SIMPLE", "dims": vec![1; 33]}),
        ] {
            assert_eq!(Dataspace::read(&text), Err(InvalidDataspace), "{text}");
        }
    }
}
