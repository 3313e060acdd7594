//! Bytes of a message, as they were sent.

use bytes::Bytes;

use crate::canonical::Raw;

/// The most pieces of a field that are put together.
pub const MAX_PIECES: usize = 1_000;

/// What a message has in a field of messages, as it was sent; empty where there is nothing. A field that was sent
/// in pieces is all of them one after another, which is how protobuf puts messages together. None where `message` is
/// no message, or has more than [`MAX_PIECES`] pieces, which nobody sends who means well.
///
/// Where there is one piece, nothing is copied.
#[must_use]
pub fn field(message: &Bytes, number: u32) -> Option<Bytes> {
    let mut pieces = Vec::new();
    let mut rest: &[u8] = message;
    while !rest.is_empty() {
        let raw = Raw::take(&mut rest)?;
        if raw.number == u64::from(number) && raw.wire == 2 {
            if pieces.len() == MAX_PIECES {
                return None;
            }
            pieces.push(raw.value);
        }
    }
    Some(match pieces.as_slice() {
        [one] => message.slice_ref(one),
        pieces => pieces.concat().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_what_was_sent() {
        let message = Bytes::from_static(&[0x0a, 0x01, b'a', 0x32, 0x02, 0x08, 0x01, 0x3a, 0x00]);
        let found = field(&message, 6).expect("a message");
        assert_eq!(found, [0x08, 0x01][..]);
        assert_eq!(found.as_ptr(), message.slice(5..).as_ptr(), "nothing is copied");
        assert_eq!(field(&message, 5).expect("a message"), Bytes::new());
        assert_eq!(field(&message, 7).expect("a message"), Bytes::new());
    }

    #[test]
    fn pieces_are_put_together() {
        let message = Bytes::from_static(&[0x32, 0x01, b'a', 0x08, 0x05, 0x32, 0x02, b'b', b'c']);
        assert_eq!(field(&message, 6).expect("a message"), Bytes::from_static(b"abc"));
    }

    #[test]
    fn pieces_have_an_end() {
        let most = Bytes::from([0x32, 0x00].repeat(MAX_PIECES));
        assert_eq!(field(&most, 6), Some(Bytes::new()));
        assert_eq!(field(&Bytes::from([0x32, 0x00].repeat(MAX_PIECES + 1)), 6), None);
    }

    #[test]
    fn what_is_in_a_group_is_no_field_of_the_message() {
        // A group with another in it, which has a field 6; then field 6.
        let message = Bytes::from_static(&[0x0b, 0x13, 0x32, 0x01, b'?', 0x14, 0x0c, 0x32, 0x01, b'a']);
        assert_eq!(field(&message, 6).expect("a message"), Bytes::from_static(b"a"));
        assert_eq!(field(&Bytes::from_static(&[0x0b, 0x32, 0x01, b'?']), 6), None, "it has no end");
    }

    #[test]
    fn what_is_no_message_has_no_fields() {
        assert_eq!(field(&Bytes::from_static(&[0x32, 0x05, b'a']), 6), None);
        assert_eq!(field(&Bytes::from_static(&[0xff]), 6), None);
    }
}
