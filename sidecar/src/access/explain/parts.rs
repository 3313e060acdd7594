//! A visit, taken apart as a proxy would: nothing of the URL is made nicer.

use crate::access::explain::{ExplainRequest, Unexplained};
use crate::app::App;

/// The longest URL.
const MAX_URL: usize = 8_192;
/// The most headers.
const MAX_HEADERS: usize = 50;

/// The header lines of a request.
#[derive(Debug)]
pub(super) struct Parts {
    lines: Vec<(Vec<u8>, Vec<u8>)>,
    authority: String,
}

impl Parts {
    /// Reads a question.
    pub(super) fn read(request: &ExplainRequest) -> Result<Self, Unexplained> {
        let invalid = |reason: &str| Unexplained::Invalid(reason.to_owned());
        let is_plain = |text: &str| text.len() <= MAX_URL && text.bytes().all(|byte| byte.is_ascii_graphic());
        let url = request.url.as_str();
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let rest = rest.filter(|_| is_plain(url)).ok_or_else(|| {
            invalid("`url` is one such as https://ae5cf6f5.tasks.example.test/path, with what is special escaped")
        })?;
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.is_empty() || authority.contains('@') {
            return Err(invalid("`url` names a host, and nobody in front of it"));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let method = request.method.clone().unwrap_or_else(|| "GET".to_owned());
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(invalid("`method` is one such as GET"));
        }
        if request.headers.len() > MAX_HEADERS {
            return Err(Unexplained::Invalid(format!("there may be {MAX_HEADERS} headers")));
        }
        let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        let mut lines = vec![pair(":method", &method), pair(":path", &path), pair(":authority", authority)];
        for header in &request.headers {
            let (name, value) =
                header.split_once(':').ok_or_else(|| invalid("a header is one such as `accept: */*`"))?;
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_name || value.len() > MAX_URL || value.chars().any(char::is_control) {
                return Err(invalid("a header is one such as `accept: */*`"));
            }
            lines.push(pair(&name.to_ascii_lowercase(), value.trim()));
        }
        Ok(Self { lines, authority: authority.to_owned() })
    }

    /// The header lines, with a cookie beside.
    pub(super) fn lines(&self, cookie: Option<&str>) -> Vec<(Vec<u8>, Vec<u8>)> {
        let cookie = cookie.map(|cookie| (b"cookie".to_vec(), cookie.as_bytes().to_vec()));
        self.lines.iter().cloned().chain(cookie).collect()
    }

    /// The label that the host names; who asks with headers that name a service is not found by it.
    pub(super) fn label(&self, app: &App) -> Option<String> {
        let domains = app.access.control().gate.domains().ok()?;
        domains.find(self.authority.as_bytes()).map(|(label, _)| label.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Option<Vec<(String, String)>> {
        let request = ExplainRequest { url: url.into(), ..ExplainRequest::default() };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let parts = Parts::read(&request).ok()?;
        Some(parts.lines(None).into_iter().map(|(name, value)| (text(name), text(value))).collect())
    }

    #[test]
    fn a_path_stays_as_it_is_written() {
        for (url, authority, path) in [
            ("https://x.test", "x.test", "/"),
            ("https://x.test:8443/a/../%2F//b?c=%20#d", "x.test:8443", "/a/../%2F//b?c=%20"),
            ("http://x.test?a=b", "x.test", "/?a=b"),
        ] {
            let lines = read(url).expect("a URL");
            assert_eq!((lines[1].1.as_str(), lines[2].1.as_str()), (path, authority), "{url}");
        }
        for url in
            ["", "x.test", "ftp://x.test", "https://", "https://a@x.test/", "https://x.test/a b", "https://x.test/\n"]
        {
            assert!(read(url).is_none(), "{url:?}");
        }
    }
}
