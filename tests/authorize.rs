//! The authorization endpoint as the gateway's role sees it (sql/store/functions/authorization*.sql, consent.sql).
//! What it is called with is what a browser would send; nothing here knows a user id.

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

use crate::support::{Client, Database, Tokens, User, client, public_client, user, web_client};

/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub type Sql = tokio_postgres::Client;
pub type Answer = (String, Value);

/// Outcome and answer of a protocol function.
pub async fn call(sql: &Sql, function: &str, arguments: &[&(dyn ToSql + Sync)]) -> Answer {
    let places: Vec<String> = (1..=arguments.len()).map(|n| format!("${n}")).collect();
    let query = format!("select outcome, answer from identity.{function}({})", places.join(", "));
    let row = sql.query_one(&query, arguments).await.unwrap();
    (row.get(0), row.get(1))
}

/// A request with everything, in the form the gateway hands over.
pub fn request(client: &Client) -> Value {
    json!({
        "client_id": [client.id], "redirect_uri": [client.redirect_uri()], "response_type": ["code"],
        "scope": ["openid profile"], "state": ["s t&a=te"], "nonce": ["n"],
        "code_challenge": [CHALLENGE], "code_challenge_method": ["S256"],
    })
}

/// The request with some parameters replaced; null removes one.
pub fn with(mut request: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(request.as_object_mut().unwrap().remove(name)),
            Value::String(text) => request[name] = json!([text]),
            other => request[name] = other.clone(),
        }
    }
    request
}

pub async fn authorize(sql: &Sql, request: &Value, session: Option<&str>) -> Answer {
    call(sql, "authorization_request", &[request, &session, &"browser"]).await
}

/// Signs in without a request: the session cookie.
pub async fn session(sql: &Sql, user: &User) -> String {
    let (outcome, answer) = call(
        sql,
        "sign_in",
        &[
            &None::<&str>,
            &"browser",
            &user.username,
            &user.password,
            &"192.0.2.1",
            &"Firefox",
            &None::<&str>,
            &None::<&str>,
        ],
    )
    .await;
    assert_eq!(outcome, "signed_in");
    answer["session_cookie"].as_str().unwrap().into()
}

/// Signs in where the request asks for it: the session cookie and what comes next.
async fn sign_in(sql: &Sql, user: &User, resume: &Value, session: Option<&str>) -> (String, Value) {
    let resume = resume["resume"].as_str().unwrap();
    let (outcome, answer) = call(
        sql,
        "sign_in",
        &[&resume, &"browser", &user.username, &user.password, &"192.0.2.1", &"Firefox", &None::<&str>, &session],
    )
    .await;
    assert_eq!(outcome, "signed_in");
    (answer["session_cookie"].as_str().unwrap().into(), answer["next"].clone())
}

pub async fn decide(sql: &Sql, consent: &Value, session: &str, decision: &str) -> Answer {
    let resume = consent["resume"].as_str().unwrap();
    call(sql, "consent_decide", &[&resume, &session, &"browser", &decision]).await
}

/// The code for a request of a signed-in person, who allows what is asked.
pub async fn code(sql: &Sql, request: &Value, session: &str) -> String {
    let (mut outcome, mut answer) = authorize(sql, request, Some(session)).await;
    if outcome == "consent" {
        (outcome, answer) = decide(sql, &answer, session, "allow").await;
    }
    assert_eq!(outcome, "redirect", "{answer}");
    answer["parameters"]["code"].as_str().unwrap_or_else(|| panic!("no code: {answer}")).into()
}

fn error_redirect(db: &Database, client: &Client, error: &str, description: &str) -> Answer {
    let answer = json!({
        "redirect_uri": client.redirect_uri(), "response_mode": "query",
        "parameters": {"error": error, "error_description": description, "state": "s t&a=te", "iss": db.issuer}
    });
    ("redirect".into(), answer)
}

#[tokio::test]
async fn a_request_without_a_good_client_and_redirect_uri_is_never_redirected() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, web_client(&db).await);
    let unregistered = "redirect_uri is not registered for this client";
    for (change, error, description) in [
        (json!({"client_id": null}), "invalid_request", "client_id is missing"),
        (json!({"client_id": ""}), "invalid_request", "client_id is missing"),
        (json!({"client_id": [app.id, app.id]}), "invalid_request", "client_id is missing"),
        (json!({"client_id": "nobody"}), "invalid_client", "unknown client"),
        (json!({"redirect_uri": null}), "invalid_request", "redirect_uri is missing"),
        (json!({"redirect_uri": "https://notes.example/callback/"}), "invalid_request", unregistered),
        (json!({"redirect_uri": "https://notes.example/callback?x=1"}), "invalid_request", unregistered),
        (json!({"redirect_uri": "https://NOTES.example/callback"}), "invalid_request", unregistered),
        (json!({"redirect_uri": "https://evil.example/callback"}), "invalid_request", unregistered),
        (json!({"redirect_uri": "javascript:alert(1)"}), "invalid_request", unregistered),
    ] {
        assert_eq!(
            authorize(&sql, &with(request(&app), change.clone()), None).await,
            ("error_page".into(), json!({"error": error, "error_description": description})),
            "{change}"
        );
    }
}

