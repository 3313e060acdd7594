//! Requests and responses on their way through a VM.
//!
//! Why: the order of steps is the real hosts': what the filter asked for is carried out first, then
//! its return value counts, then the flavour's own habits. Never continues a paused stream on Envoy.

use super::{Returned, RootId, Vm, length};
use crate::state::{Context, Direction};
use crate::stream::{Message, Reply, Request, Stream, property_path};
use crate::{Destination, FailurePolicy, Headers, Outcome, StreamId};

impl Vm {
    /// A request arrives for a plugin: creates its context and shows the filter the headers. A VM that
    /// trapped is reloaded first when its policy (or flavour) says so.
    pub fn request(&mut self, root: RootId, request: impl Into<Request>) -> StreamId {
        let mut request = request.into();
        let stream = self.host.process().next_stream();
        self.complete_headers(&mut request.headers);
        self.arrive(&mut request);
        let end_of_stream = request.end_of_stream && !self.flavour.hides_end_of_stream();
        let size = self.count(&request.headers);
        self.store.data_mut().streams.insert(stream, Stream::new(request));
        self.reload_if_due();
        if self.pass_unserved(stream) {
            return stream;
        }
        let Some(root) = self.store.data().plugins.get(root.0).map(|plugin| plugin.context) else {
            self.decide(stream, Outcome::Gone);
            return stream;
        };
        let state = self.store.data_mut();
        let context = state.add_context(Context::Stream { root, stream });
        if let Some(record) = state.streams.get_mut(&stream) {
            record.context = Some(context);
        }
        let created = self.call(context, "proxy_on_context_create", &[context, root]);
        let returned = match created.trapped {
            true => created,
            false => self.call(context, "proxy_on_request_headers", &[context, size, end_of_stream.into()]),
        };
        if !returned.trapped && (!returned.holds() || self.can_not_wait(stream)) {
            self.go_on(stream, Direction::Request);
        }
        self.resume_if_undecided(stream);
        stream
    }

    /// Where the request went. `None`: it did not go on, or NGINX has no configuration to say.
    pub fn destination(&self, stream: StreamId) -> Option<Destination> {
        self.store.data().streams.get(&stream)?.destination.clone()
    }

    /// What became of the request so far.
    pub fn outcome(&self, stream: StreamId) -> Outcome {
        let Some(record) = self.store.data().streams.get(&stream) else { return Outcome::Gone };
        match self.host.crash() {
            Some(reason) if record.context.is_some() => Outcome::HostCrashed { reason },
            _ => record.outcome.clone(),
        }
    }

    /// Forgets a stream that has ended; a benchmark does so to keep its memory bounded.
    pub fn forget(&mut self, stream: StreamId) {
        self.disconnect(stream);
        self.store.data_mut().streams.remove(&stream);
    }

    /// The headers that reached the upstream, whatever happened to the stream afterwards.
    pub fn upstream(&self, stream: StreamId) -> Option<Headers> {
        self.store.data().streams.get(&stream)?.upstream.clone()
    }

    /// A property of the stream as the filter left it, such as an NGINX variable.
    pub fn property(&self, stream: StreamId, path: &[&str]) -> Option<Vec<u8>> {
        let record = self.store.data().streams.get(&stream)?;
        record.properties.get(&property_path(path)).cloned()
    }

    /// Changes a property of the stream, such as the number of attempts so far.
    pub fn set_property(&mut self, stream: StreamId, path: &[&str], value: impl Into<Vec<u8>>) {
        if let Some(record) = self.store.data_mut().streams.get_mut(&stream) {
            record.properties.insert(property_path(path), value.into());
        }
    }

    /// The upstream answers a stream that continued; says what becomes of the response.
    pub fn response_headers(&mut self, stream: StreamId, headers: impl Into<Headers>, end_of_stream: bool) -> Outcome {
        let Some((context, record)) = self.served(stream) else { return self.response(stream) };
        if record.outcome.continued().is_none() {
            return self.response(stream);
        }
        record.response = Message::open(headers.into());
        record.response_outcome = Outcome::Paused;
        let headers = record.response.headers.clone();
        let size = self.count(&headers);
        let returned = self.call(context, "proxy_on_response_headers", &[context, size, end_of_stream.into()]);
        if !returned.trapped && !returned.holds() {
            self.go_on(stream, Direction::Response);
        }
        self.response(stream)
    }

    /// What became of the response so far.
    pub fn response(&self, stream: StreamId) -> Outcome {
        let Some(record) = self.store.data().streams.get(&stream) else { return Outcome::Gone };
        match &record.outcome {
            Outcome::Continued { .. } => record.response_outcome.clone(),
            other => other.clone(),
        }
    }

    /// A chunk of the request body arrives. The bytes that go on, `None` when the filter holds them.
    pub fn request_body(&mut self, stream: StreamId, body: impl Into<Vec<u8>>, end_of_stream: bool) -> Option<Vec<u8>> {
        self.body(stream, Direction::Request, body.into(), end_of_stream)
    }

    /// The client leaves: the context is deleted and what it had dispatched is cancelled.
    pub fn disconnect(&mut self, stream: StreamId) {
        self.end(stream);
        if self.outcome(stream).is_paused() {
            self.decide(stream, Outcome::Gone);
        }
    }

    /// The stream ends in peace. A reply by the filter ends it without this call.
    pub fn finish(&mut self, stream: StreamId) {
        self.disconnect(stream);
    }

    pub(super) fn go_on(&mut self, stream: StreamId, direction: Direction) {
        let Some((_, record)) = self.served(stream) else { return };
        match direction {
            Direction::Request => record.forward_request(),
            Direction::Response => record.forward_response(),
        }
    }

