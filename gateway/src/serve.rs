//! `gateway serve`: HTTP until somebody says stop.

use std::{sync::Arc, time::Duration};

use axum_server::tls_rustls::RustlsConfig;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::sleep,
};

use crate::{
    backchannel_logout,
    check::{self, Finding, Obstacle},
    config::{self, Settings},
    failure::Failure,
    maintenance, metrics,
    web::{
        database::{Database, connect::Target},
        fetch::Fetcher,
        issuer::Issuer,
        router,
        server::{self, Phase},
        state::AppState,
        workers::Workers,
    },
};

/// Runs until SIGTERM or SIGINT.
pub async fn run(settings: Settings) -> Result<(), Failure> {
    let settings = Arc::new(settings);
    let issuer = settings.issuer()?;
    let target = Target::new("database.url", &settings.database.url()?, "gateway")?;
    let tls = server::tls(&settings.http).await?;
    let recorder = metrics::start(settings.metrics.listen)?;
    let mut stop = Stop::new()?;
    server::take_files(&settings);
    let listener = server::bind("http.listen", settings.http.listen)?;
    let workers = Workers::start()?;
    let runtimes = workers.runtimes();
    let db = Database::new(target.clone(), &settings.database, runtimes.len(), router::calls())?;
    let fetcher = Fetcher::new(&settings.fetch)?;
    let state = AppState::new(db.clone(), issuer.clone(), Arc::clone(&settings), fetcher);
    if let (Some(address), Some(recorder)) = (settings.metrics.listen, recorder) {
        let listener = server::bind("metrics.listen", address)?;
        tokio::spawn(std::future::IntoFuture::into_future(axum::serve(
            listener,
            metrics::routes(recorder, state.clone()),
        )));
    }
    let (phase, phases) = watch::channel(Phase::Serving);
    reload_on_hangup(tls.clone(), settings.http.clone())?;

    // A database that refuses us ends the process before it has answered anybody; one that is away does not: until it is
    // back, requests are answered with 503.
    let first = look(&target, &issuer).await?;
    // Before anybody is served: connections that wait at the listener already must not be told that there is no database.
    if let Fit::Fits = first {
        db.open(&runtimes);
    }
    let mut serving = tokio::spawn({
        let (http, router, runtimes) = (settings.http.clone(), router::router(state.clone()), runtimes.clone());
        async move { server::serve(listener, runtimes, &http, tls, router, phases).await }
    });
    tracing::info!(listen = %settings.http.listen, %issuer, "listening");
    if let Fit::Unknown(reason) = first {
        tokio::select! {
            fits = wait_until_it_fits(&target, &issuer, reason) => fits?,
            () = stop.asked() => return Ok(()),
        }
        db.open(&runtimes);
    }
    tracing::info!("the database fits; serving");
    tokio::spawn(backchannel_logout::deliver(state));
    if settings.maintenance.interval > 0 {
        tokio::spawn(maintenance::run_every(Duration::from_secs(settings.maintenance.interval), db));
    }

    tokio::select! {
        result = &mut serving => return ended(result),
        () = stop.asked() => {}
    }
    tracing::info!("stopping: running requests may finish");
    phase.send_replace(Phase::Finishing);
    tokio::select! {
        result = &mut serving => ended(result)?,
        () = sleep(Duration::from_secs(settings.http.shutdown_timeout)) => {}
        () = stop.asked() => {}
    }
    phase.send_replace(Phase::Ended);
    tracing::info!("stopped");
    Ok(())
}

enum Fit {
    Fits,
    Unknown(Failure),
}

async fn look(target: &Target, issuer: &Issuer) -> Result<Fit, Failure> {
    match check::examine(target, issuer).await {
        Ok(findings) => {
            for finding in findings {
                match finding {
                    Finding::Good(text) => tracing::debug!("{text}"),
                    Finding::Warning(failure) => tracing::warn!("{failure}"),
                    Finding::Fault(failure) => return Err(failure),
                }
            }
            Ok(Fit::Fits)
        }
        Err(Obstacle::Refused(failure)) => Err(failure.during("database.url")),
        Err(Obstacle::Unreachable(failure)) => Ok(Fit::Unknown(failure)),
    }
}

async fn wait_until_it_fits(target: &Target, issuer: &Issuer, mut reason: Failure) -> Result<(), Failure> {
    loop {
        tracing::warn!(%reason, "the database cannot be reached, trying again every second; requests get 503");
        sleep(Duration::from_secs(1)).await;
        match look(target, issuer).await? {
            Fit::Fits => return Ok(()),
            Fit::Unknown(again) => reason = again,
        }
    }
}

fn ended(result: Result<(), tokio::task::JoinError>) -> Result<(), Failure> {
    result.map_err(|error| Failure::new(format!("http.listen: {error}")))
}

/// SIGTERM from whoever runs services, SIGINT from a terminal.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> Result<Self, Failure> {
        let fail = |error: std::io::Error| Failure::new(format!("signals: {error}"));
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(fail)?,
            interrupt: signal(SignalKind::interrupt()).map_err(fail)?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A renewed certificate is taken on SIGHUP; one that cannot be read changes nothing.
fn reload_on_hangup(tls: Option<RustlsConfig>, http: config::Http) -> Result<(), Failure> {
    let mut hangup = signal(SignalKind::hangup()).map_err(|error| Failure::new(format!("signals: {error}")))?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            if let (Some(tls), Some(certificate), Some(key)) = (&tls, &http.tls_certificate, &http.tls_key) {
                match tls.reload_from_pem_file(certificate, key).await {
                    Ok(()) => tracing::info!("certificate read again"),
                    Err(error) => tracing::error!(%error, "the certificate cannot be read, the one before stays"),
                }
            }
        }
    });
    Ok(())
}
