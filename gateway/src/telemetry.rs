//! Logs and traces.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::HeaderMap;
use opentelemetry::{
    propagation::{Extractor, TextMapPropagator as _},
    trace::TracerProvider as _,
};
use opentelemetry_otlp::{Protocol, WithExportConfig as _};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Level, Metadata, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::filter_fn, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{
    config::{LogFormat, Settings},
    failure::Failure,
};

/// Sends what is left of the traces when it is dropped.
pub struct Telemetry(Option<SdkTracerProvider>);

/// Starts logging to standard error and, where configured, tracing.
pub fn start(settings: &Settings) -> Result<Telemetry, Failure> {
    let filter =
        EnvFilter::try_new(&settings.log.filter).map_err(|error| Failure::new(format!("log.filter: {error}")))?;
    let format = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let format = match settings.log.format {
        LogFormat::Text => {
            format.with_target(false).with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed()
        }
        LogFormat::Json => format.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let provider = traces(settings)?;
    EXPORTS.store(provider.is_some(), Ordering::Relaxed);
    let traces =
        provider.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("gateway")));
    tracing_subscriber::registry()
        .with(filter_fn(holds_no_secret))
        .with(filter)
        .with(traces)
        .with(format)
        .try_init()
        .map_err(|error| Failure::new(error.to_string()))?;
    Ok(Telemetry(provider))
}

/// Whether traces are exported: what only they show need not be made otherwise.
pub fn exports() -> bool {
    EXPORTS.load(Ordering::Relaxed)
}

static EXPORTS: AtomicBool = AtomicBool::new(false);

/// Whatever the filter says: below `info`, database and HTTP libraries print bind values, headers and bodies.
fn holds_no_secret(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO
        || !["tokio_postgres", "deadpool", "hyper", "h2", "rustls", "reqwest", "tower", "axum"]
            .iter()
            .any(|library| metadata.target().starts_with(library))
}

fn traces(settings: &Settings) -> Result<Option<SdkTracerProvider>, Failure> {
    let Some(endpoint) = &settings.telemetry.endpoint else {
        return Ok(None);
    };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint.as_str())
        .build()
        .map_err(|error| Failure::new(format!("telemetry.endpoint: {error}")))?;
    let resource = Resource::builder().with_service_name(settings.telemetry.service_name.clone()).build();
    Ok(Some(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
}

/// Makes the span a part of the caller's trace (W3C Trace Context); for trusted proxies only, anybody else could flood a
/// trace of ours.
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    let parent = TraceContextPropagator::new().extract(&Headers(headers));
    // An error means that tracing is not configured.
    let _ = span.set_parent(parent);
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.0 {
            // An error means that nobody takes the traces any more.
            let _ = provider.shutdown();
        }
    }
}
