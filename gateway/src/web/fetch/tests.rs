//! A name server that changes its mind, and what a client may name.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{Fetcher, Lookup, Reach};
use crate::{config, web::database::connect};

fn settings(allow: &[&str]) -> config::Fetch {
    config::Fetch {
        allow: allow.iter().map(|allowed| allowed.parse().unwrap()).collect(),
        timeout: 5,
        ..config::Fetch::default()
    }
}

/// Answers every connection, and counts them.
async fn server(address: &str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let _head = socket.read(&mut [0; 4096]).await.unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntext").await.unwrap();
        }
    });
    (port, connections)
}

#[tokio::test]
async fn a_name_that_is_this_machine_the_second_time_is_not_reached_the_second_time() {
    connect::install_crypto();
    let (port, connections) = server("0.0.0.0").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let lookup: Lookup = {
        let asked = Arc::clone(&asked);
        Arc::new(move |name| {
            assert_eq!(name, "rebind.localhost");
            let address = if asked.fetch_add(1, Ordering::SeqCst) == 0 { [127, 0, 0, 2] } else { [127, 0, 0, 1] };
            Box::pin(async move { Ok(vec![SocketAddr::from((address, 0))]) })
        })
    };
    let fetcher = Fetcher::resolving(&settings(&["127.0.0.2"]), &lookup).unwrap();
    let url = format!("http://rebind.localhost:{port}/keys");
    let fetch = async || fetcher.text(&url, Reach::Client, "*/*", 100).await;
    assert_eq!(fetch().await.unwrap(), "text");
    let refused = fetch().await.unwrap_err().to_string();
    assert!(refused.contains("rebind.localhost has only addresses that may not be reached"), "{refused}");
    assert_eq!((asked.load(Ordering::SeqCst), connections.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test]
async fn a_name_with_good_and_bad_addresses_is_reached_at_the_good_ones_only() {
    connect::install_crypto();
    let (port, connections) = server("127.0.0.1").await;
    let lookup: Lookup = Arc::new(|_| {
        Box::pin(async { Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0)), SocketAddr::from(([127, 0, 0, 3], 0))]) })
    });
    // Nobody listens at the one that is allowed.
    let fetcher = Fetcher::resolving(&settings(&["127.0.0.3"]), &lookup).unwrap();
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://both.localhost:{port}/");
        assert!(fetcher.text(&url, Reach::Client, "*/*", 100).await.is_err());
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_client_may_name_http_on_loopback_only_where_that_is_allowed() {
    connect::install_crypto();
    let (port, connections) = server("127.0.0.1").await;
    let fetch = async |allow: &[&str], reach, host: &str| {
        let fetcher = Fetcher::new(&settings(allow)).unwrap();
        fetcher.text(&format!("http://{host}:{port}/"), reach, "*/*", 100).await
    };
    for (allow, reach, host) in [
        (&[][..], Reach::Client, "127.0.0.1"),
        (&[], Reach::Client, "localhost"),
        (&["10.0.0.0/8"], Reach::Client, "127.0.0.1"),
        (&["127.0.0.1"], Reach::Internet, "127.0.0.1"),
        (&["127.0.0.1"], Reach::Client, "client.example"),
        (&["client.example"], Reach::Client, "client.example"),
        (&["10.0.0.1"], Reach::Client, "10.0.0.1"),
    ] {
        assert!(fetch(allow, reach, host).await.is_err(), "{allow:?} {reach:?} {host}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    assert_eq!(fetch(&["127.0.0.1"], Reach::Client, "127.0.0.1").await.unwrap(), "text");
    assert_eq!(fetch(&["127.0.0.1"], Reach::Client, "localhost").await.unwrap(), "text");
    assert_eq!(fetch(&["localhost"], Reach::Client, "localhost").await.unwrap(), "text");
    assert!(fetch(&["localhost"], Reach::Client, "127.0.0.1").await.is_err());
}
