//! Callouts: requests the filter asks the host to send, and the answers a test gives to them.
//!
//! Why: a test plays the sidecar. It reads what was asked, decides what comes back and when.
//! Never answers by itself: a callout without an answer stays pending for ever.

use std::time::Duration;

use crate::{Flavour, Headers};

/// Names one callout of a host, across all its VMs and reloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CalloutId(pub(crate) u64);

/// A callout that waits for its answer.
#[derive(Clone, Debug)]
pub struct Callout {
    /// What [`Vm::answer`](crate::Vm::answer) wants.
    pub id: CalloutId,
    /// The cluster (or address) it goes to.
    pub cluster: String,
    /// Its headers, `:method`, `:path` and `:authority` among them.
    pub headers: Headers,
    /// Its body.
    pub body: Vec<u8>,
    /// How long the host would wait, `None` for ever.
    pub timeout: Option<Duration>,
    /// When the host gives up, on the manual clock.
    pub deadline_ns: Option<u64>,
    pub(crate) owner: Owner,
}

impl Callout {
    /// The path it asks for, empty when that is no text.
    pub fn path(&self) -> &str {
        self.headers.text(":path").unwrap_or_default()
    }
}

/// Whom the answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The VM of the host.
    pub(crate) vm: usize,
    /// The context that was effective when the callout was dispatched.
    pub(crate) context: u32,
    /// The root of that context.
    pub(crate) root: u32,
    /// The number by which the filter knows the callout.
    pub(crate) token: u32,
}

/// Whether an answer reached the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Delivery {
    /// `proxy_on_http_call_response` ran.
    Delivered,
    /// Nobody was told: the owner is gone, the VM failed, or the callout was answered before.
    Dropped,
}

/// What comes back for a callout.
#[derive(Clone, Debug)]
pub struct Answer {
    kind: Kind,
    headers: Headers,
    body: Vec<u8>,
    trailers: Headers,
    dispatch_status: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Reset,
    Response,
    TimedOut,
    Truncated,
}

impl Answer {
    /// An ordinary response.
    pub fn new(status: u16) -> Self {
        Self {
            kind: Kind::Response,
            headers: Headers::from([(":status", status.to_string())]),
            body: Vec::new(),
            trailers: Headers::new(),
            dispatch_status: "ok",
        }
    }

    /// The sidecar does not listen: Envoy makes a 503 with three headers of it.
    pub fn refused() -> Self {
        Self::new(503).text("upstream connect error: connection refused")
    }

    /// The connection broke, or the response was over the limit: an answer without headers.
    pub fn reset() -> Self {
        Self { kind: Kind::Reset, headers: Headers::new(), dispatch_status: "reader failure", ..Self::new(0) }
    }

    /// The timeout passed: a 504 on Envoy, an answer without headers on WasmX.
    pub fn timed_out() -> Self {
        Self { kind: Kind::TimedOut, dispatch_status: "timeout", ..Self::new(504).text("upstream request timeout") }
    }

    /// The connection ended before the answer did: on WasmX nobody hears of it.
    pub fn truncated() -> Self {
        Self { kind: Kind::Truncated, ..Self::reset() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name.as_ref(), value.as_ref());
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers.add(name.as_ref(), value.as_ref());
        self
    }

    /// What WasmX reports as `:dispatch_status` (`ok` unless set); Envoy has no such thing.
    #[must_use]
    pub fn dispatch_status(mut self, status: &'static str) -> Self {
        self.dispatch_status = status;
        self
    }

    fn text(self, body: &str) -> Self {
        self.header("content-length", body.len().to_string()).header("content-type", "text/plain").body(body)
    }

    /// Whether a filter in `flavour` is not even told.
    pub(crate) fn is_lost_by(&self, flavour: Flavour) -> bool {
        self.kind == Kind::Truncated && flavour.reports_dispatch_status()
    }

    /// What a filter can read of this answer in `flavour`.
    pub(crate) fn seen_by(self, flavour: Flavour) -> SeenAnswer {
        let reports = flavour.reports_dispatch_status();
        let present = match self.kind {
            Kind::Reset | Kind::Truncated => false,
            Kind::Response => true,
            Kind::TimedOut => !reports,
        };
        let (mut head, mut part) = (0_usize, Headers::new());
        for (name, value) in self.headers.iter() {
            head = head.saturating_add(name.len()).saturating_add(value.len()).saturating_add(4);
            if head <= flavour.largest_answer_head() {
                part.add(name, value);
            }
        }
        if present && head > flavour.largest_answer_head() {
            let response = Some((part, Vec::new(), Headers::new()));
            return SeenAnswer { dispatch_status: reports.then_some("reader failure"), response };
        }
        SeenAnswer {
            dispatch_status: reports.then_some(self.dispatch_status),
            response: present.then_some((self.headers, self.body, self.trailers)),
        }
    }
}

/// An answer while the filter is being told about it.
#[derive(Debug)]
pub(crate) struct SeenAnswer {
    pub(crate) dispatch_status: Option<&'static str>,
    /// Headers, body and trailers; `None` when nothing usable came back.
    pub(crate) response: Option<(Headers, Vec<u8>, Headers)>,
}
