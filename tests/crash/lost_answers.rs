//! The connection breaks between the commit and the answer: the client hears 503, and its second try is safe.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::operations::{becomes, header, token};
use crate::races::consistent;
use crate::refresh::count;
use crate::support::{Browser, Database, Flow, Gateway, Login, Page, service_client, user, web_client};
use crate::token::audited;

/// Stands between gateway and PostgreSQL, and on demand swallows an answer and cuts the connection it was for.
struct Thief {
    port: u16,
    wanted: Wanted,
}

/// What the statement holds whose answer is stolen.
type Wanted = Arc<Mutex<Option<String>>>;

impl Thief {
    async fn start(server: u16) -> Thief {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (port, wanted) = (listener.local_addr().unwrap().port(), Wanted::default());
        let sought = wanted.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(pass(client, upstream, sought.clone()));
            }
        });
        Thief { port, wanted }
    }

    /// The answer to the next statement with this in it is lost. Not to just any: the gateway asks for itself, too.
    fn steal(&self, evidence: &str) {
        *self.wanted.lock().unwrap() = Some(evidence.into());
    }

    fn stole(&self) -> bool {
        self.wanted.lock().unwrap().is_none()
    }
}

async fn pass(client: TcpStream, server: TcpStream, wanted: Wanted) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let found = Arc::new(AtomicBool::new(false));
    let stolen = found.clone();
    let questions = tokio::spawn(async move {
        let mut question = vec![0; 65536];
        while let Ok(length @ 1..) = from_client.read(&mut question).await {
            let text = String::from_utf8_lossy(&question[..length]).into_owned();
            if wanted.lock().unwrap().take_if(|evidence| text.contains(&**evidence)).is_some() {
                found.store(true, Ordering::Release);
            }
            if to_server.write_all(&question[..length]).await.is_err() {
                break;
            }
        }
    });
    let mut answer = vec![0; 65536];
    while let Ok(length @ 1..) = from_server.read(&mut answer).await {
        if stolen.load(Ordering::Acquire) || to_client.write_all(&answer[..length]).await.is_err() {
            break;
        }
    }
    questions.abort();
}

fn unavailable(page: &Page) {
    assert_eq!(page.status, 503, "{}", page.body);
    assert!(header(page, "retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
}

#[tokio::test]
async fn a_client_that_lost_its_answer_asks_again_and_nothing_happens_twice() {
    let db = Database::new().await;
    let thief = Thief::start(db.cluster.port).await;
    let url = db.url(Login::Gateway).replace(&format!(":{}/", db.cluster.port), &format!(":{}/", thief.port));
    let gateway =
        Gateway::start_with(&db, &[("GATEWAY_DATABASE_URL", &url), ("GATEWAY_MAINTENANCE_INTERVAL", "0")]).await;
    becomes(&Browser::new(), &gateway.url("/readyz"), 200).await;
    let (app, job, alice) = (web_client(&db).await, service_client(&db).await, user(&db, "alice").await);

    // The pages: each is sent again as it stands.
    let flow = Flow::new(&gateway, &app);
    // Opens the connections that the thief waits at.
    assert_eq!(flow.browser.sign_in(&flow.open().await, "nobody", "nothing").await.status, 422);
    let page = flow.open().await;
    thief.steal(&alice.username);
    unavailable(&flow.browser.sign_in(&page, &alice.username, &alice.password).await);
    assert!(thief.stole());
    let consent = flow.browser.sign_in(&page, &alice.username, &alice.password).await;
    let fields = consent.form("allow").fields;
    thief.steal(&fields.iter().find(|(name, _)| name == "resume").unwrap().1);
    unavailable(&flow.browser.press(&consent, "allow", &[]).await);
    assert!(thief.stole());
    let code = flow.browser.press(&consent, "allow", &[]).await.location_parameter("code").unwrap();
    let tokens = flow.redeem(&code).await.json();

    // A refresh: the second try gets what the first one made.
    let generation = "select max(generation)::bigint from identity_store.refresh_families";
    let first = tokens["refresh_token"].as_str().unwrap();
    thief.steal(first);
    unavailable(&flow.refresh(first).await);
    assert!(thief.stole());
    assert_eq!(count(&db, generation).await, 2, "it had been committed");
    let again = flow.refresh(first).await;
    assert_eq!((again.status.as_u16(), count(&db, generation).await), (200, 2), "{}", again.body);
    let second = again.json()["refresh_token"].as_str().unwrap().to_owned();
    assert_ne!(second, first);

    // A code: nobody knows who got the first answer, so the second try is a replay (RFC 6749 §4.1.2); nothing lives of
    // it, and the person only has to be sent round once more.
    let code = flow.code(&alice).await;
    thief.steal(&code);
    unavailable(&flow.redeem(&code).await);
    assert!(thief.stole());
    assert_eq!(count(&db, "select count(*) from identity_store.refresh_families").await, 2, "it had been committed");
    let again = flow.redeem(&code).await;
    assert_eq!((again.status.as_u16(), &again.json()["error"]), (400, &"invalid_grant".into()));
    let live = "select count(*) from identity_store.refresh_families where ended_at is null";
    assert_eq!((audited(&db, "code_replayed").await, count(&db, live).await), (1, 1));
    flow.tokens(&alice).await;

    // Revocation and a client's own token: the same answer as the first time.
    let revoke = [("token", second.as_str())];
    thief.steal(&second);
    unavailable(&flow.call("/revoke", &revoke).await);
    assert!(thief.stole());
    assert_eq!(flow.call("/revoke", &revoke).await.status, 200);
    assert_eq!(flow.refresh(&second).await.json()["error"], "invalid_grant");
    thief.steal(&job.id);
    unavailable(&token(&gateway.url("/token"), &job).await);
    assert!(thief.stole());
    assert_eq!(token(&gateway.url("/token"), &job).await.status, 200);

    // A read changes nothing, so the gateway asks again by itself.
    let readyz = gateway.url("/readyz");
    thief.steal("");
    assert_eq!(flow.browser.get(&readyz).await.status, 200);
    assert!(thief.stole());
    consistent(&db).await;
}
