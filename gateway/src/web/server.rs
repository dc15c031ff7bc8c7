//! The public listener: who gets a connection. What one connection may do is in connection.rs.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use axum_server::tls_rustls::RustlsConfig;
use tokio::{
    net::{TcpListener, TcpSocket},
    runtime::Handle,
    sync::watch,
};

pub use super::connection::Phase;
use super::connection::{self, Shared};
use crate::{config, failure::Failure};

/// Takes the address, before anything else happens: whoever is told of it finds a listener.
pub fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // After a restart the connections of the process before may still be closing.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error: io::Error| Failure::new(format!("{key} {address}: {error}")))
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

/// Every connection is a file, and so is every one to the database: without enough of them a flood of clients would take
/// those of the database. Programs are started with 1,024, and may ask for more.
pub fn take_files(settings: &config::Settings) {
    let database = &settings.database;
    let others = database.readers + database.writers + database.hashers + OTHER_FILES;
    let wanted = (settings.http.connections + others) as u64;
    match rlimit::increase_nofile_limit(wanted.max(MOST_FILES)) {
        Ok(files) if files < wanted => tracing::warn!(
            files,
            wanted,
            "http.connections is more than this process may open (RLIMIT_NOFILE): raise that limit or lower the setting"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "RLIMIT_NOFILE cannot be read"),
    }
}

/// Accepts until told to finish, and returns when the last connection is closed. The workers get connections in turns.
pub async fn serve(
    listener: TcpListener,
    workers: Vec<Handle>,
    settings: &config::Http,
    tls: Option<RustlsConfig>,
    router: Router,
    mut phase: watch::Receiver<Phase>,
) {
    let shared = Arc::new(Shared::new(settings, tls, router));
    let mut workers = workers.iter().cycle();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = phase.wait_for(|phase| *phase >= Phase::Finishing) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Before TLS costs anything. Without a place the connection is closed.
                if let (Some(place), Ok(stream), Some(worker)) =
                    (shared.places.take(peer.ip()), stream.into_std(), workers.next())
                {
                    worker.spawn(connection::serve(Arc::clone(&shared), stream, peer, place, phase.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                // No file is left, for example: asking again at once would help nobody.
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    shared.places.empty().await;
}

/// Connections that wait to be accepted, as far as the system allows it (net.core.somaxconn): more than come in one moment.
const BACKLOG: u32 = 4096;
/// Listeners, logs, traces, metrics, what libraries open for a moment.
const OTHER_FILES: usize = 128;
const MOST_FILES: u64 = 65536;
const BREATH: Duration = Duration::from_millis(50);
