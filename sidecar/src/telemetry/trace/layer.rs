//! What goes around listeners.

use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use axum::extract::MatchedPath;
use axum::http::{Request, Response};
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{SpanBuilder, SpanKind, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use tower::{Layer, Service};

use crate::telemetry::trace::{TRACER, extract, known_method, status};

/// What is asked all the time and belongs to no request of anybody.
const UNTRACED: [&str; 6] =
    ["/internal/table", "/healthz", "/readyz", "/metrics", "/metrics/prometheus", "/filter.wasm"];

/// Makes each request a span, of the trace that it came with.
#[derive(Clone, Copy, Debug)]
pub struct TraceLayer;

/// A service whose requests are spans.
#[derive(Clone, Debug)]
pub struct Traced<S> {
    inner: S,
}

impl<S> Layer<S> for TraceLayer {
    type Service = Traced<S>;

    fn layer(&self, inner: S) -> Traced<S> {
        Traced { inner }
    }
}

impl<S, B, R> Service<Request<B>> for Traced<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, poller: &mut Poller<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(poller)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        if route.is_some_and(|route| UNTRACED.contains(&route)) {
            return Box::pin(self.inner.call(request));
        }
        let context = begin(&request, route);
        let answer = self.inner.call(request).with_context(context.clone());
        Box::pin(async move {
            let answer = answer.await;
            if let Ok(answer) = &answer {
                status(&context, answer.status().as_u16(), 500);
            }
            context.span().end();
            answer
        })
    }
}

/// The request's part of its trace. Without a collector it is the caller's.
fn begin<B>(request: &Request<B>, route: Option<&str>) -> Context {
    let parent = extract(request.headers());
    let Some(tracer) = TRACER.load_full() else { return parent };
    let method = known_method(request.method());
    let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
    let mut attributes = vec![KeyValue::new("http.request.method", method)];
    if let Some(route) = route {
        attributes.push(KeyValue::new("http.route", route.to_owned()));
    }
    let span = SpanBuilder::from_name(name).with_kind(SpanKind::Server).with_attributes(attributes);
    let span = tracer.build_with_context(span, &parent);
    parent.with_span(span)
}
