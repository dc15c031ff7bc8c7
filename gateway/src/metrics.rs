//! `/metrics` for Prometheus, on a listener of its own that nobody outside should reach.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{failure::Failure, web::state::AppState};

#[derive(Clone)]
struct Exporter {
    metrics: PrometheusHandle,
    state: AppState,
}

/// Begins to count. Without a listener nothing is counted, and counting costs nothing.
pub fn start(listen: Option<SocketAddr>) -> Result<Option<PrometheusHandle>, Failure> {
    if listen.is_none() {
        return Ok(None);
    }
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map(Some)
        .map_err(|error| Failure::new(format!("metrics: {error}")))
}

/// Serves `/metrics`.
pub fn routes(metrics: PrometheusHandle, state: AppState) -> Router {
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    Router::new().route("/metrics", get(render)).with_state(Exporter { metrics, state })
}

async fn render(State(exporter): State<Exporter>) -> impl IntoResponse {
    exporter.state.db.report();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], exporter.metrics.render())
}

/// Seconds: from a read out of memory to a login that had to wait.
const BUCKETS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Histograms keep single values until somebody renders or this long has passed.
const UPKEEP: Duration = Duration::from_secs(5);
