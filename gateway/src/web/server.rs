//! The public listener: TLS where there is a certificate, and limits against clients that are slow on purpose.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::Router;
use axum_server::{
    Handle, Server,
    accept::Accept,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper_util::rt::TokioTimer;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::{config, failure::Failure};

/// Takes the address, before anything else happens: whoever is told of it finds a listener.
pub fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let fail = |error: io::Error| Failure::new(format!("{key} {address}: {error}"));
    let listener = TcpListener::bind(address).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    Ok(listener)
}

/// The certificate, when there is one.
pub async fn tls(settings: &config::Http) -> Result<Option<RustlsConfig>, Failure> {
    match (&settings.tls_certificate, &settings.tls_key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => {
            RustlsConfig::from_pem_file(certificate, key).await.map(Some).map_err(|error| {
                Failure::new(format!(
                    "http.tls_certificate {}, http.tls_key {}: {error}",
                    certificate.display(),
                    key.display()
                ))
            })
        }
        _ => Err(Failure::new("http.tls_certificate and http.tls_key: only one is set").hint("set both or neither")),
    }
}

/// Serves until the handle says stop.
pub async fn serve(
    listener: TcpListener,
    settings: &config::Http,
    tls: Option<RustlsConfig>,
    handle: Handle<SocketAddr>,
    router: Router,
) -> io::Result<()> {
    let patience = Duration::from_secs(settings.header_timeout);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let counted = Counted { places: Arc::new(Semaphore::new(settings.connections)) };
    let mut server = axum_server::from_tcp(listener)?.handle(handle).first_request_timeout(patience);
    limit(&mut server, patience);
    match tls {
        None => server.acceptor(counted).serve(service).await,
        Some(tls) => {
            server.acceptor(RustlsAcceptor::new(tls).handshake_timeout(patience).acceptor(counted)).serve(service).await
        }
    }
}

fn limit(server: &mut Server<SocketAddr>, patience: Duration) {
    let mut http = server.http_builder().http1();
    http.timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(HEAD);
    server
        .http_builder()
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD as u32)
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(patience)
        .keep_alive_timeout(patience);
}

/// Closes what comes when all places are taken, before TLS costs anything.
#[derive(Clone)]
struct Counted {
    places: Arc<Semaphore>,
}

impl<S> Accept<TcpStream, S> for Counted {
    type Stream = Placed;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Placed, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        std::future::ready(match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => {
                // An error costs speed only.
                let _ = stream.set_nodelay(true);
                Ok((Placed { stream, _place: place }, service))
            }
            Err(_) => Err(io::Error::other("too many connections")),
        })
    }
}

/// A connection that gives its place back when it is closed.
struct Placed {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Placed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Placed {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Bytes of a request's head: the sealed state in a URL is up to 6 kB, cookies as much again.
const HEAD: usize = 32 * 1024;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 100;
