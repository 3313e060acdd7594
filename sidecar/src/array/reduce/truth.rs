//! Counts and truths.

use super::cells::Gather;
use crate::array::cast::CastTo;
use crate::array::element::Element;

/// Whether all elements are true.
pub(super) struct AllTrue;
/// Whether an element is true.
pub(super) struct AnyTrue;
/// How many elements are true.
pub(super) struct Count;

impl<T: Element + CastTo<bool>> Gather<T> for AllTrue {
    type Cell = bool;
    type Result = bool;

    fn empty() -> bool {
        true
    }

    fn add(cell: &mut bool, element: T, _: usize) {
        *cell &= element.cast();
    }

    fn add_run(cell: &mut bool, elements: &[T], _: usize, _: usize) {
        *cell = *cell && elements.iter().all(|element| element.cast());
    }

    fn result(cell: bool, _: usize, _: f64) -> bool {
        cell
    }
}

impl<T: Element + CastTo<bool>> Gather<T> for AnyTrue {
    type Cell = bool;
    type Result = bool;

    fn empty() -> bool {
        false
    }

    fn add(cell: &mut bool, element: T, _: usize) {
        *cell |= element.cast();
    }

    fn add_run(cell: &mut bool, elements: &[T], _: usize, _: usize) {
        *cell = *cell || elements.iter().any(|element| element.cast());
    }

    fn result(cell: bool, _: usize, _: f64) -> bool {
        cell
    }
}

impl<T: Element + CastTo<bool>> Gather<T> for Count {
    type Cell = i64;
    type Result = i64;

    fn empty() -> i64 {
        0
    }

    fn add(cell: &mut i64, element: T, _: usize) {
        *cell += i64::from(element.cast());
    }

    fn result(cell: i64, _: usize, _: f64) -> i64 {
        cell
    }
}
