//! The pages and their forms with every parameter in turn mangled, as http.rs does with what clients send.

use super::mangled::Endpoint;
use super::stage::{Stage, stranger};
use crate::support::Flow;

#[tokio::test]
async fn a_mangled_form_of_a_sign_in_does_nothing() {
    let stage = Stage::new().await;
    let asked = Flow::new(&stage.gateway, &stage.app).open().await;
    let resume = asked.form("sign-in").fields.into_iter().find(|(name, _)| name == "resume").unwrap().1;
    let table = &[("resume", ["200 sign-in", "400 invalid_request", "400 invalid_request", "400 invalid_request"])];
    stage.assert_table(&stranger("GET", "/login", &[("resume", &resume)]), table).await;
    let table = &[
        // Only looked at where no cookie may be set yet.
        ("again", ["200 sign-in", "200 sign-in", "200 sign-in", "200 sign-in"]),
        ("other-account", ["200 sign-in", "400 invalid_request", "200 sign-in", "200 sign-in"]),
    ];
    stage.assert_table(&stranger("GET", "/login", &[("again", "1"), ("other-account", "yes")]), table).await;
    let login = stage.flow.browser.get(stage.gateway.url("/login")).await;
    let table = &[
        ("csrf", ["403 invalid_request", "400 invalid_request", "403 invalid_request", "403 invalid_request"]),
        ("username", ["422 sign-in", "400 invalid_request", "422 sign-in", "422 sign-in"]),
        ("password", ["422 sign-in", "400 invalid_request", "422 sign-in", "422 sign-in"]),
    ];
    let wrong = [("username", "alice"), ("password", "wrong")];
    stage.assert_table(&stage.form(&login, "sign-in", "/login", &wrong), table).await;
    // Without a request somebody just signs in.
    let asked = stage.flow.browser.open(Flow::new(&stage.gateway, &stage.app).with("prompt", "login").url()).await;
    let table = &[("resume", ["422 sign-in", "400 invalid_request", "400 invalid_request", "400 invalid_request"])];
    stage.assert_table(&stage.form(&asked, "sign-in", "/login", &wrong), table).await;
}

#[tokio::test]
async fn a_mangled_choice_of_an_account_goes_nowhere() {
    let stage = Stage::new().await;
    let flow = Flow::new(&stage.gateway, &stage.app).with("prompt", "select_account");
    let page = stage.flow.browser.open(flow.url()).await;
    let form = stage.form(&page, "account-1", "/select-account", &[("other-account", "yes")]);
    let wrong = "400 invalid_request";
    let table = &[
        ("csrf", ["403 invalid_request", wrong, "303 /select-account", "403 invalid_request"]),
        ("resume", [wrong, wrong, wrong, wrong]),
    ];
    stage.assert_table(&form, table).await;
    let resume = form.fields.iter().find(|(name, _)| *name == "resume").unwrap().1.clone();
    let shown =
        Endpoint { method: "GET", path: "/select-account", headers: form.headers, fields: vec![("resume", resume)] };
    stage.assert_table(&shown, &[("resume", [wrong, wrong, wrong, wrong])]).await;
}

#[tokio::test]
async fn a_mangled_consent_allows_nothing() {
    let stage = Stage::new().await;
    let flow = Flow::new(&stage.gateway, &stage.app).with("prompt", "consent");
    let page = stage.flow.browser.open(flow.url()).await;
    let form = stage.form(&page, "allow", "/consent", &[("deny", "no")]);
    let denied = "303 client access_denied";
    let table = &[
        ("csrf", ["403 invalid_request", "400 invalid_request", "303 /consent", "403 invalid_request"]),
        ("resume", ["400 invalid_request", "400 invalid_request", "400 invalid_request", "400 invalid_request"]),
        // Who does not say yes says no.
        ("deny", [denied, denied, denied, denied]),
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
    // Who does not say yes stays, and so does who says both.
    let table = &[("logout-no", ["303 /", "303 /", "303 /", "303 /"])];
    stage.assert_table(&stage.form(&page, "logout-yes", "/logout/confirm", &[("logout-no", "no")]), table).await;
}

/// The pages after it say what they always say: only the address of the one before carries anything.
#[tokio::test]
async fn mangled_pages_after_a_logout_lead_nowhere_else() {
    let stage = Stage::new().await;
    let (done, login, wrong) = ("200 logged-out", "303 /login", "400 invalid_request");
    // Read by nothing but what chooses the language.
    let table = &[("ui_locales", [done, wrong, done, done])];
    stage.assert_table(&stranger("GET", "/logout/done", &[("ui_locales", "fr")]), table).await;
    let fields = [("resume", "x"), ("ui_locales", "fr")];
    let table = &[("resume", [login, wrong, login, login]), ("ui_locales", [login, wrong, login, login])];
    stage.assert_table(&stranger("GET", "/logout/elsewhere", &fields), table).await;
    let home = stage.flow.browser.get(stage.gateway.url("/")).await;
    let signed_in = stage.form(&home, "change-password", "/logout/elsewhere", &[]);
    let elsewhere = Endpoint { method: "GET", fields: vec![("resume", "x".into())], ..signed_in };
    stage.assert_table(&elsewhere, &[("resume", [login, wrong, login, login])]).await;
}

#[tokio::test]
async fn a_mangled_form_of_the_home_page_ends_nothing() {
    let stage = Stage::new().await;
    let table = &[("done", ["303 /login", "400 invalid_request", "303 /login", "303 /login"])];
    stage.assert_table(&stranger("GET", "/", &[("done", "withdrawn")]), table).await;
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
        ("username", ["422 change-password", "400 invalid_request", "422 change-password", "422 change-password"]),
        ("old_password", ["422 change-password", "400 invalid_request", "422 change-password", "422 change-password"]),
        ("new_password", ["422 change-password", "400 invalid_request", "422 change-password", "422 change-password"]),
        (
            "new_password_again",
            ["422 change-password", "400 invalid_request", "422 change-password", "422 change-password"],
        ),
    ];
    let fields =
        [("username", "alice"), ("old_password", "wrong"), ("new_password", "short"), ("new_password_again", "short")];
    stage.assert_table(&stage.form(&home, "change-password", "/password", &fields), table).await;
}
