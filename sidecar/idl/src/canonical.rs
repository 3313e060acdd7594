//! The one form in which inputs are encoded before they are hashed: what Go's library calls deterministic.
//!
//! A message can be encoded in many ways. The key of a cache must be the same for equal inputs, and the same that
//! Flyte's own service gives, so inputs are read, encoded anew, and put in the order of Go's library: fields by their
//! number, but whichever member of a oneof is there in the place of the member that is declared first; maps by their
//! keys; what is unknown last, as it came.

use std::borrow::Cow;

use buffa::Message as _;

use crate::proto::flyteidl2::task::Inputs;

struct Field {
    number: u64,
    place: u64,
    wire: u64,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Plain,
    Message(usize),
    Map(usize),
}

include!(concat!(env!("OUT_DIR"), "/canonical.rs"));

/// The number of the table's row for [`Inputs`].
const INPUTS: usize = 0;
/// Where unknown fields go: after all others.
const LAST: u64 = u64::MAX;
/// The ends of a group.
const GROUP_START: u64 = 3;
const GROUP_END: u64 = 4;

/// Inputs in their one form.
#[must_use]
pub fn inputs(inputs: &Inputs) -> Vec<u8> {
    let bytes = inputs.encode_to_vec();
    let ordered = ordered(&bytes, INPUTS).map(Cow::into_owned);
    ordered.unwrap_or(bytes)
}

/// A field as it is written, and what decides where.
struct Part<'a> {
    place: u64,
    key: &'a [u8],
    bytes: Cow<'a, [u8]>,
}

/// A message in order; none where it is no message. Messages are nested as deep as the decoder let them be.
fn ordered(message: &[u8], row: usize) -> Option<Cow<'_, [u8]>> {
    let fields = MESSAGES.get(row)?;
    let mut rest = message;
    let mut parts = Vec::new();
    let mut is_changed = false;
    while !rest.is_empty() {
        let raw = Raw::take(&mut rest)?;
        let field = fields.iter().find(|field| field.number == raw.number && field.wire == raw.wire);
        let mut part = Part { place: field.map_or(LAST, |field| field.place), key: &[], bytes: raw.whole.into() };
        if let Some(Kind::Message(inner) | Kind::Map(inner)) = field.map(|field| field.kind)
            && let Cow::Owned(inner) = ordered(raw.value, inner)?
        {
            is_changed = true;
            part.bytes = raw.with_value(&inner).into();
        }
        if let Some(Field { kind: Kind::Map(_), .. }) = field {
            part.key = key(raw.value)?;
        }
        parts.push(part);
    }
    if !is_changed && parts.is_sorted_by(|one, two| (one.place, one.key) <= (two.place, two.key)) {
        return Some(message.into());
    }
    parts.sort_by(|one, two| (one.place, one.key).cmp(&(two.place, two.key)));
    Some(parts.iter().flat_map(|part| part.bytes.iter().copied()).collect::<Vec<u8>>().into())
}

/// The key of a map's entry: a text, empty where there is none.
fn key(mut entry: &[u8]) -> Option<&[u8]> {
    let mut key: &[u8] = &[];
    while !entry.is_empty() {
        let raw = Raw::take(&mut entry)?;
        if raw.number == 1 && raw.wire == 2 {
            key = raw.value;
        }
    }
    Some(key)
}

/// A field as it stands in a message.
pub(crate) struct Raw<'a> {
    /// Its number.
    pub(crate) number: u64,
    /// How its value is written: 2 is a length and as many bytes.
    pub(crate) wire: u64,
    /// Those bytes; of other values none.
    pub(crate) value: &'a [u8],
    /// Tag and value.
    whole: &'a [u8],
}

impl<'a> Raw<'a> {
    /// Takes one field from the front; none where there is none in form. A group, which no message here has, is one
    /// field with all that is in it.
    pub(crate) fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let start = *rest;
        let (number, wire, value) = piece(rest)?;
        let mut open = usize::from(wire == GROUP_START);
        while open > 0 {
            match piece(rest)? {
                (_, GROUP_START, _) => open = open.checked_add(1)?,
                (_, GROUP_END, _) => open = open.checked_sub(1)?,
                _ => {}
            }
        }
        let whole = start.get(..start.len().checked_sub(rest.len())?)?;
        Some(Self { number, wire, value, whole })
    }

    fn with_value(&self, value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(value.len().saturating_add(12));
        write_varint(&mut bytes, (self.number << 3) | self.wire);
        write_varint(&mut bytes, value.len() as u64);
        bytes.extend_from_slice(value);
        bytes
    }
}

/// Number, way of writing, and bytes of what is in front: a field, or one end of a group.
fn piece<'a>(rest: &mut &'a [u8]) -> Option<(u64, u64, &'a [u8])> {
    let tag = varint(rest)?;
    let (number, wire) = (tag >> 3, tag & 7);
    let mut value: &[u8] = &[];
    match wire {
        0 => {
            varint(rest)?;
        }
        1 => *rest = rest.get(8..)?,
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            (value, *rest) = rest.split_at_checked(length)?;
        }
        5 => *rest = rest.get(4..)?,
        GROUP_START | GROUP_END => {}
        _ => return None,
    }
    Some((number, wire, value))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn write_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while let low @ 0x80.. = number {
        bytes.push((low as u8 & 0x7f) | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests;
