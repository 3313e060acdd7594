//! Requests and answers, over HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::soon;

/// A request's body.
pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// A request.
#[derive(Debug)]
pub(crate) struct Ask {
    host: String,
    request: Request<Body>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A connection that stays open from request to request.
#[derive(Debug)]
pub(crate) enum Link {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Ask {
    /// A request; the path may be any that a URI can have.
    pub(crate) fn new(method: Method, host: &str, path: &str) -> Self {
        let mut request = Request::new(Empty::new().boxed());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap_or_default();
        Self { host: host.to_owned(), request }
    }

    pub(crate) fn get(host: &str, path: &str) -> Self {
        Self::new(Method::GET, host, path)
    }

    pub(crate) fn post(host: &str, path: &str, body: impl Into<Bytes>) -> Self {
        Self::new(Method::POST, host, path).body(Full::new(body.into()).boxed())
    }

    /// An extended CONNECT of HTTP/2 (RFC 8441), by which WebSockets are opened there: it has no key.
    pub(crate) fn connect(protocol: &'static str, host: &str, path: &str) -> Self {
        let mut ask = Self::new(Method::CONNECT, host, path);
        ask.request.extensions_mut().insert(Protocol::from_static(protocol));
        ask
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        if let Ok(value) = HeaderValue::from_bytes(value.as_ref()) {
            self.request.headers_mut().append(name, value);
        }
        self
    }

    /// With that token, as the platform's tools send it.
    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn method(mut self, method: Method) -> Self {
        *self.request.method_mut() = method;
        self
    }

    pub(crate) fn body(mut self, body: Body) -> Self {
        *self.request.body_mut() = body;
        self
    }

    /// Sends it over a connection of its own.
    pub(crate) async fn send(self, to: SocketAddr) -> anyhow::Result<Answer> {
        Link::http1(to).await?.send(self).await
    }
}

impl Link {
    pub(crate) async fn http1(to: SocketAddr) -> anyhow::Result<Self> {
        let stream = soon("a connection", TcpStream::connect(to)).await??;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self::Http1(sender))
    }

    pub(crate) async fn http2(to: SocketAddr) -> anyhow::Result<Self> {
        let stream = soon("a connection", TcpStream::connect(to)).await??;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self::Http2(sender))
    }

    /// The same connection, for requests at the same time: HTTP/2 alone can do that.
    pub(crate) fn shared(&self) -> anyhow::Result<Self> {
        match self {
            Self::Http1(_) => anyhow::bail!("HTTP/1.1 has one request at a time"),
            Self::Http2(sender) => Ok(Self::Http2(sender.clone())),
        }
    }

    /// Sends a request and gives the answer once its head has arrived.
    pub(crate) async fn open(&mut self, ask: Ask) -> anyhow::Result<Response<Incoming>> {
        let Ask { host, mut request } = ask;
        let response = match self {
            Self::Http1(sender) => {
                request.headers_mut().insert(header::HOST, HeaderValue::from_str(&host)?);
                soon("the connection", sender.ready()).await??;
                soon("an answer", sender.send_request(request)).await?
            }
            Self::Http2(sender) => {
                let path = request.uri().path_and_query().context("no path")?.clone();
                *request.uri_mut() = Uri::builder().scheme("http").authority(host).path_and_query(path).build()?;
                soon("the connection", sender.ready()).await??;
                soon("an answer", sender.send_request(request)).await?
            }
        };
        response.context("no answer")
    }

    /// Sends a request and reads the answer to its end.
    pub(crate) async fn send(&mut self, ask: Ask) -> anyhow::Result<Answer> {
        Answer::read(self.open(ask).await?).await
    }
}

impl Answer {
    pub(crate) async fn read(response: Response<Incoming>) -> anyhow::Result<Self> {
        let (head, body) = response.into_parts();
        let body = soon("the end of an answer", body.collect()).await?.context("the answer broke off")?;
        Ok(Self { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes() })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The one value of a header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The reason of a refusal.
    pub(crate) fn denial(&self) -> (u16, &str) {
        (self.status, self.header("x-taskgate-denial"))
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.status == StatusCode::OK
    }

    pub(crate) fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| self.text())
    }
}

/// The next part of a streamed body.
pub(crate) async fn next_part(body: &mut Incoming) -> anyhow::Result<Bytes> {
    let frame = soon("a part of the answer", body.frame()).await?.context("the answer ended")??;
    frame.into_data().map_err(|_| anyhow::anyhow!("trailers"))
}
