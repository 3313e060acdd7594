//! One request on its way through the filter, and what became of it.
//!
//! Why: tests assert outcomes. [`Outcome`] is what the client or the upstream would notice, in one
//! value. Never contains what the filter did to get there; call counts are a different question.

pub(crate) mod nginx_path;

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::{Destination, Headers, NginxConf};

/// Names one stream of a host, across all its VMs and reloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(crate) u64);

/// A request as it arrives from a client.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) headers: Headers,
    pub(crate) end_of_stream: bool,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) nginx: Option<Rc<NginxConf>>,
}

impl Request {
    /// A request with exactly these headers and no body.
    pub fn new(headers: impl Into<Headers>) -> Self {
        Self { headers: headers.into(), end_of_stream: true, properties: BTreeMap::new(), nginx: None }
    }

    /// `GET` of `path` at `authority`.
    pub fn get(authority: &str, path: &str) -> Self {
        Self::new([(":authority", authority), (":path", path), (":method", "GET"), (":scheme", "http")])
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name.as_ref(), value.as_ref());
        self
    }

    /// Says whether the headers are all there is (true unless set).
    #[must_use]
    pub fn end_of_stream(mut self, end_of_stream: bool) -> Self {
        self.end_of_stream = end_of_stream;
        self
    }

    /// Gives the stream a property, such as `["source", "address"]`.
    #[must_use]
    pub fn property(mut self, path: &[&str], value: impl Into<Vec<u8>>) -> Self {
        self.properties.insert(property_path(path), value.into());
        self
    }
}

/// A connection without headers, as it arrives from a client.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    properties: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Connection {
    /// A connection of which the host knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives it a property, such as `["source", "address"]`.
    #[must_use]
    pub fn property(mut self, path: &[&str], value: impl Into<Vec<u8>>) -> Self {
        self.properties.insert(property_path(path), value.into());
        self
    }
}

impl<Source: Into<Headers>> From<Source> for Request {
    fn from(headers: Source) -> Self {
        Self::new(headers)
    }
}

/// The form in which property paths cross the ABI.
pub(crate) fn property_path(path: &[&str]) -> Vec<u8> {
    path.join("\0").into_bytes()
}

/// What became of a request, as the client and the upstream notice it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The filter closed the stream without an answer.
    Closed,
    /// The message went on with these headers.
    Continued {
        /// The headers that went on.
        headers: Headers,
    },
    /// The client left before there was a decision, or there is no such stream.
    Gone,
    /// The whole host process died: every connection of every worker is lost.
    HostCrashed {
        /// What the filter did that the host does not survive.
        reason: String,
    },
    /// The filter holds it; without a further call it stays so for ever.
    Paused,
    /// The filter answered it.
    Replied(Reply),
    /// It went on, and the configuration had no address for it: the client gets an error of NGINX.
    Nowhere,
    /// The filter trapped over it, or had trapped before: the client gets 503 from the host (500 on
    /// WasmX) or a cut connection.
    Trapped {
        /// Which callback trapped and why.
        reason: String,
    },
}

impl Outcome {
    /// The headers that went on, if it continued.
    pub fn continued(&self) -> Option<&Headers> {
        match self {
            Self::Continued { headers } => Some(headers),
            _ => None,
        }
    }

    /// The filter's answer, if it replied.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Replied(reply) => Some(reply),
            _ => None,
        }
    }

    /// The status of the filter's answer, if it replied.
    pub fn status(&self) -> Option<u32> {
        self.reply().map(|reply| reply.status)
    }

    /// Whether the filter holds it.
    pub fn is_paused(&self) -> bool {
        matches!(self, Self::Paused)
    }

    /// Whether the filter trapped over it.
    pub fn is_trapped(&self) -> bool {
        matches!(self, Self::Trapped { .. })
    }

    /// Whether the host process died.
    pub fn is_host_crashed(&self) -> bool {
        matches!(self, Self::HostCrashed { .. })
    }
}

