//! Smallest and largest elements, and where they are.

use std::marker::PhantomData;

use half::f16;

use super::cells::Gather;
use crate::array::complex;
use crate::array::element::{Complex64, Complex128, Element};

/// Elements in an order. What is not a number is in none, and comes before everything else.
pub(super) trait Ordered: Element {
    fn is_less(self, other: Self) -> bool;
    fn is_unordered(self) -> bool;
}

/// The one end of the order or the other.
pub(super) trait End: 'static {
    /// Whether `left` is nearer to it.
    fn is_nearer<T: Ordered>(left: T, right: T) -> bool;
}

/// The end of large elements.
pub(super) struct Largest;
/// The end of small elements.
pub(super) struct Smallest;

/// The element nearest to an end.
pub(super) struct Extreme<E>(PhantomData<E>);
/// The place of the first element nearest to an end.
pub(super) struct Best<E>(PhantomData<E>);

/// How many elements are compared side by side.
const LANES: usize = 8;

impl End for Largest {
    fn is_nearer<T: Ordered>(left: T, right: T) -> bool {
        right.is_less(left)
    }
}

impl End for Smallest {
    fn is_nearer<T: Ordered>(left: T, right: T) -> bool {
        left.is_less(right)
    }
}

fn nearer<E: End, T: Ordered>(have: T, new: T) -> T {
    if E::is_nearer(new, have) || new.is_unordered() { new } else { have }
}

/// The same with what is not a number kept, once there is one.
fn pick<E: End, T: Ordered>(have: T, new: T) -> T {
    if have.is_unordered() { have } else { nearer::<E, T>(have, new) }
}

impl<E: End, T: Ordered> Gather<T> for Extreme<E> {
    type Cell = Option<T>;
    type Result = T;

    fn empty() -> Self::Cell {
        None
    }

    fn add(cell: &mut Self::Cell, element: T, _: usize) {
        *cell = Some(cell.map_or(element, |have| pick::<E, T>(have, element)));
    }

    fn add_run(cell: &mut Self::Cell, elements: &[T], _: usize, _: usize) {
        let (chunks, rest) = elements.as_chunks::<LANES>();
        if let Some((first, chunks)) = chunks.split_first() {
            let mut lanes = *first;
            for chunk in chunks {
                for (lane, element) in lanes.iter_mut().zip(chunk) {
                    *lane = pick::<E, T>(*lane, *element);
                }
            }
            lanes.into_iter().for_each(|lane| Self::add(cell, lane, 0));
        }
        rest.iter().for_each(|element| Self::add(cell, *element, 0));
    }

    fn result(cell: Self::Cell, _: usize, _: f64) -> T {
        cell.unwrap_or_default()
    }
}

impl<E: End, T: Ordered> Gather<T> for Best<E> {
    type Cell = Option<(T, usize)>;
    type Result = i64;

    fn empty() -> Self::Cell {
        None
    }

    fn add(cell: &mut Self::Cell, element: T, place: usize) {
        if let Some((have, at)) = *cell {
            let is_better = match (element.is_unordered(), have.is_unordered()) {
                (true, true) => place < at,
                (is_unordered, true | false) if is_unordered || have.is_unordered() => is_unordered,
                _ if E::is_nearer(element, have) => true,
                // Slabs may come in any order.
                _ => place < at && !E::is_nearer(have, element),
            };
            if !is_better {
                return;
            }
        }
        *cell = Some((element, place));
    }

    fn result(cell: Self::Cell, _: usize, _: f64) -> i64 {
        cell.and_then(|(_, place)| i64::try_from(place).ok()).unwrap_or_default()
    }
}

macro_rules! ordered {
    ($is_unordered:expr => $($type:ty),*) => {
        $(impl Ordered for $type {
            #[inline]
            fn is_less(self, other: Self) -> bool {
                self < other
            }
            #[inline]
            fn is_unordered(self) -> bool {
                let is_unordered: fn($type) -> bool = $is_unordered;
                is_unordered(self)
            }
        })*
    };
    (complex $($type:ty),*) => {
        $(impl Ordered for $type {
            fn is_less(self, other: Self) -> bool {
                complex::is_less(self, other)
            }
            fn is_unordered(self) -> bool {
                complex::is_nan(self)
            }
        })*
    };
}

ordered!(|_| false => bool, i8, u8, i16, u16, i32, u32, i64, u64);
ordered!(|value| value.is_nan() => f16, f32, f64);
ordered!(complex Complex64, Complex128);
