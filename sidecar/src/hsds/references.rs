//! References in values, and what becomes of them in a copy.

use crate::hsds::datatype::{Class, Datatype, Reference};
use crate::hsds::id::ObjectId;
use crate::hsds::vlen::{MalformedValues, Writer, counted, take};

/// What stands before the id in a reference to a part of a dataset: `HRRF` and a version.
const REGION_MAGIC: &[u8] = b"HRRF\x01";

/// The same values with other references: `becomes` says what a reference to an object becomes, none
/// for a reference to nothing.
///
/// # Errors
/// [`MalformedValues`] if they are no values of the type.
pub fn rewrite(
    datatype: &Datatype,
    values: &[u8],
    becomes: &mut dyn FnMut(ObjectId) -> Option<ObjectId>,
) -> Result<Vec<u8>, MalformedValues> {
    let mut written = Vec::with_capacity(values.len());
    let mut rest = values;
    while !rest.is_empty() {
        let before = rest.len();
        element(datatype, &mut rest, &mut written, becomes)?;
        if rest.len() == before {
            return Err(MalformedValues::Rest);
        }
    }
    Ok(written)
}

/// All objects that values refer to, in the order in which they stand there.
///
/// # Errors
/// [`MalformedValues`] if they are no values of the type.
pub fn targets(datatype: &Datatype, values: &[u8]) -> Result<Vec<ObjectId>, MalformedValues> {
    let mut targets = Vec::new();
    if datatype.has_references() {
        rewrite(datatype, values, &mut |id| {
            targets.push(id);
            Some(id)
        })?;
    }
    Ok(targets)
}

fn element(
    datatype: &Datatype,
    rest: &mut &[u8],
    written: &mut Vec<u8>,
    becomes: &mut dyn FnMut(ObjectId) -> Option<ObjectId>,
) -> Result<(), MalformedValues> {
    match datatype.class() {
        Class::Array { base, dims } => {
            let count = dims.iter().fold(1_u64, |count, dim| count.saturating_mul(*dim));
            (0..count).try_for_each(|_| element(base, rest, written, becomes))
        }
        Class::Compound(fields) => fields.iter().try_for_each(|field| element(&field.datatype, rest, written, becomes)),
        Class::Reference(Reference::Object { bytes }) => {
            let text = take(rest, *bytes)?;
            written.extend_from_slice(&object(text, becomes));
            Ok(())
        }
        Class::Reference(Reference::Region) => write_counted(written, &region(counted(rest)?, becomes)),
        Class::Variable(base) => {
            let inner = counted(rest)?;
            let inner = if base.has_references() { rewrite(base, inner, becomes)? } else { inner.to_vec() };
            write_counted(written, &inner)
        }
        Class::Text(text) if text.bytes.is_none() => write_counted(written, counted(rest)?),
        Class::Bitfield(_)
        | Class::Enumeration { .. }
        | Class::Float(_)
        | Class::Integer(_)
        | Class::Opaque { .. }
        | Class::Text(_) => {
            written.extend_from_slice(take(rest, datatype.item_size().unwrap_or_default())?);
            Ok(())
        }
    }
}

fn write_counted(written: &mut Vec<u8>, element: &[u8]) -> Result<(), MalformedValues> {
    let mut writer = Writer::default();
    writer.push(element)?;
    written.extend_from_slice(&writer.finish());
    Ok(())
}

/// A reference to an object, of the same length. One that can't be read refers to nothing that could
/// become something else, and stays.
fn object(text: &[u8], becomes: &mut dyn FnMut(ObjectId) -> Option<ObjectId>) -> Vec<u8> {
    let Some(old) = id(text) else { return text.to_vec() };
    let new = becomes(old).map(|id| if text.contains(&b'/') { id.reference() } else { id.to_string() });
    let mut bytes = new.unwrap_or_default().into_bytes();
    // A longer one would be cut off: better none.
    if bytes.len() > text.len() {
        bytes.clear();
    }
    bytes.resize(text.len(), 0);
    bytes
}

/// A reference to a part of a dataset: magic, version, the id with its length in 2 bytes, and the part.
fn region(blob: &[u8], becomes: &mut dyn FnMut(ObjectId) -> Option<ObjectId>) -> Vec<u8> {
    let parts = || {
        let (length, rest) = blob.strip_prefix(REGION_MAGIC)?.split_first_chunk::<2>()?;
        let (text, part) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        Some((id(text)?, part))
    };
    let Some((old, part)) = parts() else { return blob.to_vec() };
    // A reference to nothing is no bytes.
    let Some(new) = becomes(old) else { return Vec::new() };
    let text = new.to_string();
    let length = u16::try_from(text.len()).unwrap_or_default();
    [REGION_MAGIC, &length.to_le_bytes(), text.as_bytes(), part].concat()
}

fn id(text: &[u8]) -> Option<ObjectId> {
    let text = std::str::from_utf8(text).ok()?.trim_end_matches('\0');
    ObjectId::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn an_id(digit: char) -> ObjectId {
        let text: String = "d-01234567-89abcdef-0123-456789-abcde".chars().chain([digit]).collect();
        ObjectId::parse(&text).expect("an id")
    }

    fn padded(text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(48, 0);
        bytes
    }

    fn blob(id: ObjectId) -> Vec<u8> {
        let text = id.to_string();
        let length = u8::try_from(text.len()).expect("short");
        [REGION_MAGIC, &[length, 0], text.as_bytes(), &[3, 0, 0, 0, 1, 2, 3, 0xff]].concat()
    }

    fn mixed() -> Datatype {
        let object = json!({"class": "H5T_REFERENCE", "base": "H5T_STD_REF_OBJ"});
        let region = json!({"class": "H5T_REFERENCE", "base": "H5T_STD_REF_DSETREG"});
        let fields = json!([
            {"name": "n", "type": "H5T_STD_I16LE"},
            {"name": "o", "type": object},
            {"name": "r", "type": region},
            {"name": "v", "type": {"class": "H5T_VLEN", "base": object}},
        ]);
        Datatype::read(&json!({"class": "H5T_COMPOUND", "fields": fields})).expect("a type")
    }

    fn values(id: ObjectId) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.push(&blob(id)).expect("is written");
        writer.push(&[padded(&id.reference()), padded("")].concat()).expect("is written");
        [&[7, 0][..], &padded(&id.reference()), &writer.finish()].concat()
    }

    #[test]
    fn references_become_others_wherever_they_are() {
        let (old, new) = (an_id('0'), an_id('1'));
        let datatype = mixed();
        let both = [values(old), values(an_id('2'))].concat();
        let written = rewrite(&datatype, &both, &mut |id| Some(if id == old { new } else { id }));
        assert_eq!(written, Ok([values(new), values(an_id('2'))].concat()));
        assert_eq!(targets(&datatype, &values(old)), Ok(vec![old; 3]));
    }

    #[test]
    fn a_reference_to_nothing_is_empty() {
        let written = rewrite(&mixed(), &values(an_id('0')), &mut |_| None).expect("values");
        let mut writer = Writer::default();
        writer.push(&[]).expect("is written");
        writer.push(&[0; 96]).expect("is written");
        assert_eq!(written, [&[7, 0][..], &[0; 48], &writer.finish()].concat());
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            // Whatever is read without an error is as long as it was.
            if let Ok(written) = rewrite(&mixed(), &bytes, &mut Some) {
                prop_assert_eq!(written, bytes);
            }
        }
    }
}
