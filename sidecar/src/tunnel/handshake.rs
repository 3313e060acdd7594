//! The beginning of a WebSocket (RFC 6455, section 4.2).

use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use hyper::body::Body;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::tunnel::bridge::SUBPROTOCOL;

/// The version that everybody speaks.
const VERSION: &[u8] = b"13";

/// A client's wish for a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    accept: String,
    /// Whether it speaks [`SUBPROTOCOL`].
    pub is_ours: bool,
}

impl Wish {
    /// The wish in a request; none where it is not one for a WebSocket of that version.
    pub fn of<B>(request: &http::Request<B>) -> Option<Self> {
        let headers = request.headers();
        let has = |name: HeaderName, word: &str| words(headers, &name).any(|found| found.eq_ignore_ascii_case(word));
        let is_one = request.method() == Method::GET
            && request.version() == Version::HTTP_11
            && has(UPGRADE, "websocket")
            && has(CONNECTION, "upgrade")
            && one(headers, &SEC_WEBSOCKET_VERSION).is_some_and(|version| version.as_bytes() == VERSION);
        let key = one(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_one && key.len() <= 64)?;
        let is_ours = words(headers, &SEC_WEBSOCKET_PROTOCOL).any(|found| found == SUBPROTOCOL);
        Some(Self { accept: derive_accept_key(key.as_bytes()), is_ours })
    }

    /// The answer that grants it.
    pub fn granted<B: Body + Default>(&self) -> http::Response<B> {
        let mut answer = http::Response::new(B::default());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&self.accept) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        if self.is_ours {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        }
        answer
    }
}

/// The words of a list, in all lines of that name.
fn words<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    lines.next().filter(|_| lines.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(lines: &[(&str, &str)]) -> Option<Wish> {
        let mut request = http::Request::builder().uri("/");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        Wish::of(&request.body(()).expect("a request"))
    }

    const UPGRADE: (&str, &str) = ("upgrade", "websocket");
    const CONNECTION: (&str, &str) = ("connection", "keep-alive, Upgrade");
    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    const VERSION: (&str, &str) = ("sec-websocket-version", "13");

    #[test]
    fn a_wish_is_granted_as_the_standard_says() {
        let found = wish(&[UPGRADE, CONNECTION, KEY, VERSION]).expect("a wish");
        let answer: http::Response<String> = found.granted();
        assert_eq!(answer.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(!found.is_ours && !answer.headers().contains_key("sec-websocket-protocol"));
        let ours = ("sec-websocket-protocol", "chat, taskgate.tunnel.v1");
        let answer: http::Response<String> =
            wish(&[UPGRADE, CONNECTION, KEY, VERSION, ours]).expect("a wish").granted();
        assert_eq!(answer.headers()["sec-websocket-protocol"], "taskgate.tunnel.v1");
    }

    #[test]
    fn anything_else_is_none() {
        for lines in [
            &[CONNECTION, KEY, VERSION][..],
            &[UPGRADE, KEY, VERSION],
            &[UPGRADE, CONNECTION, VERSION],
            &[UPGRADE, CONNECTION, KEY],
            &[UPGRADE, CONNECTION, KEY, KEY, VERSION],
            &[UPGRADE, CONNECTION, KEY, ("sec-websocket-version", "8")],
        ] {
            assert_eq!(wish(lines), None, "{lines:?}");
        }
    }
}
