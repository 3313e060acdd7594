//! Values whose elements differ in size: each has its number of bytes before it, as 4 bytes, the lowest
//! first.
//!
//! An element of a compound is its fields, one behind the other, of which those of any size have their
//! number of bytes before them. An element that was never written has 0 bytes.

use thiserror::Error;

use crate::hsds::datatype::{Class, Datatype, Reference};

/// The largest element that HSDS takes, in bytes.
pub const MAX_ELEMENT: usize = 1_000_000;

/// Bytes that are no values of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MalformedValues {
    /// They end within an element.
    #[error("values end within an element")]
    End,
    /// An element is larger than HSDS takes.
    #[error("an element has more than {MAX_ELEMENT} bytes")]
    Large,
    /// There are bytes behind the last element.
    #[error("there are bytes behind the last element")]
    Rest,
}

/// The elements of some bytes, each with all of its own: of an element of any size without the number
/// of bytes.
///
/// Ends after the first that is malformed.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    datatype: &'a Datatype,
    rest: &'a [u8],
}

/// Bytes of elements of any size.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl<'a> Elements<'a> {
    /// The elements of that type in some bytes.
    #[must_use]
    pub const fn new(datatype: &'a Datatype, bytes: &'a [u8]) -> Self {
        Self { datatype, rest: bytes }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a [u8], MalformedValues>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let before = self.rest;
        let element = if is_prefixed(self.datatype) {
            counted(&mut self.rest)
        } else {
            skip(self.datatype, &mut self.rest).and_then(|()| {
                let length = before.len().saturating_sub(self.rest.len());
                // An element of no bytes would never end.
                before.get(..length).filter(|element| !element.is_empty()).ok_or(MalformedValues::End)
            })
        };
        if element.is_err() {
            self.rest = &[];
        }
        Some(element)
    }
}

impl Writer {
    /// Adds an element.
    ///
    /// # Errors
    /// [`MalformedValues::Large`].
    pub fn push(&mut self, element: &[u8]) -> Result<(), MalformedValues> {
        let length = u32::try_from(element.len()).ok().filter(|_| element.len() <= MAX_ELEMENT);
        self.bytes.extend_from_slice(&length.ok_or(MalformedValues::Large)?.to_le_bytes());
        self.bytes.extend_from_slice(element);
        Ok(())
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Whether some bytes are `count` elements of a type, and nothing else.
///
/// # Errors
/// [`MalformedValues`].
pub fn check(datatype: &Datatype, bytes: &[u8], count: u64) -> Result<(), MalformedValues> {
    if let Some(size) = datatype.item_size() {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        return match size.checked_mul(count) {
            Some(expected) if expected == length => Ok(()),
            Some(expected) if expected < length => Err(MalformedValues::Rest),
            _ => Err(MalformedValues::End),
        };
    }
    let mut rest = bytes;
    for _ in 0..count {
        skip(datatype, &mut rest)?;
    }
    if rest.is_empty() { Ok(()) } else { Err(MalformedValues::Rest) }
}

/// Whether an element has its number of bytes before it.
pub(super) fn is_prefixed(datatype: &Datatype) -> bool {
    match datatype.class() {
        Class::Reference(Reference::Region) | Class::Variable(_) => true,
        Class::Text(text) => text.bytes.is_none(),
        _ => false,
    }
}

/// Takes bytes off the front.
pub(super) fn take<'a>(bytes: &mut &'a [u8], count: u64) -> Result<&'a [u8], MalformedValues> {
    let count = usize::try_from(count).map_err(|_| MalformedValues::End)?;
    let (taken, rest) = bytes.split_at_checked(count).ok_or(MalformedValues::End)?;
    *bytes = rest;
    Ok(taken)
}

/// Takes an element with its number of bytes off the front.
pub(super) fn counted<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], MalformedValues> {
    let length = take(bytes, 4)?.first_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length));
    if usize::try_from(length).map_or(true, |length| length > MAX_ELEMENT) {
        return Err(MalformedValues::Large);
    }
    take(bytes, u64::from(length))
}

