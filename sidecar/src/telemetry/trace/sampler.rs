//! Which traces are kept.
//!
//! By default that is nobody's choice but the operator's: neither the last number of a `traceparent` nor the trace's
//! id, both of which a client may have written, have a say in it.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingResult, ShouldSample};

use crate::random;

/// Decides which traces are kept.
#[derive(Clone, Debug)]
pub(super) struct Keep {
    /// Which part of the requests, from 0 to 1.
    pub(super) ratio: f64,
    /// Whether who calls decides, where they say.
    pub(super) trusts_callers: bool,
}

impl ShouldSample for Keep {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let whole = parent.map(|parent| parent.span().span_context().clone()).filter(|span| span.is_valid());
        let sampler = match whole {
            // What belongs to a request of ours goes with it.
            Some(span) if self.trusts_callers || !span.is_remote() => {
                if span.is_sampled() {
                    Sampler::AlwaysOn
                } else {
                    Sampler::AlwaysOff
                }
            }
            _ => Sampler::TraceIdRatioBased(self.ratio),
        };
        // Ids that others chose are no chance.
        let chance = random::bytes().map(TraceId::from_bytes).unwrap_or(id);
        sampler.should_sample(parent, chance, name, kind, attributes, links)
    }
}
