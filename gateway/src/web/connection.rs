//! One connection, from its first byte to its last, and how long each step may take its client.
//!
//! hyper has a limit for the head of an HTTP/1 request and none for the rest: not for HTTP/2 connections that only send
//! PINGs, not for responses that nobody reads. So a connection has an account of what it waits for:
//!
//! ```text
//! accepted ──header_timeout──▶ first request ──request_timeout (web/guard.rs)──▶ response ──send_timeout──▶ taken
//!                                    ▲                                                                      │
//!                                    └──header_timeout──── first byte (HTTP/1) ◀───────idle_timeout─────────┘
//! ```

mod account;
mod socket;

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo, http::Request};
use axum_server::{
    accept::Accept as _,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper::{
    body::Incoming,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
};

use self::{
    account::{Account, Exchange, Patience, Verdict},
    socket::Watched,
};
use super::places::{Place, Places};
use crate::config;

/// What all connections of a listener have in common.
pub struct Shared {
    /// What answers.
    pub router: Router,
    /// Where there is a certificate.
    pub tls: Option<RustlsConfig>,
    /// How many there may be.
    pub places: Places,
    http: Builder<TokioExecutor>,
    patience: Patience,
}

/// What the listener wants of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// To serve.
    Serving,
    /// To finish what runs, and to begin nothing new.
    Finishing,
    /// To end, whatever runs.
    Ended,
}

impl Shared {
    /// As configured.
    pub fn new(settings: &config::Http, tls: Option<RustlsConfig>, router: Router) -> Self {
        let seconds = |count: u64| Duration::from_secs(count.max(1));
        let patience = Patience {
            header: seconds(settings.header_timeout),
            idle: seconds(settings.idle_timeout),
            send: seconds(settings.send_timeout),
        };
        let mut http = Builder::new(TokioExecutor::new());
        // hyper's own limit of the head begins when the request before ends: it is no other than one for idleness.
        http.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD);
        http.http2()
            .timer(TokioTimer::new())
            .max_header_list_size(HEAD as u32)
            .max_concurrent_streams(STREAMS)
            .max_send_buf_size(SEND_BUFFER)
            // A peer that is gone without a word is noticed.
            .keep_alive_interval(patience.header)
            .keep_alive_timeout(patience.header);
        Self { router, tls, places: Places::new(settings), http, patience }
    }
}

/// Serves a connection until one of the two sides ends it.
pub async fn serve(
    shared: Arc<Shared>,
    stream: std::net::TcpStream,
    peer: SocketAddr,
    place: Place,
    mut phase: watch::Receiver<Phase>,
) {
    // It was accepted on another runtime. Without a file for this one's queue of events it is closed.
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    // An error costs speed only.
    let _ = stream.set_nodelay(true);
    let account = Arc::new(Account::new(shared.patience));
    let stream = Watched::new(stream, Arc::clone(&account), place);
    match &shared.tls {
        None => converse(&shared, stream, peer, &account, &mut phase).await,
        Some(tls) => {
            let acceptor = RustlsAcceptor::new(tls.clone()).handshake_timeout(shared.patience.header);
            let accepted = tokio::select! {
                accepted = acceptor.accept(stream, ()) => accepted,
                _ = phase.wait_for(|phase| *phase >= Phase::Finishing) => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    account.begin_anew();
                    converse(&shared, stream, peer, &account, &mut phase).await;
                }
                // Somebody's scanner, or a client that does not know our authority.
                Err(error) => tracing::debug!(%error, "no TLS"),
            }
        }
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    shared: &Shared,
    stream: S,
    peer: SocketAddr,
    account: &Arc<Account>,
    phase: &mut watch::Receiver<Phase>,
) {
    let router = TowerToHyperService::new(shared.router.clone());
    let service = service_fn(|mut request: Request<Incoming>| {
        let exchange = Exchange::begin(account, request.version());
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = router.call(request);
        async move { response.await.map(|response| exchange.answered(response)) }
    });
    let mut connection = pin!(shared.http.serve_connection(TokioIo::new(stream), service));
    let verdict = tokio::select! {
        // Errors are the client's: it went away, or speaks something else.
        _ = connection.as_mut() => return,
        verdict = account.overdue(|| shared.places.scarce()) => verdict,
        _ = phase.wait_for(|phase| *phase >= Phase::Finishing) => Verdict::Leave,
    };
    if let Verdict::Cut(reason) = verdict {
        account.cut(reason);
        return;
    }
    // HTTP/2 clients are told which requests were not begun (RFC 9113 §9.1), so that they can safely repeat them.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection.as_mut() => {}
        () = account.finished() => account.cut("idle"),
        _ = phase.wait_for(|phase| *phase == Phase::Ended) => {}
    }
}

/// Bytes of a request's head: the sealed state in a URL is up to 6 kB, cookies as much again.
const HEAD: usize = 32 * 1024;
/// Requests at once on one HTTP/2 connection; RFC 9113 §6.5.2 wants at least 100.
const STREAMS: u32 = 100;
/// Bytes of one HTTP/2 response that wait for the client's window.
const SEND_BUFFER: usize = 64 * 1024;
