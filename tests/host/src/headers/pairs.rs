//! The byte form in which lists of headers cross the ABI.
//!
//! Why: a count, then the two lengths of every pair, then every name and value with a zero byte after
//! each, all numbers 32 bits little-endian. Never lenient: Envoy treats a list with a wrong length, a
//! missing zero or trailing bytes as no list at all, and so does [`decode`].

use super::Headers;

/// Envoy reads no list longer than this, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// Envoy reads no list longer than this, in pairs.
const MAX_PAIRS: usize = 1024;

/// The byte form of `headers`; nothing at all for an empty list, as Envoy does.
pub(crate) fn encode(headers: &Headers) -> Vec<u8> {
    if headers.is_empty() {
        return Vec::new();
    }
    let mut bytes = number(headers.len()).to_vec();
    for (name, value) in headers.iter() {
        bytes.extend(number(name.len()));
        bytes.extend(number(value.len()));
    }
    for (name, value) in headers.iter() {
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(value);
        bytes.push(0);
    }
    bytes
}

/// The first `most` of `headers`, with names as people write them: what WasmX shows of HTTP/1.
pub(crate) fn encode_as_written(headers: &Headers, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let shown = || headers.iter().take(most);
    bytes.extend(number(shown().count()));
    for (name, value) in shown() {
        bytes.extend(number(name.len()));
        bytes.extend(number(value.len()));
    }
    for (name, value) in shown() {
        bytes.extend(as_written(name));
        bytes.push(0);
        bytes.extend_from_slice(value);
        bytes.push(0);
    }
    bytes
}

/// `x-forwarded-for` is written `X-Forwarded-For`.
fn as_written(name: &[u8]) -> Vec<u8> {
    let mut begins = true;
    let letter = |byte: &u8| {
        let written = if begins { byte.to_ascii_uppercase() } else { *byte };
        begins = *byte == b'-';
        written
    };
    name.iter().map(letter).collect()
}

/// The list in `bytes`, or an empty one when they are malformed.
pub(crate) fn decode(bytes: &[u8]) -> Headers {
    if bytes.len() > MAX_BYTES {
        return Headers::new();
    }
    let mut reader = Reader { rest: bytes };
    reader.list().filter(|_| reader.rest.is_empty()).unwrap_or_default()
}

fn number(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

struct Reader<'bytes> {
    rest: &'bytes [u8],
}

impl<'bytes> Reader<'bytes> {
    fn list(&mut self) -> Option<Headers> {
        let count = self.length().filter(|count| *count <= MAX_PAIRS)?;
        let mut lengths = Vec::with_capacity(count);
        for _ in 0..count {
            lengths.push((self.length()?, self.length()?));
        }
        let mut headers = Headers::new();
        for (name_length, value_length) in lengths {
            let name = self.field(name_length)?;
            headers.add(name, self.field(value_length)?);
        }
        Some(headers)
    }

    fn length(&mut self) -> Option<usize> {
        let (number, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        usize::try_from(u32::from_le_bytes(*number)).ok()
    }

    fn field(&mut self, length: usize) -> Option<&'bytes [u8]> {
        let (field, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest.strip_prefix(b"\0")?;
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use crate::Headers;

    #[test]
    fn a_list_survives_the_round_trip_with_duplicates_and_raw_bytes() {
        let headers =
            Headers::from([(":path", "/a"), ("cookie", "one"), ("cookie", "two")]).with("x-raw", [0xff, 0, b'\n']);
        assert_eq!(decode(&encode(&headers)), headers);
    }

    #[test]
    fn an_empty_list_has_no_bytes() {
        assert!(encode(&Headers::new()).is_empty());
    }

    #[test]
    fn every_truncation_and_any_extra_byte_reads_as_no_list() {
        let bytes = encode(&Headers::from([("a", "1"), ("b", "2")]));
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_empty(), "{length} bytes were read as a list");
        }
        assert!(decode(&[bytes.as_slice(), &[0]].concat()).is_empty());
    }

    #[test]
    fn lengths_beyond_the_buffer_read_as_no_list() {
        let mut bytes = encode(&Headers::from([("a", "1")]));
        bytes[4] = 0xff;
        assert!(decode(&bytes).is_empty());
        assert!(decode(&[0xff; 64]).is_empty());
    }
}
