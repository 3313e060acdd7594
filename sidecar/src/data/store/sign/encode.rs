//! Percent-encoding as the object stores compute signatures with it: everything but letters, digits and `-._~`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_IN_PATHS: AsciiSet = RESERVED.remove(b'/');

/// A name or a value of a query.
pub(crate) fn component(text: &str) -> String {
    utf8_percent_encode(text, &RESERVED).to_string()
}

/// A path: its slashes stay.
pub(crate) fn path(text: &str) -> String {
    utf8_percent_encode(text, &RESERVED_IN_PATHS).to_string()
}

/// Pairs of a query, in their order.
pub(crate) fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs = pairs.into_iter().map(|(name, value)| format!("{}={}", component(name), component(value)));
    pairs.collect::<Vec<String>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(path("a b/ü~-._/%2e%2e/?#+="), "a%20b/%C3%BC~-._/%252e%252e/%3F%23%2B%3D");
        assert_eq!(component("a/b"), "a%2Fb");
        assert_eq!(query([("b", "1 2"), ("a", "")]), "b=1%202&a=");
    }
}
