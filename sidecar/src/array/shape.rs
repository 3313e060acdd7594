//! Shapes: extents per axis, slowest axis first, and how they broadcast.

use thiserror::Error;

/// Shapes that don't fit together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShapeError {
    /// An axis has different extents, neither of which is 1.
    #[error("the shapes don't broadcast: an axis has {left} elements in one and {right} in another")]
    Incompatible {
        /// The one extent.
        left: usize,
        /// The other extent.
        right: usize,
    },
    /// It has more elements than can be addressed.
    #[error("the shape has more elements than can be addressed")]
    TooLarge,
}

/// How many elements a shape has; 1 for a shape without axes.
///
/// # Errors
/// More than can be addressed.
pub fn count(shape: &[usize]) -> Result<usize, ShapeError> {
    if shape.contains(&0) {
        return Ok(0);
    }
    shape.iter().try_fold(1_usize, |count, extent| count.checked_mul(*extent)).ok_or(ShapeError::TooLarge)
}

/// The shape that all of these broadcast to: axes are matched from the last, and extent 1 stretches.
///
/// # Errors
/// They don't.
pub fn broadcast(shapes: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
    let rank = shapes.iter().map(|shape| shape.len()).max().unwrap_or_default();
    let mut result = vec![1; rank];
    for shape in shapes {
        for (extent, common) in shape.iter().rev().zip(result.iter_mut().rev()) {
            match (*extent, *common) {
                (1, _) => {}
                (extent, 1) => *common = extent,
                (extent, have) if extent == have => {}
                (left, right) => return Err(ShapeError::Incompatible { left: right, right: left }),
            }
        }
    }
    count(&result)?;
    Ok(result)
}

/// How far apart in a dense array of shape `from` neighbours along each axis of `to` are, in elements: 0
/// where `from` stretches.
///
/// # Errors
/// `from` does not broadcast to `to`.
pub(crate) fn strides(from: &[usize], to: &[usize]) -> Result<Vec<usize>, ShapeError> {
    let Some(missing) = to.len().checked_sub(from.len()) else {
        return Err(ShapeError::Incompatible { left: from.len(), right: to.len() });
    };
    let mut strides = vec![0; to.len()];
    let mut step = 1_usize;
    for ((extent, target), stride) in
        from.iter().zip(to.iter().skip(missing)).zip(strides.iter_mut().skip(missing)).rev()
    {
        if *extent != 1 {
            if extent != target {
                return Err(ShapeError::Incompatible { left: *extent, right: *target });
            }
            *stride = step;
        }
        step = step.saturating_mul(*extent);
    }
    Ok(strides)
}

/// Calls `visit` with the offset of every run along the last axis of `shape`, in order, in an array with
/// these strides. A shape without axes has one run.
pub(crate) fn runs(shape: &[usize], strides: &[usize], mut visit: impl FnMut(usize)) {
    if shape.contains(&0) {
        return;
    }
    let outer = shape.len().saturating_sub(1);
    let (shape, strides) = (shape.get(..outer).unwrap_or_default(), strides.get(..outer).unwrap_or_default());
    let mut index = vec![0_usize; outer];
    let mut offset = 0_usize;
    loop {
        visit(offset);
        let mut is_done = true;
        for ((position, extent), stride) in index.iter_mut().zip(shape).zip(strides).rev() {
            *position += 1;
            offset += stride;
            if *position < *extent {
                is_done = false;
                break;
            }
            offset -= stride * *extent;
            *position = 0;
        }
        if is_done {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_from_the_last_axis() {
        assert_eq!(broadcast(&[&[3, 1], &[4]]), Ok(vec![3, 4]));
        assert_eq!(broadcast(&[&[], &[2, 0]]), Ok(vec![2, 0]));
        assert_eq!(broadcast(&[&[1], &[0]]), Ok(vec![0]));
        assert_eq!(broadcast(&[]), Ok(vec![]));
        assert_eq!(broadcast(&[&[2], &[3]]), Err(ShapeError::Incompatible { left: 2, right: 3 }));
        assert_eq!(broadcast(&[&[usize::MAX, 1], &[3]]), Err(ShapeError::TooLarge));
    }

    #[test]
    fn runs_visit_every_row_in_order() {
        let shape = [2, 3, 4];
        let mut seen = Vec::new();
        runs(&shape, &strides(&[2, 1, 4], &shape).unwrap(), |offset| seen.push(offset));
        assert_eq!(seen, [0, 0, 0, 4, 4, 4]);
        seen.clear();
        runs(&[], &[], |offset| seen.push(offset));
        assert_eq!(seen, [0]);
        seen.clear();
        runs(&[0, 3], &[3, 1], |offset| seen.push(offset));
        assert!(seen.is_empty());
    }
}
