//! Traces: which request caused which call, told to a collector by OTLP.
//!
//! A request that comes with a trace continues it; the [`layer()`] around the listeners sees to that, [`send`] hands it on
//! to whom the sidecar asks, and [`carried`] to what goes on in the background. Without a collector nothing is made
//! or sent, and only the trace's id is known, for the log.
//!
//! Nothing of what a client or a platform sends gets into a trace but its id, known methods, statuses, names of hosts that operators
//! configured, and the patterns of paths: no query, no path as it came, no header. A client's `tracestate` goes nowhere.

pub mod export;
pub mod layer;
mod sampler;
pub mod settings;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::http::{HeaderMap, HeaderValue, Method};
use opentelemetry::context::{FutureExt as _, WithContext};
use opentelemetry::trace::{
    SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use reqwest::{RequestBuilder, Response};
use taskgate_core::trace_context::{TRACE_PARENT, TraceParent};

use crate::telemetry::trace::layer::TraceLayer;

/// What makes spans, where there is a collector. One a process: what it is needed for is everywhere.
static TRACER: ArcSwapOption<SdkTracer> = ArcSwapOption::const_empty();

/// What goes around listeners: each request becomes a span, of the trace that it came with.
#[must_use]
pub const fn layer() -> TraceLayer {
    TraceLayer
}

/// A future that belongs to the trace of whoever calls this, wherever it runs.
pub fn carried<F>(future: F) -> WithContext<F> {
    future.with_context(Context::current())
}

/// The trace that whoever calls this belongs to, for the log.
#[must_use]
pub fn current_id() -> Option<String> {
    Context::map_current(|context| {
        let span = context.span().span_context().clone();
        span.is_valid().then(|| span.trace_id().to_string())
    })
}

/// Sends a request to another service, as a part of the current trace.
///
/// # Errors
/// As [`RequestBuilder::send`].
pub async fn send(request: RequestBuilder) -> reqwest::Result<Response> {
    let Some(tracer) = TRACER.load_full() else { return request.send().await };
    let (client, request) = request.build_split();
    let mut request = request?;
    let host = request.url().host_str().unwrap_or_default().to_owned();
    let method = known_method(request.method());
    let mut attributes = vec![KeyValue::new("http.request.method", method), KeyValue::new("server.address", host)];
    if let Some(port) = request.url().port_or_known_default() {
        attributes.push(KeyValue::new("server.port", i64::from(port)));
    }
    let span = SpanBuilder::from_name(method).with_kind(SpanKind::Client);
    let span = tracer.build_with_context(span.with_attributes(attributes), &Context::current());
    let context = Context::current_with_span(span);
    inject(&context, request.headers_mut());
    let answer = client.execute(request).await;
    let span = context.span();
    match &answer {
        Ok(answer) => status(&context, answer.status().as_u16(), 400),
        // Its own words may have the address, which may have secrets.
        Err(error) => span.set_status(Status::error(kind(error))),
    }
    span.end();
    answer
}

/// A method, where it is one of the standards: others are whatever a client wrote.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::CONNECT => "CONNECT",
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

fn kind(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "can't connect"
    } else {
        "the exchange failed"
    }
}

/// Notes a status; from which one on it is an error depends on whose it is.
fn status(context: &Context, code: u16, first_error: u16) {
    let span = context.span();
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(code)));
    if code >= first_error {
        span.set_status(Status::error(""));
    }
}

/// The context that a request came with.
fn extract(headers: &HeaderMap) -> Context {
    let mut parents = headers.get_all(TRACE_PARENT).iter();
    let parent = match (parents.next(), parents.next()) {
        (Some(parent), None) => TraceParent::parse(parent.as_bytes()),
        _ => None,
    };
    let Some(parent) = parent else { return Context::new() };
    let flags = if parent.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace, span) = (TraceId::from_bytes(parent.trace_id()), SpanId::from_bytes(parent.span_id()));
    Context::new().with_remote_span_context(SpanContext::new(trace, span, flags, true, TraceState::NONE))
}

/// Adds a context to a request.
fn inject(context: &Context, headers: &mut HeaderMap) {
    let span = context.span();
    let span = span.span_context();
    let (trace_id, span_id) = (span.trace_id().to_bytes(), span.span_id().to_bytes());
    let Some(parent) = TraceParent::new(trace_id, span_id, span.is_sampled()) else { return };
    if let Ok(value) = HeaderValue::from_str(&parent.to_string()) {
        headers.insert(TRACE_PARENT, value);
    }
}

/// Takes over who makes spans.
fn set_tracer(tracer: Option<SdkTracer>) {
    TRACER.store(tracer.map(Arc::new));
}
