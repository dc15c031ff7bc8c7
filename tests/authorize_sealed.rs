//! A request on its way through the pages: sealed, bound to its browser, of bounded size (sql/store/functions/resume.sql).

use serde_json::{Value, json};

use crate::authorize::{CHALLENGE, Sql, authorize, call, request, session, sign_in, with};
use crate::clock::off;
use crate::jwt::merged;
use crate::support::{Cluster, Database, user, web_client};

/// What is said to whoever brings one that does not open.
fn refused() -> (String, Value) {
    let description =
        "this sign-in took too long or began in another browser: go back to the application and start again";
    ("error_page".into(), json!({ "error": "invalid_request", "error_description": description }))
}

#[tokio::test]
async fn a_sealed_request_works_in_its_own_browser_only() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let (_, consent) = authorize(&sql, &request(&app), Some(&cookie)).await;
    let resume = consent["resume"].as_str().unwrap();
    let changed = format!("{}x", resume);
    for (resume, browser) in
        [(resume, Some("other")), (resume, None), (&changed, Some("browser")), ("", Some("browser"))]
    {
        assert_eq!(call(&sql, "consent_page", &[&resume, &cookie, &browser]).await, refused());
        assert_eq!(call(&sql, "consent_decide", &[&resume, &cookie, &browser, &"allow"]).await, refused());
        assert_eq!(call(&sql, "authorization_resume", &[&resume, &cookie, &browser]).await, refused());
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

/// Whatever page it is on, and however often that is shown again.
#[tokio::test]
async fn a_sealed_request_is_good_for_ten_minutes() {
    let cluster = Cluster::start();
    let db = Database::on(cluster).await;
    let (app, alice) = (web_client(&db).await, user(&db, "alice").await);
    let sql = db.gateway_role().await;
    let cookie = session(&sql, &alice).await;
    let resume = |answer: Value| answer["resume"].as_str().unwrap().to_owned();
    let login = resume(authorize(&sql, &request(&app), None).await.1);
    let consent = resume(authorize(&sql, &request(&app), Some(&cookie)).await.1);
    let chooser =
        resume(authorize(&sql, &with(request(&app), json!({"prompt": "select_account"})), Some(&cookie)).await.1);
    let logout = resume(call(&sql, "logout_request", &[&json!({}), &cookie, &"browser"]).await.1);
    let deferred = resume(call(&sql, "authorization_defer", &[&request(&app)]).await.1);
    drop(sql);

    let none = None::<&str>;
    for (ahead, good) in [("+9m", true), ("+11m", false)] {
        cluster.control_with("restart", &off(ahead));
        let sql = db.gateway_role().await;
        let answers = [
            ("page", call(&sql, "sign_in_page", &[&login, &none, &"browser"]).await),
            ("page", call(&sql, "consent_page", &[&consent, &cookie, &"browser"]).await),
            ("consent", call(&sql, "authorization_resume", &[&consent, &cookie, &"browser"]).await),
            ("page", call(&sql, "select_account_page", &[&chooser, &cookie, &"browser", &none]).await),
            (
                "signed_in",
                call(
                    &sql,
                    "sign_in",
                    &[&login, &"browser", &alice.username, &alice.password, &none, &none, &none, &none],
                )
                .await,
            ),
            ("signed_out", call(&sql, "logout_confirm", &[&logout, &cookie, &"browser"]).await),
        ];
        for (index, (expected, answer)) in answers.iter().enumerate() {
            if good {
                assert_eq!(answer.0, *expected, "{index}: {}", answer.1);
            } else {
                assert_eq!(*answer, refused(), "{index}");
            }
        }
        // To see a page is to have its form sent, and no more time for it.
        for ((_, page), sealed) in [(&answers[0].1, &login), (&answers[1].1, &consent), (&answers[3].1, &chooser)] {
            assert!(!good || page["resume"] == json!(sealed), "{page}");
        }
        // What another site posted is taken up by a redirect at once.
        assert_eq!(call(&sql, "authorization_resume", &[&deferred, &none, &"browser"]).await, refused());
    }
}

#[tokio::test]
async fn a_sealed_request_says_nothing_of_who_has_proved_what() {
    let db = Database::new().await;
    let (sql, owner) = (db.gateway_role().await, db.owner().await);
    let (app, alice) = (web_client(&db).await, user(&db, "alice").await);
    let (_, login) = authorize(&sql, &request(&app), None).await;
    let (cookie, next) = sign_in(&sql, &alice, &login, None).await;
    assert_eq!(next["outcome"], "consent");
    let (_, again) = authorize(&sql, &request(&app), Some(&cookie)).await;
    let asked = json!({
        "client_id": app.id, "redirect_uri": app.redirect_uri(), "response_type": "code", "scope": "openid profile",
        "state": "s t&a=te", "nonce": "n", "code_challenge": CHALLENGE, "code_challenge_method": "S256"
    });
    for page in [&login, &next["answer"], &again] {
        assert_state(&owner, "authorization", page, &json!({ "parameters": asked, "repeated": null })).await;
    }
    // Whom somebody chose: whoever is not signed in as that person signs in.
    let chosen = with(request(&app), json!({"prompt": "select_account"}));
    let (outcome, chooser) = authorize(&sql, &chosen, Some(&cookie)).await;
    assert_eq!(outcome, "select_account");
    let asked = merged(asked, json!({ "prompt": "select_account" }));
    assert_state(&owner, "authorization", &chooser, &json!({ "parameters": asked, "repeated": null })).await;
    let resume = chooser["resume"].as_str().unwrap();
    let (outcome, consent) =
        call(&sql, "select_account", &[&resume, &cookie, &"browser", &None::<&str>, &Some(1)]).await;
    assert_eq!(outcome, "consent");
    let expected = json!({ "parameters": asked, "repeated": null, "selected": alice.id });
    assert_state(&owner, "authorization", &consent, &expected).await;
    // A logout.
    let asked = json!({
        "client_id": [app.id], "post_logout_redirect_uri": ["https://notes.example/"], "state": ["s"], "logout_hint": ["alice"]
    });
    let (_, confirm) = call(&sql, "logout_request", &[&asked, &cookie, &"browser"]).await;
    let expected = json!({ "client_id": app.id, "post_logout_redirect_uri": "https://notes.example/", "state": "s" });
    assert_state(&owner, "logout", &confirm, &expected).await;
}

/// All that is sealed, beside the hash of the browser's cookie and the time the request began.
async fn assert_state(owner: &Sql, purpose: &str, answer: &Value, expected: &Value) {
    let open =
        "select identity.state_open($1, $2), identity_store.browser_hash('browser'), extract(epoch from now())::float8";
    let row = owner.query_one(open, &[&purpose, &answer["resume"].as_str()]).await.unwrap();
    let (mut state, browser, now): (Value, String, f64) = (row.get(0), row.get(1), row.get(2));
    let members = state.as_object_mut().unwrap();
    assert_eq!(members.remove("browser"), Some(json!(browser)));
    if purpose == "authorization" {
        let started_at = members.remove("started_at").unwrap().as_f64().unwrap();
        assert!((now - 120.0..=now).contains(&started_at), "{started_at}");
    }
    assert_eq!(&state, expected);
}
