//! Who is asked before a code is issued, and what it is good for (sql/store/functions/authorization_verdict.sql, consent.sql).

use serde_json::json;

use crate::authorize::{authorize, call, code, decide, error_redirect, request, session, sign_in, with};
use crate::support::{Client, Database, Tokens, client, user, web_client};

#[tokio::test]
async fn a_request_goes_from_sign_in_over_consent_to_a_code_and_is_remembered() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let request = with(request(&app), json!({"scope": "profile openid unheard-of openid"}));

    let (outcome, answer) = authorize(&sql, &request, None).await;
    assert_eq!(outcome, "sign_in");
    let (cookie, next) = sign_in(&sql, &alice, &answer, None).await;
    assert_eq!(next["outcome"], "consent");
    let consent = &next["answer"];
    let page = call(&sql, "consent_page", &[&consent["resume"].as_str(), &cookie, &"browser"]).await;
    let shown = json!({
        // Bound to this browser already, so it is the same one.
        "resume": consent["resume"],
        "client": {"client_id": app.id, "client_name": "Notes on the web"},
        "redirect_host": "notes.example",
        "scopes": [
            {"name": "profile", "description": "See your name and profile"},
            {"name": "openid", "description": "Know that it is you"}
        ],
        "resources": [],
        "user": {"name": "alice Liddell", "username": "alice"}
    });
    assert_eq!(page, ("page".into(), shown));

    let (outcome, answer) = decide(&sql, consent, &cookie, "allow").await;
    assert_eq!(outcome, "redirect");
    let code = answer["parameters"]["code"].as_str().unwrap();
    assert_eq!(
        answer,
        json!({
            "redirect_uri": "https://notes.example/callback", "response_mode": "query",
            "parameters": {"code": code, "state": "s t&a=te", "iss": db.issuer}
        })
    );
    assert!(code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));

    assert_eq!(authorize(&sql, &request, Some(&cookie)).await.0, "redirect", "remembered");
    let more = with(request.clone(), json!({"scope": "openid profile email"}));
    assert_eq!(authorize(&sql, &more, Some(&cookie)).await.0, "consent", "more than remembered");
    let again = with(request, json!({"prompt": "consent"}));
    assert_eq!(authorize(&sql, &again, Some(&cookie)).await.0, "consent", "asked to ask");
}

#[tokio::test]
async fn a_person_who_says_no_sends_access_denied() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let (_, consent) = authorize(&sql, &request(&app), Some(&cookie)).await;
    assert_eq!(
        decide(&sql, &consent, &cookie, "deny").await,
        error_redirect(&db, &app, "access_denied", "the person did not allow it")
    );
    assert_eq!(authorize(&sql, &request(&app), Some(&cookie)).await.0, "consent", "no is not remembered as yes");
}

#[tokio::test]
async fn prompt_login_and_max_age_are_met_by_a_proof_that_came_after_the_request() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    code(&sql, &request(&app), &cookie).await;
    for change in [json!({"prompt": "login"}), json!({"max_age": "0"})] {
        let asked = with(request(&app), change.clone());
        let (outcome, answer) = authorize(&sql, &asked, Some(&cookie)).await;
        assert_eq!(outcome, "sign_in", "{change}");
        let resume = answer["resume"].as_str().unwrap();
        let again = call(&sql, "authorization_resume", &[&resume, &cookie, &"browser"]).await;
        assert_eq!(again.0, "sign_in", "going round does not help");
    }
    let (_, answer) = authorize(&sql, &with(request(&app), json!({"prompt": "login"})), Some(&cookie)).await;
    let (cookie, next) = sign_in(&sql, &alice, &answer, Some(&cookie)).await;
    assert_eq!(next["outcome"], "redirect");
    assert!(next["answer"]["parameters"]["code"].is_string());
    assert_eq!(authorize(&sql, &with(request(&app), json!({"max_age": "60"})), Some(&cookie)).await.0, "redirect");
    let silent = with(request(&app), json!({"prompt": "none", "max_age": "0"}));
    assert_eq!(
        authorize(&sql, &silent, Some(&cookie)).await,
        error_redirect(&db, &app, "login_required", "the sign-in is older than max_age")
    );
}

