//! Where it does not go: loopback, private and special networks in every spelling, unless an administrator said so.

use tokio::net::TcpListener;

use super::{once, text, trust};
use crate::support::Database;

#[tokio::test]
async fn an_address_of_this_machine_is_refused_in_every_spelling_and_nobody_connects() {
    let db = Database::new().await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "017700000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[::127.0.0.1]",
        "[2002:7f00:1::]",
        "0.0.0.0",
        "0",
        "[::]",
        "127%2e0%2e0%2e1",
        "①②⑦.0.0.1",
        "localhost",
        "LOCALHOST",
        "10.0.0.1",
        "192.168.0.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "[fe80::1]",
        "[fd00::1]",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ];
    for host in hosts {
        trust(&db, &format!("https://{host}:{port}"), "x").await;
    }
    let round = once(&db, &[]).await;
    assert_eq!(round.status.code(), Some(1));
    let said = text(&round.stderr);
    let refused = said.matches("is an address of a private or special network").count()
        + said.matches("has only addresses that may not be reached").count();
    assert_eq!(refused, hosts.len(), "{said}");
    assert!(text(&round.stdout).is_empty());
    let waited = tokio::time::timeout(std::time::Duration::from_millis(100), listener.accept()).await;
    assert!(waited.is_err(), "somebody connected");
}

#[tokio::test]
async fn only_https_is_fetched_and_http_only_of_loopback_issuers() {
    let db = Database::new().await;
    let issuers = [
        "http://issuer.example",
        "http://10.0.0.1",
        "ftp://issuer.example",
        "file:///etc",
        "gopher://127.0.0.1",
        "issuer.example",
        "https://user:password@issuer.example",
        "http://localhost.issuer.example",
    ];
    for issuer in issuers {
        trust(&db, issuer, "x").await;
    }
    let round = once(&db, &[]).await;
    let said = text(&round.stderr);
    assert!(said.contains(&format!("{0} of {0} issuers", issuers.len())), "{said}");
    // Refused before any name is asked for.
    assert!(!said.contains("dns") && !said.contains("lookup"), "{said}");
    assert!(said.contains("holds a user name or a password") && !said.contains("password@issuer.example/"), "{said}");
}
