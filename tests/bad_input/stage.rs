//! Where the requests of http.rs and lives.rs are played, and how their answers are compared with a table.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::digest;
use super::mangled::{Endpoint, HEAVY, MANGLINGS};
use crate::pages::set_cookies;
use crate::support::{Browser, Client, Database, Flow, Gateway, Page, Tokens, User, client, user};

/// Where the client keeps a request. Mangled it is another address, which is not asked.
pub const REQUEST_URI: &str = "https://notes.example/request";

/// A person who is signed in and has allowed a client everything.
pub struct Stage {
    pub db: Database,
    pub gateway: Gateway,
    pub alice: User,
    pub app: Client,
    /// In the person's browser.
    pub flow: Flow,
    pub tokens: Tokens,
    /// What the person's browser sends.
    cookies: String,
}

impl Stage {
    pub async fn new() -> Stage {
        let db = Database::new().await;
        // Maintenance writes when its time has come.
        let gateway = Gateway::start_with(&db, &[("GATEWAY_MAINTENANCE_INTERVAL", "0")]).await;
        let metadata = json!({
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "redirect_uris": ["https://notes.example/callback"], "post_logout_redirect_uris": ["https://notes.example/"],
            "request_uris": [REQUEST_URI]
        });
        let (alice, app) = (user(&db, "alice").await, client(&db, metadata).await);
        let browser = Browser::new();
        let login = browser.get(gateway.url("/login")).await;
        let csrf = login.form("sign-in").fields[0].1.clone();
        let fields = [("csrf", csrf.as_str()), ("username", "alice"), ("password", &alice.password)];
        let signed_in = browser.post(gateway.url("/login"), &fields).await;
        let cookies: Vec<String> = [&login, &signed_in].into_iter().flat_map(set_cookies).collect();
        let pairs: Vec<&str> = cookies.iter().map(|cookie| cookie.split(';').next().unwrap()).collect();
        let flow = Flow::new(&gateway, &app).in_browser(browser);
        let tokens = flow.tokens(&alice).await;
        Stage { db, gateway, alice, app, flow, tokens, cookies: pairs.join("; ") }
    }

    /// A client that authenticates in the header.
    pub fn client(&self, path: &'static str, fields: &[(&'static str, &str)]) -> Endpoint {
        let pair = format!("{}:{}", self.app.id, self.app.secret.as_deref().unwrap());
        let basic = format!("Basic {}", STANDARD.encode(pair));
        Endpoint { headers: vec![("Authorization", basic)], ..stranger("POST", path, fields) }
    }

    /// A form of the person's browser, whose hidden fields are those of a page.
    pub fn form(
        &self,
        page: &Page,
        button: &'static str,
        path: &'static str,
        fields: &[(&'static str, &str)],
    ) -> Endpoint {
        let form = page.form(button);
        let hidden = |name: &str| form.fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
        let own = fields.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let taken = ["csrf", "resume"].into_iter().filter_map(|name| Some((name, hidden(name)?)));
        Endpoint {
            method: "POST",
            path,
            headers: vec![("Cookie", self.cookies.clone())],
            fields: taken.chain(own).collect(),
        }
    }

    /// Fails with every cell that is not as the table says: what is answered to a parameter that is missing (an empty one
    /// counts as absent, RFC 6749 §3.1), that comes twice, that has a line break, and that is of the wrong kind.
    pub async fn assert_table(&self, endpoint: &Endpoint, table: &[(&str, [&str; 4])]) {
        let superuser = self.db.superuser().await;
        let mut wrong = Vec::new();
        for (parameter, expected) in table {
            let mut found = Vec::new();
            for mangling in MANGLINGS.into_iter().chain(HEAVY) {
                // Each guess at a password is the first.
                superuser.batch_execute("delete from identity_store.sign_in_buckets").await.unwrap();
                let before = digest(&superuser).await;
                let answer = endpoint.send(&self.db, &endpoint.encoded(parameter, mangling));
                let context = format!("{} {} with {parameter} {mangling:?}", endpoint.method, endpoint.path);
                answer.assert_sound(&context);
                let cell = answer.cell();
                // A wrong password is counted.
                if !cell.starts_with("200") && !["303 client", "422 sign-in"].contains(&cell.as_str()) {
                    assert_eq!(digest(&superuser).await, before, "{context} was refused ({cell}) and wrote");
                }
                if !HEAVY.contains(&mangling) {
                    found.push(cell);
                }
            }
            let [missing, twice, line_break, junk] = *expected;
            // What cannot be read is refused before anything is looked at.
            let (huge, unreadable) =
                (if endpoint.method == "GET" { "431" } else { "413 invalid_request" }, "400 invalid_request");
            if found != [missing, missing, twice, huge, unreadable, unreadable, line_break, junk] {
                wrong.push(format!("(\"{parameter}\", {found:?}),"));
            }
        }
        assert!(wrong.is_empty(), "{} {} answers:\n{}", endpoint.method, endpoint.path, wrong.join("\n"));
    }
}

/// Somebody without credentials and cookies.
pub fn stranger(method: &'static str, path: &'static str, fields: &[(&'static str, &str)]) -> Endpoint {
    let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Endpoint { method, path, headers: Vec::new(), fields }
}
