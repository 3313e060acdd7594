//! Query parameters: finding one, and taking some out of a path without touching the rest.
//!
//! Parameters are separated by `&`. A name is compared after percent-decoding, since that is how a
//! job would read it; `+` stays a plus sign, since tokens have them.

/// The value, percent-decoded, of the first parameter called `name`.
#[must_use]
pub fn value(path: &[u8], name: &str) -> Option<Vec<u8>> {
    let (_, query) = split(path)?;
    query.split(|byte| *byte == b'&').find_map(|parameter| {
        let (found, value) = parse(parameter);
        (decode(found) == name.as_bytes()).then(|| decode(value))
    })
}

/// The path without the parameters that are `unwanted` by name and value, both percent-decoded; none where
/// there are none of them.
#[must_use]
pub fn strip(path: &[u8], unwanted: impl Fn(&[u8], &[u8]) -> bool) -> Option<Vec<u8>> {
    let (before, query) = split(path)?;
    let is_unwanted = |parameter: &[u8]| {
        let (name, value) = parse(parameter);
        unwanted(&decode(name), &decode(value))
    };
    if !query.split(|byte| *byte == b'&').any(is_unwanted) {
        return None;
    }
    let kept: Vec<&[u8]> = query.split(|byte| *byte == b'&').filter(|parameter| !is_unwanted(parameter)).collect();
    let mut path = before.to_vec();
    if !kept.is_empty() {
        path.push(b'?');
        path.extend_from_slice(&kept.join(&b'&'));
    }
    Some(path)
}

/// Percent-encodes a byte (RFC 3986, section 2.1).
pub fn escape(byte: u8, text: &mut String) {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase();
    text.extend(['%', digit(byte >> 4), digit(byte & 15)]);
}

fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let mark = path.iter().position(|byte| *byte == b'?')?;
    let (before, rest) = path.split_at_checked(mark)?;
    Some((before, rest.get(1..)?))
}

fn parse(parameter: &[u8]) -> (&[u8], &[u8]) {
    match parameter.iter().position(|byte| *byte == b'=') {
        Some(equals) => {
            (parameter.get(..equals).unwrap_or_default(), parameter.get(equals.saturating_add(1)..).unwrap_or_default())
        }
        None => (parameter, b""),
    }
}

/// Percent-decoding (RFC 3986, section 2.1); a `%` that starts no escape stands for itself.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        match (byte, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push((digit(*high) << 4) | digit(*low));
                rest = after;
            }
            _ => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    decoded
}

fn digit(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex.wrapping_sub(b'0'),
        _ => hex.to_ascii_lowercase().wrapping_sub(b'a').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stripped(path: &str) -> Option<String> {
        strip(path.as_bytes(), |name, _| name == b"t").map(|path| String::from_utf8_lossy(&path).into_owned())
    }

    #[test]
    fn takes_parameters_out_and_leaves_the_rest() {
        assert_eq!(stripped("/a?t=1"), Some("/a".into()));
        assert_eq!(stripped("/a?t"), Some("/a".into()));
        assert_eq!(stripped("/a%2Fb?x=%20y&t=1&z"), Some("/a%2Fb?x=%20y&z".into()));
        assert_eq!(stripped("/a?%74=1&b=%74"), Some("/a?b=%74".into()));
        assert_eq!(stripped("/a?t=1&&b"), Some("/a?&b".into()));
        assert_eq!(stripped("/a?tt=1&T=2&b=t"), None);
        assert_eq!(stripped("/t=1"), None);
    }

    #[test]
    fn reads_the_first_value_decoded() {
        assert_eq!(value(b"/a?x=1&t=v2%2Fu%2fs+x&t=2", "t"), Some(b"v2/u/s+x".to_vec()));
        assert_eq!(value(b"/a?t=%zz%4", "t"), Some(b"%zz%4".to_vec()));
        assert_eq!(value(b"/a?t?b=1", "t"), None);
        assert_eq!(value(b"/a", "t"), None);
    }

    proptest! {
        #[test]
        fn nothing_named_is_left_and_nothing_else_goes(query in "[t=&%7a4?/ ]{0,30}") {
            let path = format!("/p?{query}");
            let expected: Vec<&str> = query.split('&').filter(|parameter| decode(parse(parameter.as_bytes()).0) != b"t").collect();
            match stripped(&path) {
                None => prop_assert_eq!(expected.len(), query.split('&').count()),
                Some(left) if expected.is_empty() => prop_assert_eq!(left, "/p"),
                Some(left) => prop_assert_eq!(left, format!("/p?{}", expected.join("&"))),
            }
        }
    }
}
