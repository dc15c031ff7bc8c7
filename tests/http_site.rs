//! What the tests of the authorization endpoint share.

use crate::session_state::assert_form;
use crate::support::{Browser, Client, Database, Flow, Gateway, Page, User, user, web_client};

/// A gateway, a person and a client with a https redirect URI.
pub struct Site {
    pub gateway: Gateway,
    pub alice: User,
    pub web: Client,
    pub db: Database,
}

impl Site {
    pub async fn new() -> Site {
        let db = Database::new().await;
        let gateway = Gateway::start(&db).await;
        let (alice, web) = (user(&db, "alice").await, web_client(&db).await);
        Site { gateway, alice, web, db }
    }

    pub fn flow(&self) -> Flow {
        Flow::new(&self.gateway, &self.web)
    }

    /// The browser of somebody who has signed in and allowed the client everything.
    pub async fn signed_in(&self) -> Browser {
        let flow = self.flow();
        flow.code(&self.alice).await;
        flow.browser
    }
}

/// The whole redirect: 303, where to, and nothing that a cache or the next site could keep.
#[track_caller]
pub fn assert_redirect(page: &Page, to: &str, parameters: &[(&str, &str)]) {
    assert_eq!(page.status, 303, "{}", page.body);
    let location = page.location().unwrap();
    let (start, _) = location.as_str().split_once('?').unwrap();
    assert_eq!(start, to);
    let mut found: Vec<(String, String)> = location.query_pairs().into_owned().collect();
    // Of an OpenID request, in every answer (session_state.rs).
    for (_, state) in found.extract_if(.., |(name, _)| name == "session_state") {
        assert_form(&state);
    }
    found.sort();
    let mut expected: Vec<(String, String)> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert_eq!(page.body, "");
}

/// An error that is told to the client, in whatever words.
#[track_caller]
pub fn assert_refused(site: &Site, page: &Page, error: &str) {
    let description = page.location_parameter("error_description").unwrap_or_default();
    assert_redirect(
        page,
        "https://notes.example/callback",
        &[
            ("error", error),
            ("error_description", &description),
            ("state", "af0ifjsldkj"),
            ("iss", &site.gateway.issuer),
        ],
    );
    assert!(!description.is_empty());
}

/// An error page, where the client cannot be told.
#[track_caller]
pub fn assert_error_page(page: &Page, error: &str) {
    assert_eq!(page.status, 400);
    assert_eq!(page.text("error").as_deref(), Some(error));
    assert!(page.location().is_none());
    assert!(page.url.path().ends_with("/authorize"), "errors stay on /authorize");
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
}
