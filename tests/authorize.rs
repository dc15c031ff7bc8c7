//! The authorization endpoint as the gateway's role sees it (sql/store/functions/authorization*.sql, resume.sql): which
//! requests are refused, and what a sealed one is worth. Who is asked and what is granted: authorize_person.rs.
//! What it is called with is what a browser would send; nothing here knows a user id.

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

use crate::session_state::assert_form;
use crate::support::{Client, Database, User, client, public_client, web_client};

/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub type Sql = tokio_postgres::Client;
pub type Answer = (String, Value);

/// Outcome and answer of a protocol function; without session_state, which differs each time (session_state.rs).
pub async fn call(sql: &Sql, function: &str, arguments: &[&(dyn ToSql + Sync)]) -> Answer {
    let places: Vec<String> = (1..=arguments.len()).map(|n| format!("${n}")).collect();
    let query = format!("select outcome, answer from identity.{function}({})", places.join(", "));
    let row = sql.query_one(&query, arguments).await.unwrap();
    let mut answer: Value = row.get(1);
    for members in ["/parameters", "/next/answer/parameters"] {
        let members = answer.pointer_mut(members).and_then(Value::as_object_mut);
        if let Some(state) = members.and_then(|members| members.remove("session_state")) {
            assert_form(state.as_str().unwrap());
        }
    }
    (row.get(0), answer)
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
pub async fn sign_in(sql: &Sql, user: &User, resume: &Value, session: Option<&str>) -> (String, Value) {
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

pub fn error_redirect(db: &Database, client: &Client, error: &str, description: &str) -> Answer {
    let mut answer = json!({
        "redirect_uri": client.redirect_uri(), "response_mode": "query",
        "parameters": {"error": error, "error_description": description, "state": "s t&a=te", "iss": db.issuer}
    });
    // For the gateway: the session of the cookie is over.
    if description == "the person is not signed in" {
        answer["signed_out"] = json!(true);
    }
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
        (json!({"client_id": [app.id, app.id]}), "invalid_request", "client_id is given more than once"),
        (
            json!({"client_id": [app.id, app.id], "acr_values": ["a", "b"]}),
            "invalid_request",
            "client_id is given more than once",
        ),
        (
            json!({"redirect_uri": [app.redirect_uri(), app.redirect_uri()]}),
            "invalid_request",
            "redirect_uri is given more than once",
        ),
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
        (json!({"request": "x"}), "invalid_request_object", "the request object is invalid".into()),
        (
            json!({"request_uri": "https://a.example"}),
            "invalid_request_uri",
            "request_uri is not registered for this client".into(),
        ),
        (json!({"registration": "{}"}), "registration_not_supported", "registration is not supported".into()),
        (json!({"response_type": null}), "invalid_request", "response_type is missing".into()),
        (json!({"response_type": ""}), "invalid_request", "response_type is missing".into()),
        (json!({"response_type": "codes"}), "unsupported_response_type", "response_type is not supported".into()),
        (json!({"response_mode": "jwt"}), "invalid_request", "response_mode must be query, fragment, form_post".into()),
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
        (json!({"scope": "unheard-of"}), "invalid_scope", "scope names nothing that this client may ask for".into()),
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