#[tokio::test]
async fn every_other_mistake_is_told_to_the_client_with_state_and_iss() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, public_client(&db).await);
    let twice = |name: &str| format!("{name} is given more than once");
    let s256 = "code_challenge_method must be S256";
    let prompts = "prompt must be made of none, login, consent, select_account";
    for (change, error, description) in [
        (json!({"scope": ["openid", "openid"]}), "invalid_request", twice("scope")),
        (json!({"request": "x"}), "request_not_supported", "request is not supported".into()),
        (
            json!({"request_uri": "https://a.example"}),
            "request_uri_not_supported",
            "request_uri is not supported".into(),
        ),
        (json!({"registration": "{}"}), "registration_not_supported", "registration is not supported".into()),
        (json!({"response_type": null}), "invalid_request", "response_type is missing".into()),
        (json!({"response_type": ""}), "invalid_request", "response_type is missing".into()),
        (json!({"response_type": "token"}), "unsupported_response_type", "response_type must be code".into()),
        (json!({"response_mode": "form_post"}), "invalid_request", "response_mode must be query".into()),
        (
            json!({"code_challenge": null, "code_challenge_method": null}),
            "invalid_request",
            "code_challenge is missing: PKCE is required".into(),
        ),
        (json!({"code_challenge_method": null}), "invalid_request", s256.into()),
        (json!({"code_challenge_method": "plain"}), "invalid_request", s256.into()),
        (json!({"code_challenge": "short"}), "invalid_request", "code_challenge is malformed".into()),
        (json!({"resource": "https://unknown.example"}), "invalid_target", "resource is unknown or malformed".into()),
        (json!({"resource": ["/relative"]}), "invalid_target", "resource is unknown or malformed".into()),
        (json!({"prompt": "create"}), "invalid_request", prompts.into()),
        (json!({"prompt": "none login"}), "invalid_request", "prompt none cannot stand with another value".into()),
        (json!({"max_age": "soon"}), "invalid_request", "max_age must be a number of seconds".into()),
        (json!({"max_age": "-1"}), "invalid_request", "max_age must be a number of seconds".into()),
        (
            json!({"id_token_hint": "e.y.J"}),
            "invalid_request",
            "id_token_hint is not an ID token of this issuer".into(),
        ),
        (json!({"login_hint": "x".repeat(4400)}), "invalid_request", "the request is too large".into()),
        (json!({"prompt": "none"}), "login_required", "the person is not signed in".into()),
    ] {
        assert_eq!(
            authorize(&sql, &with(request(&app), change.clone()), None).await,
            error_redirect(&db, &app, error, &description),
            "{change}"
        );
    }
    // A confidential client need not use PKCE, but may not do half of it.
    let web = web_client(&db).await;
    assert_eq!(
        authorize(&sql, &with(request(&web), json!({"code_challenge": null})), None).await,
        error_redirect(&db, &web, "invalid_request", "code_challenge_method is given without code_challenge")
    );
    // state given twice is no state to send back.
    let (outcome, answer) = authorize(&sql, &with(request(&app), json!({"state": ["a", "b"]})), None).await;
    assert_eq!(outcome, "redirect");
    assert_eq!(
        answer["parameters"],
        json!({"error": "invalid_request", "error_description": "state is given more than once", "iss": db.issuer})
    );
    let service =
        client(&db, json!({"grant_types": ["client_credentials"], "redirect_uris": ["https://a.example/"]})).await;
    assert_eq!(
        authorize(&sql, &request(&service), None).await,
        error_redirect(&db, &service, "unauthorized_client", "the client is not registered for response_type code")
    );
}

#[tokio::test]
async fn a_native_client_may_use_any_loopback_port_and_nothing_but_the_port() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, public_client(&db).await);
    for (uri, good) in [
        ("http://127.0.0.1:4711/callback", true),
        ("http://127.0.0.1:50123/callback", true),
        ("http://127.0.0.1/callback", true),
        ("http://127.0.0.1:50123/other", false),
        ("http://localhost:50123/callback", false),
        ("https://127.0.0.1:50123/callback", false),
        ("http://127.0.0.1:50123@evil.example/callback", false),
        ("http://127.0.0.1.evil.example/callback", false),
    ] {
        let (outcome, _) = authorize(&sql, &with(request(&app), json!({"redirect_uri": uri})), None).await;
        assert_eq!(outcome, if good { "sign_in" } else { "error_page" }, "{uri}");
    }
    let web = client(&db, json!({"redirect_uris": ["http://127.0.0.1:4700/cb"]})).await;
    let (outcome, _) =
        authorize(&sql, &with(request(&web), json!({"redirect_uri": "http://127.0.0.1:4701/cb"})), None).await;
    assert_eq!(outcome, "error_page", "the port of a web client is part of its redirect_uri");
}

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

#[tokio::test]
async fn prompt_login_and_max_age_are_met_by_a_proof_that_came_after_the_request() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    code(&sql, &request(&app), &cookie).await;
    for change in [json!({"prompt": "login"}), json!({"prompt": "select_account"}), json!({"max_age": "0"})] {
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
    assert_eq!(scope_and_refresh(&app, "").await, (String::new(), true), "plain OAuth");

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
async fn an_unauthenticated_request_writes_nothing() {
    let db = Database::new().await;
    let (sql, app) = (db.gateway_role().await, web_client(&db).await);
    // Read only: what tries to write fails.
    sql.batch_execute("set default_transaction_read_only = on").await.unwrap();
    assert_eq!(authorize(&sql, &request(&app), None).await.0, "sign_in");
    assert_eq!(authorize(&sql, &with(request(&app), json!({"prompt": "none"})), None).await.0, "redirect");
    assert_eq!(
        authorize(&sql, &with(request(&app), json!({"client_id": "x"})), Some("ids_forged")).await.0,
        "error_page"
    );
    assert_eq!(call(&sql, "authorization_defer", &[&request(&app)]).await.0, "deferred");
    assert_eq!(
        call(
            &sql,
            "token_authorization_code",
            &[&app.id, &"secret_wrong", &"client_secret_basic", &"code_x", &"", &"", &Vec::<String>::new()]
        )
        .await
        .0,
        "invalid_client"
    );
}
