//! A request on its way through the pages: sealed, bound to its browser, of bounded size (sql/store/functions/resume.sql).

use serde_json::json;

use crate::authorize::{authorize, call, request, session, with};
use crate::support::{Database, user, web_client};

#[tokio::test]
async fn a_sealed_request_works_in_its_own_browser_only() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let (_, consent) = authorize(&sql, &request(&app), Some(&cookie)).await;
    let resume = consent["resume"].as_str().unwrap();
    let changed = format!("{}x", resume);
    let refused = (
        "error_page".to_string(),
        json!({
            "error": "invalid_request",
            "error_description": "this sign-in took too long or began in another browser: go back to the application and start again"
        }),
    );
    for (resume, browser) in
        [(resume, Some("other")), (resume, None), (&changed, Some("browser")), ("", Some("browser"))]
    {
        assert_eq!(call(&sql, "consent_page", &[&resume, &cookie, &browser]).await, refused);
        assert_eq!(call(&sql, "consent_decide", &[&resume, &cookie, &browser, &"allow"]).await, refused);
        assert_eq!(call(&sql, "authorization_resume", &[&resume, &cookie, &browser]).await, refused);
    }
    assert_eq!(call(&sql, "authorization_resume", &[&resume, &cookie, &"browser"]).await.0, "consent");
    assert_eq!(call(&sql, "consent_decide", &[&resume, &None::<&str>, &"browser", &"allow"]).await.0, "sign_in");
}

#[tokio::test]
async fn a_request_posted_by_another_site_is_taken_up_again() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let (outcome, deferred) = call(&sql, "authorization_defer", &[&request(&app)]).await;
    assert_eq!(outcome, "deferred");
    let resume = deferred["resume"].as_str().unwrap();
    assert_eq!(call(&sql, "authorization_resume", &[&resume, &cookie, &"browser"]).await.0, "consent");
    let large = with(request(&app), json!({"login_hint": "x".repeat(5000)}));
    assert_eq!(
        call(&sql, "authorization_defer", &[&large]).await,
        ("error_page".into(), json!({"error": "invalid_request", "error_description": "the request is too large"}))
    );
}

/// README, decision 7: whatever it is made of.
#[tokio::test]
async fn no_sealed_request_is_longer_than_6_kb() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, web_client(&db).await);
    for piece in ["x", "\"", "\\", "\u{1}", "/", "\u{e9}", "\u{1f600}", "\u{2028}", "\"\u{e9}"] {
        let (mut fits, mut too_much) = (0, 5000);
        let mut longest = 0;
        while too_much - fits > 1 {
            let middle = (fits + too_much) / 2;
            let asked = with(request(&app), json!({"login_hint": piece.repeat(middle)}));
            let (outcome, answer) = authorize(&sql, &asked, None).await;
            if outcome == "sign_in" {
                fits = middle;
                longest = longest.max(answer["resume"].as_str().unwrap().len());
            } else {
                assert_eq!(answer["parameters"]["error_description"], "the request is too large", "{piece:?}");
                too_much = middle;
            }
        }
        let address = "/authorize?resume=".len() + longest;
        assert!((5800..=6144).contains(&address), "{address} bytes of {piece:?}");
    }
}
