//! Reading the cookies that a browser sends.

use http::HeaderMap;
use http::header::COOKIE;

/// The most cookies of one request that are looked at.
const MAX_COOKIES: usize = 200;

/// All cookies, in the order in which they come. What is no text is passed over.
pub fn all(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim_ascii().split_once('='));
    pairs.take(MAX_COOKIES)
}

/// The values of the cookies with that name.
pub fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    all(headers).filter(move |(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn reads_cookies_of_every_line() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; b=2;c=3=4; d"));
        headers.append(COOKIE, HeaderValue::from_bytes(b"e=\xff").expect("a value"));
        headers.append(COOKIE, HeaderValue::from_static("a=5"));
        assert_eq!(all(&headers).collect::<Vec<_>>(), [("a", "1"), ("b", "2"), ("c", "3=4"), ("a", "5")]);
        assert_eq!(values(&headers, "a").collect::<Vec<_>>(), ["1", "5"]);
    }
}
