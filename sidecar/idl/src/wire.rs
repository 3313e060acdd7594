//! Bytes of a message, as they were sent.

use bytes::Bytes;

use crate::canonical::Raw;

/// What a message has in a field of messages, as it was sent; empty where there is nothing. A field that was sent
/// in pieces is all of them one after another, which is how protobuf puts messages together. None where `message` is
/// no message.
///
/// Where there is one piece, nothing is copied.
#[must_use]
pub fn field(message: &Bytes, number: u32) -> Option<Bytes> {
    let mut pieces = Vec::new();
    let mut rest: &[u8] = message;
    while !rest.is_empty() {
        let raw = Raw::take(&mut rest)?;
        if raw.number == u64::from(number) && raw.wire == 2 {
            pieces.push(raw.value);
        }
    }
    Some(match pieces.as_slice() {
        [one] => message.slice_ref(one),
        pieces => pieces.concat().into(),
    })
}
