//! Header lists as the ABI passes them: a count, then the two lengths of each pair, then each name and
//! value with a zero byte behind it; all numbers 32-bit little-endian.

/// The most pairs that are read: far above what proxies let through, and a bound.
const MAX_PAIRS: usize = 4096;

/// Reads a list. None where the bytes are no list.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let (count, rest) = number(bytes)?;
    if count > MAX_PAIRS {
        return None;
    }
    let (mut lengths, mut texts) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let (name, value);
        (name, lengths) = number(lengths)?;
        (value, lengths) = number(lengths)?;
        let (name_text, rest) = text(texts, name)?;
        let (value_text, rest) = text(rest, value)?;
        texts = rest;
        pairs.push((name_text, value_text));
    }
    Some(pairs)
}

/// Writes a list.
#[must_use]
pub fn write(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = number(pairs.len()).to_vec();
    for (name, value) in pairs {
        bytes.extend(number(name.len()));
        bytes.extend(number(value.len()));
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(text);
        bytes.push(0);
    }
    bytes
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

fn text(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    Some((text, rest.strip_prefix(&[0])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_nothing_cut() {
        let pairs: Vec<(&[u8], &[u8])> = vec![(b":path", b"/"), (b"cookie", b"a=\xff\0b"), (b"empty", b"")];
        let bytes = write(&pairs);
        assert_eq!(read(&bytes), Some(pairs));
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(read(&write(&[])), Some(vec![]));
    }

    #[test]
    fn refuses_counts_and_lengths_that_lie() {
        assert_eq!(read(&[255; 64]), None);
        let mut bytes = write(&[(b"a", b"b")]);
        bytes[4] = 200;
        assert_eq!(read(&bytes), None);
        let too_many = u32::try_from(MAX_PAIRS + 1).expect("fits").to_le_bytes();
        assert_eq!(read(&[&too_many[..], &[0; 100_000]].concat()), None);
    }
}
