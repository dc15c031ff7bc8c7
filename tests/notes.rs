//! The notes example (gateway/examples/notes.rs), used as two people would.

use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::support::{Browser, Client, Database, Gateway, Login, Page, User, checkout, client, free_port, until, user};

/// The example, running. Killed when dropped.
struct Demo {
    url: String,
    alice: User,
    bob: User,
    client: Client,
    gateway: Gateway,
    db: Database,
    process: Child,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Demo {
    async fn start() -> Demo {
        let db = Database::new().await;
        let gateway = Gateway::start(&db).await;
        let (alice, bob) = (user(&db, "alice").await, user(&db, "bob").await);
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let metadata = json!({
            "client_name": "Notes",
            "token_endpoint_auth_method": "none",
            "application_type": "native",
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": [format!("{url}/callback")],
            "post_logout_redirect_uris": [format!("{url}/")],
            "scope": "openid profile offline_access",
            // The ten seconds that the example keeps in hand: it refreshes at each request.
            "access_token_lifetime": 10
        });
        let client = client(&db, metadata).await;
        Demo::table(&db);
        // It may be run again.
        Demo::table(&db);
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(checkout().join("target/release/examples/notes"))
            .env("ISSUER", &gateway.issuer)
            .env("APP_PORT", port.to_string())
            .env("APP_DATABASE_URL", db.url(Login::App))
            .env("DEMO_CLIENT_ID", &client.id)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        until("the notes example listens", async || {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "the notes example ended at once, {ended:?}");
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
        Demo { url, alice, bob, client, gateway, db, process }
    }

    fn table(db: &Database) {
        let output = Command::new(checkout().join(".make/cluster"))
            .arg("psql")
            .arg(&db.cluster.dir)
            .args(["--quiet", "--dbname", &db.name, "--set=app_role=app_login"])
            .args(["--set=first=alice", "--set=second=bob", "--file"])
            .arg(checkout().join("gateway/examples/notes.sql"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Signs in with "Sign in", and comes back to the notes.
    async fn sign_in(&self, browser: &Browser, person: &User) -> Page {
        assert!(browser.get(&self.url).await.body.contains("id=sign-in"));
        let page = browser.get(format!("{}/sign-in", self.url)).await;
        let page = browser.open(page.location().unwrap()).await;
        let page = browser.sign_in(&page, &person.username, &person.password).await;
        // A loopback client is allowed each time anew (RFC 8252 §8.6).
        let page = browser.press(&page, "allow", &[]).await;
        browser.open(page.location().expect("a redirect to the example")).await
    }
}

fn notes(page: &Page) -> Vec<String> {
    let items = page.body.split("<li><p>").skip(1);
    items.map(|item| item.split("</p>").next().unwrap().to_owned()).collect()
}

fn id_of(page: &Page, note: &str) -> String {
    let (_, rest) = page.body.split_once(note).unwrap();
    rest.split("value=").nth(1).unwrap().split(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn two_people_see_different_notes() {
    let demo = Demo::start().await;
    let (alices, bobs) = (Browser::new(), Browser::new());
    let page = demo.sign_in(&alices, &demo.alice).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("<span id=name>alice Liddell</span>"), "{}", page.body);
    let alice_sees = notes(&page);
    let bob_sees = notes(&demo.sign_in(&bobs, &demo.bob).await);
    assert_eq!((alice_sees.len(), bob_sees.len()), (3, 2));
    assert!(alice_sees.iter().all(|note| !bob_sees.contains(note)));

    // Written by Bob, as HTML that must stay text.
    let page = bobs.post(format!("{}/notes", demo.url), &[("body", "<b>Bob's</b>")]).await;
    let page = bobs.follow(page).await;
    assert_eq!(notes(&page)[0], "&lt;b&gt;Bob's&lt;/b&gt;");
    assert_eq!(notes(&alices.get(&demo.url).await), alice_sees);

    // Alice deletes it by its id, and nothing happens; Bob does, and it is gone.
    let id = id_of(&page, "&lt;b&gt;");
    alices.post(format!("{}/notes/delete", demo.url), &[("id", &id)]).await;
    assert_eq!(notes(&bobs.get(&demo.url).await).len(), 3);
    bobs.post(format!("{}/notes/delete", demo.url), &[("id", &id)]).await;
    assert_eq!(notes(&bobs.get(&demo.url).await), bob_sees);
}

#[tokio::test]
async fn the_application_itself_sees_nothing_and_cannot_pretend() {
    let demo = Demo::start().await;
    let app = demo.db.app().await;
    let count: i64 = app.query_one("select count(*) from notes", &[]).await.unwrap().get(0);
    assert_eq!(count, 0);
    let insert = "insert into notes (user_id, body) values ($1, 'not mine')";
    assert!(app.execute(insert, &[&demo.alice.id]).await.is_err());
    assert!(app.execute("insert into notes (body) values ('of nobody')", &[]).await.is_err());
    assert!(app.execute("update notes set body = ''", &[]).await.is_err());
}

#[tokio::test]
async fn signing_out_ends_the_session_at_the_provider_too() {
    let demo = Demo::start().await;
    let browser = Browser::new();
    demo.sign_in(&browser, &demo.alice).await;
    let page = browser.post(format!("{}/sign-out", demo.url), &[]).await;
    // Its ID token says whose session ends, so the provider asks nobody.
    let page = browser.open(page.location().unwrap()).await;
    assert_eq!(page.location().expect("a redirect to the example").as_str(), format!("{}/", demo.url));
    // Both sessions are over: the next sign-in asks for the password again.
    let page = browser.get(format!("{}/sign-in", demo.url)).await;
    assert!(browser.open(page.location().unwrap()).await.has("sign-in"));
}

#[tokio::test]
async fn a_session_that_was_ended_elsewhere_ends_here_at_the_next_request() {
    let demo = Demo::start().await;
    let browser = Browser::new();
    assert_eq!(notes(&demo.sign_in(&browser, &demo.alice).await).len(), 3);
    let disable = "select identity.user_disable($1)";
    demo.db.admin().await.execute(disable, &[&demo.alice.id]).await.unwrap();
    let page = browser.open(&demo.url).await;
    assert!(page.body.contains("id=sign-in"), "{}", page.body);
}

#[tokio::test]
async fn an_answer_that_was_not_asked_for_is_not_believed() {
    let demo = Demo::start().await;
    let browser = Browser::new();
    let page = browser.get(format!("{}/callback?state=x&code=y", demo.url)).await;
    assert_eq!(page.headers["location"], "/");
    browser.get(format!("{}/sign-in", demo.url)).await;
    let page = browser.get(format!("{}/callback?state=x&code=y", demo.url)).await;
    assert_eq!(page.headers["location"], "/");
    // The client and the gateway are there, and were not asked.
    assert!(!demo.client.id.is_empty() && !demo.gateway.log_text().contains("/token"));
    assert!(browser.get(&demo.url).await.body.contains("id=sign-in"));
}