#[tokio::test]
async fn an_id_token_hint_asks_for_the_person_it_names() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, web_client(&db).await);
    let (alice, bob) = (user(&db, "alice").await, user(&db, "bob").await);
    let (of_alice, of_bob) = (session(&sql, &alice).await, session(&sql, &bob).await);
    let first = code(&sql, &request(&app), &of_alice).await;
    code(&sql, &request(&app), &of_bob).await;
    let (_, tokens) = crate::token::redeem(&sql, &app, &first).await;
    let asked = with(request(&app), json!({"id_token_hint": tokens["id_token"]}));

    assert_eq!(authorize(&sql, &asked, Some(&of_alice)).await.0, "redirect");
    assert_eq!(
        authorize(&sql, &with(asked.clone(), json!({"prompt": "none"})), Some(&of_bob)).await,
        error_redirect(&db, &app, "login_required", "another person is signed in")
    );
    let (outcome, answer) = authorize(&sql, &asked, Some(&of_bob)).await;
    assert_eq!(outcome, "sign_in");
    let (_, next) = sign_in(&sql, &bob, &answer, Some(&of_bob)).await;
    let (outcome, answer) = error_redirect(&db, &app, "login_required", "another person signed in");
    assert_eq!(next, json!({"outcome": outcome, "answer": answer}));
}

#[tokio::test]
async fn a_first_party_skips_consent_but_a_loopback_redirect_never_does() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let own = client(
        &db,
        json!({
            "first_party": true, "redirect_uris": ["https://own.example/cb", "http://127.0.0.1:4700/cb"],
            "grant_types": ["authorization_code", "refresh_token"]
        }),
    )
    .await;
    assert_eq!(authorize(&sql, &request(&own), Some(&cookie)).await.0, "redirect");
    let loopback = with(request(&own), json!({"redirect_uri": "http://127.0.0.1:4700/cb"}));
    let (outcome, consent) = authorize(&sql, &loopback, Some(&cookie)).await;
    assert_eq!(outcome, "consent");
    assert_eq!(decide(&sql, &consent, &cookie, "allow").await.0, "redirect");
    assert_eq!(authorize(&sql, &loopback, Some(&cookie)).await.0, "consent", "every time");
    let (_, answer) = authorize(&sql, &with(loopback, json!({"prompt": "none"})), Some(&cookie)).await;
    assert_eq!(answer["parameters"]["error"], "consent_required");
}

#[tokio::test]
async fn offline_access_needs_somebody_who_allowed_it() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let refreshing = json!({
        "redirect_uris": ["https://a.example/cb"], "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "client_secret_basic"
    });
    let scope_and_refresh = async |app: &Client, scope: &str| {
        let code = code(&sql, &with(request(app), json!({"scope": scope})), &cookie).await;
        let (outcome, answer) = crate::token::redeem(&sql, app, &code).await;
        assert_eq!(outcome, "ok");
        (answer["scope"].as_str().unwrap().to_string(), answer["refresh_token"].is_string())
    };
    let offline = "openid offline_access";

    let app = client(&db, refreshing.clone()).await;
    assert_eq!(scope_and_refresh(&app, offline).await, (offline.into(), true), "allowed on the page");
    assert_eq!(scope_and_refresh(&app, offline).await, (offline.into(), true), "allowed before");
    assert_eq!(scope_and_refresh(&app, "openid").await, ("openid".into(), false), "not asked for");
    assert_eq!(scope_and_refresh(&app, "profile").await, ("profile".into(), true), "plain OAuth");

    let without = client(&db, json!({"redirect_uris": ["https://a.example/cb"]})).await;
    assert_eq!(scope_and_refresh(&without, offline).await, ("openid".into(), false), "may not refresh");

    let mut own = refreshing.clone();
    own["first_party"] = json!(true);
    let own = client(&db, own).await;
    assert_eq!(scope_and_refresh(&own, offline).await, ("openid".into(), false), "nobody was asked");

    let mut always = refreshing;
    always["refresh_token"] = json!("always");
    let always = client(&db, always).await;
    assert_eq!(scope_and_refresh(&always, "openid").await, ("openid".into(), true), "the client's setting");
}

