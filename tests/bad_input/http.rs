//! Every endpoint with every parameter in turn absent, empty, given twice, 1 MB and 100 kB long, JSON 10,000 deep, not UTF-8, with U+0000, with a line break,
//! and of the wrong kind: the status, and the error, the page or the way on. What is refused leaves every row as it was.

use super::stage::{REQUEST_URI, Stage, stranger};

#[tokio::test]
async fn a_mangled_token_request_is_refused() {
    let stage = Stage::new().await;
    let code = stage.flow.open().await.location_parameter("code").unwrap();
    let redirect_uri = stage.app.redirect_uri();
    let verifier = stage.flow.code_verifier.as_str();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    ];
    let table = &[
        (
            "grant_type",
            ["400 invalid_request", "400 invalid_request", "400 unsupported_grant_type", "400 unsupported_grant_type"],
        ),
        ("code", ["400 invalid_request", "400 invalid_request", "400 invalid_grant", "400 invalid_grant"]),
        ("redirect_uri", ["400 invalid_grant", "400 invalid_request", "400 invalid_grant", "400 invalid_grant"]),
        ("code_verifier", ["400 invalid_grant", "400 invalid_request", "400 invalid_grant", "400 invalid_grant"]),
    ];
    stage.assert_table(&stage.client("/token", &fields), table).await;

    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", stage.tokens.refresh()),
        ("scope", "openid"),
        ("resource", &stage.gateway.issuer),
    ];
    let table = &[
        ("refresh_token", ["400 invalid_request", "400 invalid_request", "400 invalid_grant", "400 invalid_grant"]),
        ("scope", ["200", "400 invalid_request", "400 invalid_scope", "400 invalid_scope"]),
        ("resource", ["200", "200", "400 invalid_target", "400 invalid_target"]),
    ];
    stage.assert_table(&stage.client("/token", &fields), table).await;

    let secret = stage.app.secret.as_deref().unwrap();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", &stage.app.id),
        ("client_secret", secret),
        ("scope", ""),
        ("resource", &stage.gateway.issuer),
    ];
    let table = &[
        ("scope", ["200", "400 invalid_request", "400 invalid_scope", "400 invalid_scope"]),
        ("client_id", ["401 invalid_client", "400 invalid_request", "401 invalid_client", "401 invalid_client"]),
        ("client_secret", ["401 invalid_client", "400 invalid_request", "401 invalid_client", "401 invalid_client"]),
        ("resource", ["200", "200", "400 invalid_target", "400 invalid_target"]),
    ];
    stage.assert_table(&stranger("POST", "/token", &fields), table).await;
}