/// An answer made by the filter, as it passed it to the host.
///
/// `content-length` and the translation to gRPC, which Envoy adds later, are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u32,
    /// The headers, changes by `proxy_on_response_headers` included.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// The gRPC status, `None` for -1.
    pub grpc_status: Option<u32>,
    /// The details for the access log.
    pub details: String,
}

/// One half of a stream: headers and body of the request or of the response.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) headers: Headers,
    /// Whether the filter may still read and change the headers.
    pub(crate) open: bool,
    /// The chunk the filter is being told about.
    pub(crate) body: Option<Vec<u8>>,
    /// Headers the filter removed and the host forwards all the same.
    pub(crate) leaked: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Message {
    pub(crate) fn open(headers: Headers) -> Self {
        Self { headers, open: true, ..Self::default() }
    }

    /// What the next hop gets.
    pub(crate) fn forwarded(&self) -> Headers {
        let mut headers = self.headers.clone();
        for (name, value) in &self.leaked {
            headers.add(name, value);
        }
        headers
    }
}

/// The host's record of a stream; it outlives the stream's context.
#[derive(Debug)]
pub(crate) struct Stream {
    /// The context inside the VM, `None` once it was deleted or its VM replaced.
    pub(crate) context: Option<u32>,
    pub(crate) request: Message,
    pub(crate) response: Message,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) outcome: Outcome,
    pub(crate) response_outcome: Outcome,
    /// What reached the upstream, whatever happened afterwards.
    pub(crate) upstream: Option<Headers>,
    /// `proxy_on_log` runs: headers can be read again.
    pub(crate) logging: bool,
    pub(crate) nginx: Option<Rc<NginxConf>>,
    pub(crate) destination: Option<Destination>,
    /// Whether it is a connection without headers.
    pub(crate) is_connection: bool,
    /// The headers as the client sent them.
    client: Headers,
}

impl Stream {
    pub(crate) fn new(request: Request) -> Self {
        Self {
            context: None,
            client: request.headers.clone(),
            request: Message::open(request.headers),
            nginx: request.nginx,
            destination: None,
            response: Message::default(),
            properties: request.properties,
            outcome: Outcome::Paused,
            response_outcome: Outcome::Gone,
            upstream: None,
            logging: false,
            is_connection: false,
        }
    }

    pub(crate) fn of_connection(connection: Connection) -> Self {
        let request = Request { properties: connection.properties, ..Request::new(Headers::default()) };
        Self { request: Message::default(), is_connection: true, ..Self::new(request) }
    }

    /// Lets the request go on to the upstream, unless it was decided before.
    pub(crate) fn forward_request(&mut self) {
        self.request.open = false;
        if self.outcome.is_paused() {
            let Some(headers) = self.sent_on() else {
                self.outcome = Outcome::Nowhere;
                return;
            };
            self.upstream = Some(headers.clone());
            self.outcome = Outcome::Continued { headers };
        }
    }

    /// What the upstream gets. What a filter removed comes back last: no configuration can help it.
    fn sent_on(&mut self) -> Option<Headers> {
        let Some(nginx) = &self.nginx else { return Some(self.request.forwarded()) };
        let (destination, headers) = nginx.forward(&self.client, &self.request.headers, &self.properties)?;
        self.destination = Some(destination);
        let leaked = std::mem::take(&mut self.request.leaked);
        let mut headers = Message { headers, leaked, ..Message::default() }.forwarded();
        if let Some(sent) = self.properties.get(&property_path(&["ngx", "request_uri"])) {
            headers.replace(b":path", sent);
        }
        Some(headers)
    }

    /// What the configuration adds to an answer.
    pub(crate) fn added_by_nginx(&mut self) {
        if let Some(nginx) = &self.nginx {
            nginx.answer(&self.client, &self.properties, &mut self.response.headers);
        }
    }

    /// Lets the response go on to the client, unless it was decided before.
    pub(crate) fn forward_response(&mut self) {
        if self.response_outcome.is_paused() {
            self.response.open = false;
            self.added_by_nginx();
            self.response_outcome = Outcome::Continued { headers: self.response.forwarded() };
        }
    }
}
