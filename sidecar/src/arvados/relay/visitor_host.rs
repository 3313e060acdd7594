//! The host that a visitor used, which the job can't see: the controller wants its own name for it.
//!
//! A job that writes whole addresses writes that name, so redirects lead past the gate. They are led back here.

use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue};

/// Tells servers behind which host was asked for.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Where a visitor asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitorHost {
    scheme: &'static str,
    host: String,
}

impl VisitorHost {
    /// Where that request was asked; none where it does not say.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let host = headers.get(header::HOST)?.to_str().ok()?;
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
        let is_plain = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "http");
        let scheme = if is_plain { "http" } else { "https" };
        (!host.is_empty() && host.bytes().all(is_host)).then(|| Self { scheme, host: host.to_owned() })
    }

    /// Tells the job.
    pub fn tell(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.host) {
            headers.insert(FORWARDED_HOST, value);
        }
    }

    /// Leads a redirect to `theirs`, as the controller calls the service, back here.
    pub fn lead_back(&self, headers: &mut HeaderMap, theirs: &str) {
        let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let led = location.and_then(|location| self.led_back(location, theirs));
        if let Some(value) = led.and_then(|led| HeaderValue::from_str(&led).ok()) {
            headers.insert(header::LOCATION, value);
        }
    }

    fn led_back(&self, location: &str, theirs: &str) -> Option<String> {
        let (scheme, rest) = location.split_once("//")?;
        if !["", "http:", "https:"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return None;
        }
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        let is_theirs = bare(authority).eq_ignore_ascii_case(bare(theirs));
        is_theirs.then(|| format!("{}://{}{rest}", self.scheme, self.host))
    }
}

/// An authority without the port that goes without saying.
fn bare(authority: &str) -> &str {
    authority.strip_suffix(":443").or_else(|| authority.strip_suffix(":80")).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_to_the_controllers_name_lead_back_and_others_stay() {
        let here = VisitorHost { scheme: "https", host: "web.tasks.example.test".into() };
        let theirs = "x-8080.containers.example.test";
        for (location, expected) in [
            ("https://x-8080.containers.example.test/a%2Fb?x#y", Some("https://web.tasks.example.test/a%2Fb?x#y")),
            ("http://X-8080.containers.example.test:80", Some("https://web.tasks.example.test")),
            ("//x-8080.containers.example.test//evil.test/", Some("https://web.tasks.example.test//evil.test/")),
            ("https://x-8080.containers.example.test.evil.test/", None),
            ("https://x-8081.containers.example.test/", None),
            ("https://evil.test/https://x-8080.containers.example.test/", None),
            ("https://x-8080.containers.example.test@evil.test/", None),
            ("/a//b", None),
            ("a", None),
        ] {
            assert_eq!(here.led_back(location, theirs).as_deref(), expected, "{location}");
        }
        let with_port = here.led_back("https://x.test:8443/a", "x.test:8443");
        assert_eq!(with_port.as_deref(), Some("https://web.tasks.example.test/a"));
    }

    #[test]
    fn what_is_no_host_is_not_told() {
        let headers = |host: &'static str| HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
        assert!(VisitorHost::of(&headers("a.example.test:8443")).is_some());
        for host in ["", "a b", "a/b", "a@b", "a\"b"] {
            assert_eq!(VisitorHost::of(&headers(host)), None, "{host}");
        }
    }
}
