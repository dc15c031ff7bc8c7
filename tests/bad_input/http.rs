//! Every endpoint with every parameter in turn absent, empty, given twice, 1 MB long, not UTF-8, with U+0000, with a line break,
//! and of the wrong kind: the status, and the error, the page or the way on. What is refused leaves every row as it was.

use super::mangled::Endpoint;
use super::stage::{Stage, stranger};
use crate::support::Flow;

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
        ("resource", &stage.gateway.issuer),
    ];
    let table = &[
        ("client_id", ["401 invalid_client", "400 invalid_request", "401 invalid_client", "401 invalid_client"]),
        ("client_secret", ["401 invalid_client", "400 invalid_request", "401 invalid_client", "401 invalid_client"]),
        ("resource", ["200", "200", "400 invalid_target", "400 invalid_target"]),
    ];
    stage.assert_table(&stranger("POST", "/token", &fields), table).await;
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
    ];
    stage.assert_table(&stranger("GET", "/authorize", &fields), table).await;
    // Whatever another site posts comes back as a GET, where it is looked at.
    fields.truncate(5);
    let table = &[
        ("client_id", ["303 /authorize", "303 /authorize", "303 /authorize", "303 /authorize"]),
        ("redirect_uri", ["303 /authorize", "303 /authorize", "303 /authorize", "303 /authorize"]),
        ("state", ["303 /authorize", "303 /authorize", "303 /authorize", "303 /authorize"]),
    ];
    stage.assert_table(&stranger("POST", "/authorize", &fields), table).await;
}

#[tokio::test]
async fn a_mangled_form_of_a_sign_in_does_nothing() {
    let stage = Stage::new().await;
    let asked = Flow::new(&stage.gateway, &stage.app).open().await;
    let resume = asked.form("sign-in").fields.into_iter().find(|(name, _)| name == "resume").unwrap().1;
    let table = &[("resume", ["200 sign-in", "400 invalid_request", "400 invalid_request", "400 invalid_request"])];
    stage.assert_table(&stranger("GET", "/login", &[("resume", &resume)]), table).await;
    let login = stage.flow.browser.get(stage.gateway.url("/login")).await;
    let table = &[
        ("csrf", ["403 invalid_request", "400 invalid_request", "403 invalid_request", "403 invalid_request"]),
        ("username", ["422 sign-in", "400 invalid_request", "422 sign-in", "422 sign-in"]),
        ("password", ["422 sign-in", "400 invalid_request", "422 sign-in", "422 sign-in"]),
    ];
    let form = stage.form(&login, "sign-in", "/login", &[("username", "alice"), ("password", "wrong")]);
    stage.assert_table(&form, table).await;
}

#[tokio::test]
async fn a_mangled_consent_allows_nothing() {
    let stage = Stage::new().await;
    let flow = Flow::new(&stage.gateway, &stage.app).with("prompt", "consent");
    let page = stage.flow.browser.open(flow.url()).await;
    let form = stage.form(&page, "allow", "/consent", &[("deny", "no")]);
    let table = &[
        ("csrf", ["403 invalid_request", "400 invalid_request", "303 /consent", "403 invalid_request"]),
        ("resume", ["400 invalid_request", "400 invalid_request", "400 invalid_request", "400 invalid_request"]),
    ];
    stage.assert_table(&form, table).await;
    let resume = form.fields.iter().find(|(name, _)| *name == "resume").unwrap().1.clone();
    let table =
        &[("resume", ["400 invalid_request", "400 invalid_request", "400 invalid_request", "400 invalid_request"])];
    let shown = Endpoint { method: "GET", path: "/consent", headers: form.headers, fields: vec![("resume", resume)] };
    stage.assert_table(&shown, table).await;
}

#[tokio::test]
async fn a_mangled_logout_signs_nobody_out() {
    let stage = Stage::new().await;
    let fields = [
        ("id_token_hint", stage.tokens.id()),
        ("client_id", &stage.app.id),
        ("post_logout_redirect_uri", "https://notes.example/"),
        ("state", "s"),
        ("logout_hint", "alice"),
        ("ui_locales", "en"),
    ];
    // Nobody is signed in where this comes from.
    let table = &[
        ("id_token_hint", ["303 client", "400 invalid_request", "400 invalid_request", "400 invalid_request"]),
        ("client_id", ["303 client", "400 invalid_request", "400 invalid_request", "400 invalid_request"]),
        (
            "post_logout_redirect_uri",
            ["200 logged-out", "400 invalid_request", "400 invalid_request", "400 invalid_request"],
        ),
        ("state", ["303 client", "400 invalid_request", "303 client", "303 client"]),
        ("logout_hint", ["303 client", "400 invalid_request", "303 client", "303 client"]),
        ("ui_locales", ["303 client", "400 invalid_request", "303 client", "303 client"]),
    ];
    stage.assert_table(&stranger("GET", "/logout", &fields), table).await;
    let table = &[
        ("id_token_hint", ["303 /logout", "303 /logout", "303 /logout", "303 /logout"]),
        ("client_id", ["303 /logout", "303 /logout", "303 /logout", "303 /logout"]),
        ("state", ["303 /logout", "303 /logout", "303 /logout", "303 /logout"]),
    ];
    stage.assert_table(&stranger("POST", "/logout", &fields), table).await;
    let page = stage.flow.browser.get(stage.gateway.url("/logout")).await;
    let table = &[
        ("csrf", ["403 invalid_request", "400 invalid_request", "403 invalid_request", "403 invalid_request"]),
        ("resume", ["400 invalid_request", "400 invalid_request", "400 invalid_request", "400 invalid_request"]),
    ];
    stage.assert_table(&stage.form(&page, "logout-yes", "/logout/confirm", &[("logout-yes", "yes")]), table).await;
}

#[tokio::test]
async fn a_mangled_form_of_the_home_page_ends_nothing() {
    let stage = Stage::new().await;
    let home = stage.flow.browser.get(stage.gateway.url("/")).await;
    let nobody = "00000000-0000-0000-0000-000000000000";
    let table = &[
        ("csrf", ["403 invalid_request", "400 invalid_request", "403 invalid_request", "403 invalid_request"]),
        ("session_id", ["303 /", "400 invalid_request", "303 /", "303 /"]),
    ];
    stage.assert_table(&stage.form(&home, "change-password", "/sessions/end", &[("session_id", nobody)]), table).await;
    let table =
        &[("csrf", ["403 invalid_request", "400 invalid_request", "403 invalid_request", "403 invalid_request"])];
    stage.assert_table(&stage.form(&home, "change-password", "/sessions/end-others", &[]), table).await;
    let table = &[
        ("csrf", ["403 invalid_request", "400 invalid_request", "403 invalid_request", "403 invalid_request"]),
        ("client_id", ["303 /", "400 invalid_request", "303 /", "303 /"]),
    ];
    stage
        .assert_table(
            &stage.form(&home, "change-password", "/applications/withdraw", &[("client_id", "nobody")]),
            table,
        )
        .await;
    let table = &[
        ("csrf", ["403 invalid_request", "400 invalid_request", "403 invalid_request", "403 invalid_request"]),
        ("old_password", ["422 change-password", "400 invalid_request", "422 change-password", "422 change-password"]),
        ("new_password", ["422 change-password", "400 invalid_request", "422 change-password", "422 change-password"]),
        (
            "new_password_again",
            ["422 change-password", "400 invalid_request", "422 change-password", "422 change-password"],
        ),
    ];
    let fields = [("old_password", "wrong"), ("new_password", "short"), ("new_password_again", "short")];
    stage.assert_table(&stage.form(&home, "change-password", "/password", &fields), table).await;
}
