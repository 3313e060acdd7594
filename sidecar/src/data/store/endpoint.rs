//! The address of a store's service.

use std::fmt;

use url::Url;

use crate::data::store::StoreError;
use crate::http::parse_url;

/// The address of a store's service, with a path where the service is not at the root of its host.
///
/// Invariant: `http` or `https`, without user name, query and fragment; the path has no `/` at its end.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Box<str>,
    authority: Box<str>,
    path: Box<str>,
}

impl Endpoint {
    /// Reads an address.
    ///
    /// # Errors
    /// [`StoreError::Failed`] where it is none, or has a user name, a query or a fragment.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let wrong = || StoreError::Failed("an endpoint is http:// or https://, a host, a port and a path".to_owned());
        let url = parse_url(text).map_err(|_| wrong())?;
        if url.query().is_some() || url.fragment().is_some() || url.path().contains('%') {
            return Err(wrong());
        }
        Ok(Self {
            scheme: url.scheme().into(),
            authority: authority(&url).into(),
            path: url.path().trim_end_matches('/').into(),
        })
    }

    /// The same service at a name below this one: `bucket.s3.example`.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        Self { authority: format!("{name}.{}", self.authority).into(), ..self.clone() }
    }

    /// Whether it is reached without TLS.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        &*self.scheme == "http"
    }

    /// Its host, and its port where that is not the scheme's own: what clients send as `Host`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Scheme and host.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The path of something there, `rest` starting with a slash.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.path)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin(), self.path)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_what_clients_send_as_host() {
        for (text, shown, host) in [
            ("https://S3.Example.com:443/", "https://s3.example.com", "s3.example.com"),
            ("http://127.0.0.1:10000/account/", "http://127.0.0.1:10000/account", "127.0.0.1:10000"),
            ("http://[::1]:80", "http://[::1]", "[::1]"),
        ] {
            let endpoint = Endpoint::parse(text).expect(text);
            assert_eq!((endpoint.to_string().as_str(), endpoint.authority()), (shown, host));
        }
        for text in ["", "s3.example.com", "ftp://x", "https://a:b@x", "https://x/?y", "https://x/#y", "https://x/%20"]
        {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
        let below = Endpoint::parse("https://s3.example.com").expect("an endpoint").below("bucket");
        assert_eq!(below.origin(), "https://bucket.s3.example.com");
    }
}