/// Takes an element off the front.
fn skip(datatype: &Datatype, bytes: &mut &[u8]) -> Result<(), MalformedValues> {
    if let Some(size) = datatype.item_size() {
        return take(bytes, size).map(|_| ());
    }
    if is_prefixed(datatype) {
        return counted(bytes).map(|_| ());
    }
    match datatype.class() {
        Class::Array { base, dims } => {
            // Each of those has at least the bytes of its own number of bytes, so this ends with the bytes.
            let count = dims.iter().fold(1_u64, |count, dim| count.saturating_mul(*dim));
            (0..count).try_for_each(|_| skip(base, bytes))
        }
        Class::Compound(fields) => fields.iter().try_for_each(|field| skip(&field.datatype, bytes)),
        // All others have a size, or the number of bytes before them.
        _ => Err(MalformedValues::End),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::hsds::datatype::Order;

    fn variable() -> Datatype {
        Datatype::variable(Datatype::integer(8, true, Order::Little))
    }

    fn mixed() -> Datatype {
        let fields = json!([
            {"name": "n", "type": "H5T_STD_I16LE"},
            {"name": "t", "type": Datatype::text().json()},
            {"name": "v", "type": {"class": "H5T_ARRAY", "dims": [2], "base": variable().json()}},
        ]);
        Datatype::read(&json!({"class": "H5T_COMPOUND", "fields": fields})).expect("a type")
    }

    #[test]
    fn the_example_of_the_server() {
        let numbers: Vec<u8> = [2_i64, 3, 7].iter().flat_map(|number| number.to_le_bytes()).collect();
        let mut writer = Writer::default();
        writer.push(&numbers).expect("is written");
        writer.push(&[]).expect("is written");
        let bytes = writer.finish();
        assert_eq!(bytes[..4], [0x18, 0, 0, 0]);
        assert_eq!(bytes.len(), 4 + 24 + 4);
        let datatype = variable();
        let elements: Vec<&[u8]> = Elements::new(&datatype, &bytes).collect::<Result<_, _>>().expect("elements");
        assert_eq!(elements, [numbers.as_slice(), &[]]);
        assert_eq!(check(&datatype, &bytes, 2), Ok(()));
        assert_eq!(check(&datatype, &bytes, 1), Err(MalformedValues::Rest));
        assert_eq!(check(&datatype, &bytes, 3), Err(MalformedValues::End));
    }

    #[test]
    fn a_compound_is_its_fields() {
        let bytes = [&[1, 0][..], &[2, 0, 0, 0, b'h', b'i'], &[0; 4], &[8, 0, 0, 0], &[9; 8]].concat();
        let datatype = mixed();
        let twice = [bytes.clone(), bytes.clone()].concat();
        let elements: Vec<&[u8]> = Elements::new(&datatype, &twice).collect::<Result<_, _>>().expect("elements");
        assert_eq!(elements, [bytes.as_slice(), &bytes]);
    }

    #[test]
    fn a_length_that_is_a_lie_is_found_out() {
        let datatype = variable();
        let all = |bytes: &[u8]| Elements::new(&datatype, bytes).map(|one| one.map(<[u8]>::len)).collect::<Vec<_>>();
        assert_eq!(all(&[9, 0, 0, 0, 1]), [Err(MalformedValues::End)]);
        assert_eq!(all(&[0xff; 9]), [Err(MalformedValues::Large)]);
        assert_eq!(all(&[0, 0, 0, 0, 1, 0]), [Ok(0), Err(MalformedValues::End)]);
        assert_eq!(Writer::default().push(&vec![0; MAX_ELEMENT + 1]), Err(MalformedValues::Large));
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for datatype in [variable(), mixed(), Datatype::float(8, Order::Big)] {
                prop_assert!(Elements::new(&datatype, &bytes).count() <= bytes.len());
            }
        }

        #[test]
        fn what_is_written_is_read(elements in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..20)) {
            let mut writer = Writer::default();
            for element in &elements {
                writer.push(element).expect("is written");
            }
            let bytes = writer.finish();
            let datatype = Datatype::text();
            let read: Vec<Vec<u8>> = Elements::new(&datatype, &bytes).map(|one| one.expect("an element").to_vec()).collect();
            prop_assert_eq!(read, elements);
        }
    }
}