    /// The first reply counts. It passes `proxy_on_response_headers`, unless a response was on its way
    /// already, and ends the stream.
    pub(super) fn reply(&mut self, stream: StreamId, reply: Reply) {
        let Some((context, record)) = self.served(stream) else { return };
        if record.outcome.reply().is_some() {
            return;
        }
        let answered = !matches!(record.response_outcome, Outcome::Gone);
        let end_of_stream = reply.body.is_empty();
        record.response = Message::open(Headers::from([(":status", reply.status.to_string())]));
        for (name, value) in reply.headers.iter() {
            record.response.headers.add(name, value);
        }
        record.outcome = Outcome::Replied(reply);
        let headers = record.response.headers.clone();
        let size = self.count(&headers);
        if !answered {
            self.call(context, "proxy_on_response_headers", &[context, size, end_of_stream.into()]);
        }
        if let Some((_, record)) = self.served(stream) {
            record.added_by_nginx();
            let mut headers = record.response.headers.clone();
            let status = headers.text(":status").and_then(|status| status.parse().ok());
            headers.remove(b":status");
            if let Outcome::Replied(reply) = &mut record.outcome {
                reply.status = status.unwrap_or(reply.status);
                reply.headers = headers;
            }
        }
        self.end(stream);
    }

    pub(super) fn close(&mut self, stream: StreamId) {
        if self.served(stream).is_some() {
            self.decide(stream, Outcome::Closed);
            self.end(stream);
        }
    }

    /// After a trap: the stream of the callback fails, streams on their way are cut, paused ones hang.
    pub(super) fn lose_streams(&mut self, context: u32) {
        self.host.process().drop_callouts(self.number, None);
        let crash = self.host.crash();
        let Some(outcome) = self.unavailable() else { return };
        let state = self.store.data();
        let answering = state.answer.is_some() && self.flavour.continues_after_answer_trap();
        let open = (self.options.policy == FailurePolicy::Open || answering) && crash.is_none();
        let own = state.stream_of(context);
        let keeps_others = self.flavour.always_reloads() && crash.is_none();
        for (id, record) in &mut self.store.data_mut().streams {
            if record.context.is_none() {
                continue;
            }
            let own = own == Some(*id);
            match &record.outcome {
                Outcome::Paused if own && open => record.forward_request(),
                Outcome::Paused if own || crash.is_some() => record.outcome = outcome.clone(),
                Outcome::Continued { .. } if (own || !keeps_others) && !open => record.outcome = outcome.clone(),
                _ => {}
            }
        }
    }

    /// A stream that nobody will decide continues, where the flavour has it so.
    pub(super) fn resume_if_undecided(&mut self, stream: StreamId) {
        let Some((context, record)) = self.served(stream) else { return };
        let paused = record.outcome.is_paused();
        let resumes = self.flavour.resumes_undecided() && self.host.crash().is_none();
        if paused && resumes && !self.host.process().awaits_answer(self.number, context) {
            self.go_on(stream, Direction::Request);
        }
    }

    fn body(&mut self, stream: StreamId, direction: Direction, body: Vec<u8>, end_of_stream: bool) -> Option<Vec<u8>> {
        let (context, record) = self.served(stream)?;
        let size = length(body.len());
        let (message, callback) = match direction {
            Direction::Request => (&mut record.request, "proxy_on_request_body"),
            Direction::Response => (&mut record.response, "proxy_on_response_body"),
        };
        message.body = Some(body);
        let returned = self.call(context, callback, &[context, size, end_of_stream.into()]);
        let (_, record) = self.served(stream)?;
        let body = match direction {
            Direction::Request => record.request.body.take(),
            Direction::Response => record.response.body.take(),
        };
        body.filter(|_| !returned.trapped && !returned.holds())
    }

    /// Deletes the context. Whatever its last callbacks do, the stream's outcome stays.
    fn end(&mut self, stream: StreamId) {
        let Some((context, record)) = self.served(stream) else { return };
        record.context = None;
        record.logging = true;
        record.request.open = false;
        record.response.open = false;
        self.call(context, "proxy_on_log", &[context]);
        if let Some(record) = self.store.data_mut().streams.get_mut(&stream) {
            record.logging = false;
        }
        self.call(context, "proxy_on_done", &[context]);
        self.call(context, "proxy_on_delete", &[context]);
        self.store.data_mut().contexts.remove(&context);
        self.host.process().drop_callouts(self.number, Some(context));
    }

    /// The record and the context of a stream that still has one.
    pub(super) fn served(&mut self, stream: StreamId) -> Option<(u32, &mut Stream)> {
        let record = self.store.data_mut().streams.get_mut(&stream)?;
        Some((record.context?, record))
    }

    pub(super) fn decide(&mut self, stream: StreamId, outcome: Outcome) {
        if let Some(record) = self.store.data_mut().streams.get_mut(&stream) {
            record.outcome = outcome;
        }
    }

    pub(super) fn reload_if_due(&mut self) {
        let due = self.options.policy == FailurePolicy::Reload || self.flavour.always_reloads();
        if self.trap.is_some() && due && self.host.crash().is_none() {
            // A filter that cannot start again leaves its reason in `trap`.
            self.reload().ok();
        }
    }

    /// Decides a request that no filter will see.
    fn pass_unserved(&mut self, stream: StreamId) -> bool {
        let Some(outcome) = self.unavailable() else { return false };
        match self.options.policy {
            FailurePolicy::Open if self.host.crash().is_none() => {
                if let Some(record) = self.store.data_mut().streams.get_mut(&stream) {
                    record.forward_request();
                }
            }
            _ => self.decide(stream, outcome),
        }
        true
    }
}

impl Returned {
    /// Whether the filter wants the stream to wait.
    pub(super) fn holds(&self) -> bool {
        self.stopped || self.value.is_some_and(|value| value != 0)
    }
}
