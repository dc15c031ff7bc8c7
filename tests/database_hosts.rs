//! The way to PostgreSQL: TLS as libpq's `sslmode` defines it, several hosts of which one may write, and how often a host
//! that is away is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::operations::{becomes, token};
use crate::overload::assert_polite;
use crate::support::{Browser, Cluster, Database, Gateway, Login, free_port, service_client, until};
use crate::tls::certificate;

/// Runs `gateway check` against this URL: whether it succeeds, and all it says.
fn check(db: &Database, url: &str) -> (bool, String) {
    let output = Gateway::command("check", db, &[("GATEWAY_DATABASE_URL", url)]).output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[tokio::test]
async fn the_database_is_known_by_its_certificate() {
    let cluster = Cluster::start();
    let db = Database::on(cluster).await;
    let (root, key) = certificate(&db, "database");
    let (other, _) = certificate(&db, "other-database");
    let superuser = db.superuser().await;
    for (file, name) in [(&root, "server.crt"), (&key, "server.key")] {
        // Written by the server itself: it wants to own its key, and nobody else to read it.
        let text = std::fs::read_to_string(file).unwrap();
        let copy = format!("copy (select '{}') to program 'umask 077; printf %b \"$(cat)\" > {name}'", text.trim());
        superuser.batch_execute(&copy).await.unwrap();
    }
    superuser.batch_execute("alter system set ssl = on").await.unwrap();
    superuser.batch_execute("select pg_reload_conf()").await.unwrap();
    let (port, name) = (cluster.port, &db.name);
    let url = |host: &str, query: &str| format!("postgres://gateway_login@{host}:{port}/{name}?{query}");
    for (host, query, expected) in [
        ("localhost", format!("sslmode=verify-full&sslrootcert={root}"), Ok(())),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={root}"), Ok(())),
        ("localhost", "sslmode=require".to_owned(), Ok(())),
        // The certificate says localhost: another name is another server, though the authority is known.
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={root}"), Err("not valid for name")),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={root}"), Ok(())),
        // libpq: with a root certificate "require" is "verify-ca".
        ("localhost", format!("sslmode=require&sslrootcert={other}"), Err("invalid peer certificate")),
        ("localhost", format!("sslmode=verify-full&sslrootcert={other}"), Err("invalid peer certificate")),
        ("localhost", "sslmode=verify-full&sslrootcert=/nowhere".to_owned(), Err("sslrootcert /nowhere: ")),
    ] {
        let (success, said) = check(&db, &url(host, &query));
        match expected {
            Ok(()) => assert!(success, "{host} {query}: {said}"),
            Err(reason) => assert!(!success && said.contains(reason), "{host} {query}: {said}"),
        }
    }

    let encrypted = url("localhost", &format!("sslmode=verify-full&sslrootcert={root}"));
    let gateway = Gateway::start_with(&db, &[("GATEWAY_DATABASE_URL", &encrypted)]).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    assert_eq!(token(&gateway.url("/token"), &service_client(&db).await).await.status, 200);
    let sql = "select count(*), count(*) filter (where ssl and version = 'TLSv1.3') from pg_stat_ssl
      join pg_stat_activity using (pid) where usename = 'gateway_login' and backend_type = 'client backend'";
    let row = superuser.query_one(sql, &[]).await.unwrap();
    let (all, with_tls): (i64, i64) = (row.get(0), row.get(1));
    assert!(all >= 2 && all == with_tls, "{with_tls} of {all}");

    // A server that cannot speak TLS is not spoken to in clear.
    superuser.batch_execute("alter system set ssl = off").await.unwrap();
    superuser.batch_execute("select pg_reload_conf()").await.unwrap();
    let (success, said) = check(&db, &url("localhost", "sslmode=require"));
    assert!(!success && said.contains("server does not support TLS"), "{said}");
}

#[tokio::test]
async fn of_several_hosts_the_one_that_may_write_is_taken() {
    let db = Database::new().await;
    // A standby, for whoever asks: the same name, and it reads only.
    let standby = Cluster::start();
    let (client, connection) =
        standby.config(Login::Superuser.role(), "postgres").connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("create database {}", db.name)).await.unwrap();
    client.batch_execute(&format!("alter database {} set default_transaction_read_only = on", db.name)).await.unwrap();
    let (nobody, standby, primary) = (free_port(), standby.port, db.cluster.port);
    let hosts = |ports: [u16; 3]| {
        let hosts = ports.map(|port| format!("127.0.0.1:{port}")).join(",");
        format!("postgres://gateway_login@{hosts}/{}?target_session_attrs=read-write", db.name)
    };
    let client = service_client(&db).await;
    for ports in [[nobody, standby, primary], [standby, primary, nobody], [primary, nobody, standby]] {
        let gateway = Gateway::start_with(&db, &[("GATEWAY_DATABASE_URL", &hosts(ports))]).await;
        becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
        assert_eq!(token(&gateway.url("/token"), &client).await.status, 200, "{}", gateway.log_text());
    }
    // Without a host that may write there is no service, and no wrong one.
    let (success, said) = check(&db, &hosts([standby, nobody, standby]));
    assert!(!success, "{said}");
}

/// A way to PostgreSQL that can be interrupted, and counts who comes.
struct Way {
    port: u16,
    open: watch::Sender<bool>,
    came: Arc<AtomicUsize>,
}

impl Way {
    async fn to(db: &Database) -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, server) = (listener.local_addr().unwrap().port(), db.cluster.port);
        let ((open, is_open), came) = (watch::channel(true), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&came);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let mut is_open = is_open.clone();
                if !*is_open.borrow() {
                    continue;
                }
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = is_open.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Way { port, open, came }
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_not_stormed() {
    let db = Database::new().await;
    let client = service_client(&db).await;
    let way = Way::to(&db).await;
    let url = db.url(Login::Gateway).replace(&db.cluster.port.to_string(), &way.port.to_string());
    let gateway = Gateway::start_with(&db, &[("GATEWAY_DATABASE_URL", &url)]).await;
    let browser = Browser::new();
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    let token = || browser.http.post(gateway.url("/token")).basic_auth(&client.id, client.secret.as_ref());
    // A write, which is refused at once; a read waits a moment for its connection to come back.
    let token = || browser.send(token().form(&[("grant_type", "refresh_token"), ("refresh_token", "none")]));
    assert_eq!(token().await.status, 400);

    way.open.send_replace(false);
    becomes(&browser, &gateway.url("/readyz"), 503).await;
    way.came.store(0, Ordering::SeqCst);
    let begun = Instant::now();
    for _ in 0..500 {
        assert_polite(&token().await);
    }
    // Each reader and each pool asks again at its own pace, not at that of the requests.
    let most = 20 + 4 * begun.elapsed().as_millis() as usize / 50;
    let came = way.came.load(Ordering::SeqCst);
    assert!(came <= most.min(250), "{came} connections for 500 requests in {:?}", begun.elapsed());
    way.open.send_replace(true);
    becomes(&browser, &gateway.url("/readyz"), 200).await;
    until("the database is back", async || token().await.status == 400).await;
}