#[tokio::test]
async fn a_resource_is_one_with_and_without_slash_and_keeps_foreign_scopes_out() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let admin = db.admin().await;
    admin
        .batch_execute(
            "select identity.scope_create('notes', 'Read notes'), identity.scope_create('mail', 'Read mail');
             select identity.resource_create('https://Notes.example:443/api/', 'Notes', '{notes}'),
               identity.resource_create('https://mail.example', 'Mail', '{mail}')",
        )
        .await
        .unwrap();
    let app = client(&db, json!({"redirect_uris": ["https://a.example/cb"]})).await;
    let cookie = session(&sql, &alice).await;
    let asked = with(
        request(&app),
        json!({"scope": "notes mail", "resource": ["https://notes.example/api", "https://NOTES.example/api/"]}),
    );
    let first = code(&sql, &asked, &cookie).await;
    let (_, answer) = crate::token::redeem(&sql, &app, &first).await;
    let claims = Tokens::claims(answer["access_token"].as_str().unwrap());
    assert_eq!((&claims["aud"], &claims["scope"]), (&json!("https://notes.example/api"), &json!("notes")));
    assert_eq!(authorize(&sql, &asked, Some(&cookie)).await.0, "redirect", "remembered for this resource");
    let other = with(asked, json!({"resource": "https://mail.example/"}));
    assert_eq!(authorize(&sql, &other, Some(&cookie)).await.0, "consent", "and for no other");
}

#[tokio::test]
async fn the_consent_page_names_every_refresh_token() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let profile = json!({"name": "profile", "description": "See your name and profile"});
    let openid = json!({"name": "openid", "description": "Know that it is you"});
    let offline = json!({"name": "offline_access", "description": "Keep access while you are away"});
    let refreshing =
        json!({"redirect_uris": ["https://a.example/cb"], "grant_types": ["authorization_code", "refresh_token"]});
    let mut always = refreshing.clone();
    always["refresh_token"] = json!("always");
    let plain = client(&db, json!({"redirect_uris": ["https://a.example/cb"]})).await;
    let (refreshing, always) = (client(&db, refreshing).await, client(&db, always).await);
    for (app, scope, shown) in [
        (&refreshing, "profile", json!([profile, offline])),
        (&refreshing, "openid", json!([openid])),
        (&refreshing, "offline_access openid", json!([openid, offline])),
        (&always, "openid", json!([openid, offline])),
        (&plain, "profile", json!([profile])),
    ] {
        let (outcome, consent) = authorize(&sql, &with(request(app), json!({"scope": scope})), Some(&cookie)).await;
        assert_eq!(outcome, "consent");
        let (_, page) = call(&sql, "consent_page", &[&consent["resume"].as_str(), &cookie, &"browser"]).await;
        assert_eq!(page["scopes"], shown, "{scope}");
    }
    // And it is remembered with the rest.
    let asked = with(request(&refreshing), json!({"scope": "profile"}));
    code(&sql, &asked, &cookie).await;
    assert_eq!(authorize(&sql, &asked, Some(&cookie)).await.0, "redirect");
}

/// RFC 6749 §3.3: a pre-defined default value, or an error that says what is missing.
#[tokio::test]
async fn a_request_without_scope_asks_for_what_the_client_or_else_the_resource_registered() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let resources = "select identity.scope_create('notes', 'Read notes');
         select identity.resource_create('https://notes.example', 'Notes', '{notes}'), identity.resource_create('https://bare.example', 'Bare')";
    db.admin().await.batch_execute(resources).await.unwrap();
    let uris = json!(["https://a.example/cb"]);
    let registered = client(&db, json!({"redirect_uris": uris, "scope": "openid profile email offline_access"})).await;
    let open = client(&db, json!({"redirect_uris": uris})).await;
    let notes = json!({"scope": null, "resource": "https://notes.example"});
    for (app, changes, scope) in [
        (&registered, json!({"scope": null}), "profile email"),
        (&registered, json!({"scope": ""}), "profile email"),
        (&open, notes, "notes"),
    ] {
        let code = code(&sql, &with(request(app), changes), &cookie).await;
        assert_eq!(crate::token::redeem(&sql, app, &code).await.1["scope"], scope);
    }
    for changes in [json!({"scope": null}), json!({"scope": null, "resource": "https://bare.example"})] {
        assert_eq!(
            authorize(&sql, &with(request(&open), changes), Some(&cookie)).await,
            error_redirect(
                &db,
                &open,
                "invalid_scope",
                "scope is missing, and neither the client nor the resource has a default"
            )
        );
    }
}
