//! The notes example in headless Chromium: two people, from the first visit to logout, and every page on the way.

use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::real_clients::{clients, run};
use crate::support::{Database, Gateway, Login, checkout, client, free_port, until, user};

#[tokio::test]
async fn two_people_see_their_own_notes_in_a_browser() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let (alice, bob) = (user(&db, "alice").await, user(&db, "bob").await);
    let port = free_port();
    let app_url = format!("http://127.0.0.1:{port}");
    let app = json!({
        "client_name": "Notes",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [format!("{app_url}/callback")],
        "post_logout_redirect_uris": [format!("{app_url}/")],
        "scope": "openid profile offline_access"
    });
    let app = client(&db, app).await;

    let mut table = Command::new(checkout().join(".make/cluster"));
    table
        .args(["psql".as_ref(), db.cluster.dir.as_os_str(), "--quiet".as_ref()])
        .args(["--dbname", &db.name, "--set=app_role=app_login", "--set=first=alice", "--set=second=bob"])
        .arg("--file")
        .arg(checkout().join("gateway/examples/notes.sql"));
    run(table).await;

    // Killed with this process, and with the test.
    let mut notes = Command::new("setpriv");
    notes
        .args(["--pdeathsig", "KILL"])
        .arg(checkout().join("target/release/examples/notes"))
        .env("ISSUER", &gateway.issuer)
        .env("DEMO_CLIENT_ID", &app.id)
        .env("APP_DATABASE_URL", db.url(Login::App))
        .env("APP_PORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let mut notes = notes.spawn().unwrap();
    until("the notes example listens", async || {
        assert!(notes.try_wait().unwrap().is_none(), "the notes example ended at once");
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await;

    let mut chromium = Command::new("node");
    chromium
        .arg(clients().join("chromium.mjs"))
        .arg(checkout().join("target/test-pictures"))
        .env("ISSUER", &gateway.issuer)
        .env("APP_URL", &app_url)
        .env("ALICE", &alice.username)
        .env("ALICE_PASSWORD", &alice.password)
        .env("BOB", &bob.username)
        .env("BOB_PASSWORD", &bob.password);
    run(chromium).await;
}
