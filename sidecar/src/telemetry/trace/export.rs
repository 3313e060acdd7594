//! Sending traces to a collector.
//!
//! In batches, in the background, from a queue with a bound: a collector that is slow or away costs spans and never a
//! request. That it is gets into the log once a minute at most.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter as OtlpExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use opentelemetry_sdk::trace::{BatchConfigBuilder, SdkTracerProvider, SpanData, SpanExporter};
use thiserror::Error;
use tokio::time::Instant;

use crate::http::{self, HttpError};
use crate::telemetry::trace::sampler::Keep;
use crate::telemetry::trace::set_tracer;
use crate::telemetry::trace::settings::OtlpSettings;

/// How many spans wait at most; more are dropped.
const MAX_WAITING: usize = 4_096;
/// How long spans wait for others to go with.
const GATHER: Duration = Duration::from_secs(2);
/// How often trouble is told at most.
const TROUBLE_PAUSE: Duration = Duration::from_secs(60);
/// How long the last batches may take at the end.
const GRACE: Duration = Duration::from_secs(3);

/// Why there are no traces.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The exporter could not be made.
    #[error("no traces: {0}")]
    Exporter(String),
    /// There is no HTTP client.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// Running traces.
#[derive(Debug)]
pub struct Tracing {
    provider: SdkTracerProvider,
}

/// An exporter that says when it can't.
struct Telling<E> {
    inner: E,
    endpoint: String,
    told: Mutex<Option<Instant>>,
}

impl Tracing {
    /// Starts to send traces of this process to a collector. It replaces an earlier one.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn start(settings: &OtlpSettings) -> Result<Self, ExportError> {
        let headers = settings.headers.iter().map(|(name, value)| (name.to_string(), value.expose().to_owned()));
        let exporter = OtlpExporter::builder()
            .with_http()
            .with_http_client(http::client(settings.timeout)?)
            .with_endpoint(settings.endpoint.as_str())
            .with_headers(headers.collect())
            .with_timeout(settings.timeout)
            .with_protocol(Protocol::HttpBinary)
            .build()
            .map_err(|error| ExportError::Exporter(error.to_string()))?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(MAX_WAITING)
            .with_scheduled_delay(GATHER)
            .with_max_export_timeout(settings.timeout)
            .build();
        let exporter = Telling { inner: exporter, endpoint: settings.endpoint.to_string(), told: Mutex::default() };
        let processor = BatchSpanProcessor::builder(exporter, Tokio).with_batch_config(batches).build();
        let sampler = Keep { ratio: settings.sample_ratio, trusts_callers: settings.trust_incoming };
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(sampler)
            .with_resource(Resource::builder_empty().with_service_name(settings.service_name.clone()).build())
            .build();
        set_tracer(Some(provider.tracer("taskgate")));
        Ok(Self { provider })
    }

    /// Sends what waits, as far as that is quick, and ends.
    pub async fn end(self) {
        set_tracer(None);
        let last = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(GRACE));
        if !matches!(tokio::time::timeout(GRACE, last).await, Ok(Ok(Ok(())))) {
            tracing::warn!("the last traces did not get to the collector");
        }
    }
}

impl<E: SpanExporter> SpanExporter for Telling<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let outcome = self.inner.export(batch).await;
        if let Err(error) = &outcome
            && self.may_tell()
        {
            // The address may have secrets.
            let error = error.to_string().replace(&self.endpoint, "the collector");
            tracing::warn!(error, spans, "traces can't be sent; they are lost, and nothing else is");
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E> Telling<E> {
    fn may_tell(&self) -> bool {
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let may = told.is_none_or(|told| now.saturating_duration_since(told) >= TROUBLE_PAUSE);
        if may {
            *told = Some(now);
        }
        may
    }
}

impl<E: fmt::Debug> fmt::Debug for Telling<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Telling").field(&self.inner).finish()
    }
}