/// RFC 7521 §4.2: an assertion and its type, at every endpoint of clients; and the same for credentials in a body.
#[tokio::test]
async fn mangled_credentials_prove_nothing() {
    let stage = Stage::new().await;
    let secret = stage.app.secret.as_deref().unwrap();
    for (path, name, value) in
        [("/token", "grant_type", "client_credentials"), ("/introspect", "token", "x"), ("/revoke", "token", "x")]
    {
        let fields = [
            (name, value),
            ("client_assertion", "e30.e30.x"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_id", &stage.app.id),
        ];
        let wrong = "400 invalid_request";
        let table = &[
            ("client_assertion", [wrong, wrong, "401 invalid_client", "401 invalid_client"]),
            ("client_assertion_type", [wrong, wrong, wrong, wrong]),
            ("client_id", ["401 invalid_client", wrong, "401 invalid_client", "401 invalid_client"]),
        ];
        stage.assert_table(&stranger("POST", path, &fields), table).await;
        let fields = [(name, value), ("client_id", &stage.app.id), ("client_secret", secret)];
        let table = &[
            ("client_id", ["401 invalid_client", wrong, "401 invalid_client", "401 invalid_client"]),
            ("client_secret", ["401 invalid_client", wrong, "401 invalid_client", "401 invalid_client"]),
        ];
        stage.assert_table(&stranger("POST", path, &fields), table).await;
    }
}

#[tokio::test]
async fn a_mangled_token_is_worth_nothing() {
    let stage = Stage::new().await;
    let fields = [("token", stage.tokens.access()), ("token_type_hint", "access_token")];
    let table = &[
        ("token", ["200", "400 invalid_request", "200", "200"]),
        ("token_type_hint", ["200", "400 invalid_request", "200", "200"]),
    ];
    stage.assert_table(&stage.client("/introspect", &fields), table).await;
    let table =
        &[("access_token", ["401 invalid_token", "400 invalid_request", "401 invalid_token", "401 invalid_token"])];
    stage.assert_table(&stranger("POST", "/userinfo", &[("access_token", stage.tokens.access())]), table).await;
    let table = &[
        ("token", ["400 invalid_request", "400 invalid_request", "200", "200"]),
        ("token_type_hint", ["200", "400 invalid_request", "200", "200"]),
    ];
    stage.assert_table(&stage.client("/revoke", &fields), table).await;
}

#[tokio::test]
async fn a_mangled_authorization_request_never_gets_a_page_or_a_code() {
    let stage = Stage::new().await;
    let mut fields: Vec<(&'static str, &str)> = vec![
        ("client_id", &stage.app.id),
        ("redirect_uri", stage.app.redirect_uri()),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", "s"),
        ("nonce", "n"),
        ("code_challenge", crate::authorize::CHALLENGE),
        ("code_challenge_method", "S256"),
        ("response_mode", "query"),
        ("prompt", "consent"),
        ("max_age", "60"),
        ("login_hint", "alice"),
        ("resource", &stage.gateway.issuer),
        ("id_token_hint", stage.tokens.id()),
        ("ui_locales", "en"),
        ("claims", "{}"),
        ("acr_values", "1"),
        ("display", "page"),
        ("claims_locales", "en"),
    ];
    let table = &[
        ("client_id", ["400 invalid_request", "400 invalid_request", "400 invalid_client", "400 invalid_client"]),
        ("redirect_uri", ["400 invalid_request", "400 invalid_request", "400 invalid_request", "400 invalid_request"]),
        (
            "response_type",
            [
                "303 client invalid_request",
                "303 client invalid_request",
                "303 client unsupported_response_type",
                "303 client unsupported_response_type",
            ],
        ),
        (
            "scope",
            [
                "303 client invalid_scope",
                "303 client invalid_request",
                "303 client invalid_scope",
                "303 client invalid_scope",
            ],
        ),
        ("state", ["303 /login", "303 client invalid_request", "303 /login", "303 /login"]),
        ("nonce", ["303 /login", "303 client invalid_request", "303 /login", "303 /login"]),
        (
            "code_challenge",
            [
                "303 client invalid_request",
                "303 client invalid_request",
                "303 client invalid_request",
                "303 client invalid_request",
            ],
        ),
        (
            "code_challenge_method",
            [
                "303 client invalid_request",
                "303 client invalid_request",
                "303 client invalid_request",
                "303 client invalid_request",
            ],
        ),
        (
            "response_mode",
            ["303 /login", "303 client invalid_request", "303 client invalid_request", "303 client invalid_request"],
        ),
        (
            "prompt",
            ["303 /login", "303 client invalid_request", "303 client invalid_request", "303 client invalid_request"],
        ),
        (
            "max_age",
            ["303 /login", "303 client invalid_request", "303 client invalid_request", "303 client invalid_request"],
        ),
        ("login_hint", ["303 /login", "303 client invalid_request", "303 /login", "303 /login"]),
        ("resource", ["303 /login", "303 /login", "303 client invalid_target", "303 client invalid_target"]),
        (
            "id_token_hint",
            ["303 /login", "303 client invalid_request", "303 client invalid_request", "303 client invalid_request"],
        ),
        ("ui_locales", ["303 /login", "303 client invalid_request", "303 /login", "303 /login"]),
        (
            "claims",
            ["303 /login", "303 client invalid_request", "303 client invalid_request", "303 client invalid_request"],
        ),
        ("acr_values", ["303 /login", "303 client invalid_request", "303 /login", "303 /login"]),
        ("display", ["303 /login", "303 client invalid_request", "303 /login", "303 /login"]),
        ("claims_locales", ["303 /login", "303 client invalid_request", "303 /login", "303 /login"]),
    ];
    stage.assert_table(&stranger("GET", "/authorize", &fields), table).await;
    let mut with_object = fields.clone();
    // {"alg":"none"}.{}
    with_object.push(("request", "eyJhbGciOiJub25lIn0.e30."));
    let object = "303 client invalid_request_object";
    let table = &[("request", ["303 /login", "303 client invalid_request", object, object])];
    stage.assert_table(&stranger("GET", "/authorize", &with_object), table).await;
    let mut by_reference = fields.clone();
    by_reference.push(("request_uri", REQUEST_URI));
    let elsewhere = "303 client invalid_request_uri";
    let table = &[("request_uri", ["303 /login", "303 client invalid_request", elsewhere, elsewhere])];
    stage.assert_table(&stranger("GET", "/authorize", &by_reference), table).await;
    let mut with_registration = fields.clone();
    with_registration.push(("registration", "{}"));
    let unsupported = "303 client registration_not_supported";
    let table = &[("registration", ["303 /login", "303 client invalid_request", unsupported, unsupported])];
    stage.assert_table(&stranger("GET", "/authorize", &with_registration), table).await;
    // What is sealed comes alone.
    let wrong = "400 invalid_request";
    let table = &[("resume", [wrong, wrong, wrong, wrong])];
    stage.assert_table(&stranger("GET", "/authorize", &[("resume", "x")]), table).await;
    // Whatever another site posts comes back as a GET, where it is looked at.
    fields.truncate(5);
    let table = &[
        ("client_id", ["303 /authorize", "303 /authorize", "303 /authorize", "303 /authorize"]),
        ("redirect_uri", ["303 /authorize", "303 /authorize", "303 /authorize", "303 /authorize"]),
        ("state", ["303 /authorize", "303 /authorize", "303 /authorize", "303 /authorize"]),
    ];
    stage.assert_table(&stranger("POST", "/authorize", &fields), table).await;
}
