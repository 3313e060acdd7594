//! What a client asked for, as its ingress says.

use axum::http::HeaderMap;
use axum::http::request::Parts;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use taskgate_core::request::Request;
use thiserror::Error;

/// Where the ingress says the method.
const METHOD: &str = "x-forwarded-method";
/// Where it says the host, as the client wrote it.
const HOST: &str = "x-forwarded-host";
/// Where it says path and query, as the client wrote them.
const URI: &str = "x-forwarded-uri";
/// Headers of the hop between ingress and sidecar, or of the ingress.
const OF_THE_HOP: [&str; 7] = [METHOD, HOST, URI, "host", "connection", "content-length", "transfer-encoding"];
/// What requests for WebSockets have and no hop takes away: the key over HTTP/1.1 alone, the version over HTTP/2 and
/// HTTP/3 too (RFC 6455, section 4.1; RFC 8441, section 5).
const OF_WEBSOCKETS: [&str; 2] = ["sec-websocket-key", "sec-websocket-version"];

/// What a client asked for: its headers, pseudo headers first.
#[derive(Clone, Debug, Default)]
pub struct Original {
    headers: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The ingress does not say what the client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unsaid {
    /// A header is missing, or there more than once.
    #[error("the ingress has to send `{0}` once; see the configurations of nginx-config and forward-auth")]
    Header(&'static str),
    /// A path that is none.
    #[error("`{URI}` has to begin with `/`, as in `/path?query`; an ingress sends what the client sent")]
    Path,
    /// Envoy's question has no request.
    #[error("the question has no HTTP request")]
    Request,
}

impl Original {
    /// What `auth_request`, `ForwardAuth` and their like say: the client's headers, and three of their own.
    ///
    /// # Errors
    /// [`Unsaid`].
    pub fn forwarded(headers: &HeaderMap) -> Result<Self, Unsaid> {
        let [method, host, uri] = [METHOD, HOST, URI].map(|name| once(headers, name));
        let original = Self::of(method?, host?, uri?)?;
        Ok(original.with(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))))
    }

    /// What Envoy's `ext_authz` over HTTP says: the client's own method, host and headers; the path after a prefix.
    ///
    /// # Errors
    /// [`Unsaid`].
    pub fn passed_on(parts: &Parts, path: &str) -> Result<Self, Unsaid> {
        let host = match parts.uri.authority() {
            Some(authority) => authority.as_str().as_bytes(),
            None => once(&parts.headers, "host")?,
        };
        let original = Self::of(parts.method.as_str().as_bytes(), host, path.as_bytes())?;
        Ok(original.with(parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))))
    }

    /// What Envoy's `ext_authz` over gRPC says. With `encode_raw_headers` lines that come more than once are apart.
    ///
    /// # Errors
    /// [`Unsaid`].
    pub fn checked(request: &HttpRequest) -> Result<Self, Unsaid> {
        let lines: Vec<(&str, &[u8])> = match &request.header_map {
            Some(map) => map
                .headers
                .iter()
                .map(|header| {
                    let value = if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value };
                    (header.key.as_str(), value)
                })
                .collect(),
            None => request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        };
        // Texts of the question are text, and what clients send need not be.
        let raw = |name: &str, text: &'_ str| -> Vec<u8> {
            let line = lines.iter().find(|(other, _)| *other == name);
            line.map_or_else(|| text.as_bytes().to_vec(), |(_, value)| value.to_vec())
        };
        let (method, host) = (raw(":method", &request.method), raw(":authority", &request.host));
        let original = Self::of(&method, &host, &raw(":path", &request.path))?;
        Ok(original.with(lines.into_iter()))
    }

    fn of(method: &[u8], host: &[u8], path: &[u8]) -> Result<Self, Unsaid> {
        if path.first() != Some(&b'/') {
            return Err(Unsaid::Path);
        }
        let pseudo = [(":method", method), (":path", path), (":authority", host)];
        Ok(Self { headers: pseudo.map(|(name, value)| (name.into(), value.into())).into() })
    }

    fn with<'a>(mut self, headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        // Ingresses don't pass on that a client wants a WebSocket.
        let (mut is_websocket, mut says_so) = (false, false);
        for (name, value) in headers {
            let is_of_the_hop = name.starts_with(':') || OF_THE_HOP.iter().any(|hop| name.eq_ignore_ascii_case(hop));
            is_websocket |= OF_WEBSOCKETS.iter().any(|of| name.eq_ignore_ascii_case(of));
            says_so |= name.eq_ignore_ascii_case("upgrade");
            if !is_of_the_hop {
                self.headers.push((name.into(), value.into()));
            }
        }
        if is_websocket && !says_so {
            self.headers.push((b"upgrade".into(), b"websocket".into()));
        }
        self
    }

    /// The request, as the gate looks at it.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        Request::read(self.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())))
    }

    /// The value of a header that comes once.
    #[must_use]
    pub fn header(&self, wanted: &str) -> Option<&[u8]> {
        let mut found = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

fn once<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a [u8], Unsaid> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.as_bytes()),
        _ => Err(Unsaid::Header(name)),
    }
}
