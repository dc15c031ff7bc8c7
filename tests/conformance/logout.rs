//! Logout: `oidcc-rp-initiated-logout-certification-test-plan`, `oidcc-backchannel-rp-initiated-logout-certification-test-plan`,
//! `oidcc-frontchannel-rp-initiated-logout-certification-test-plan`, `oidcc-session-management-certification-test-plan`.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::Url;

use super::{Given, Suite, Variant};
use crate::backchannel_logout::receiver::Receiver;
use crate::issuers::Foreign;
use crate::jwt::merged;
use crate::support::{Flow, Page, Tokens, attribute_of};

const HOME: &str = "https://notes.example/post_logout_redirect";

/// The suite with a client that is told of logouts in every way, and that client's own server.
async fn stage(more: Value) -> (Suite, Receiver) {
    let suite = Suite::with(&[("GATEWAY_FETCH_ALLOW", "127.0.0.1")]).await;
    let receiver = Receiver::start().await;
    let metadata = merged(json!({"post_logout_redirect_uris": [HOME]}), more);
    let update = "select identity.client_update($1, $2)";
    suite.db.admin().await.execute(update, &[&suite.app.id, &metadata]).await.unwrap();
    (suite, receiver)
}

/// The variants that the plans leave to choose: their response mode is the default.
fn variants() -> impl Iterator<Item = Variant> {
    Variant::all().filter(|variant| !variant.form_post)
}

/// Signs in, signs in at the client; the ID token is the last one it got.
async fn signed_in(suite: &Suite, variant: Variant) -> (Flow, Given, String) {
    let flow = suite.request(variant);
    let page = flow.open().await;
    if page.has("sign-in") {
        let page = flow.browser.sign_in(&page, &suite.alice.username, &suite.alice.password).await;
        if page.has("allow") {
            flow.browser.press(&page, "allow", &[]).await;
        }
    }
    let given = suite.complete(&flow, variant).await;
    let hint = given.back["id_token"].as_str().or_else(|| given.front.get("id_token").map(String::as_str));
    let hint = hint.unwrap().to_owned();
    (flow, given, hint)
}

async fn end_session(suite: &Suite, flow: &Flow, parameters: &[(&str, &str)]) -> Page {
    flow.browser.open(Url::parse_with_params(&suite.gateway.url("/logout"), parameters).unwrap()).await
}

/// `performAuthorizationFlow` with prompt=none: an error that says that there has to be a user interface.
async fn assert_signed_out(suite: &Suite, variant: Variant) {
    let silent = suite.request(variant).with("prompt", "none");
    suite.assert_error(&suite.read(&silent.open().await, variant), "login_required");
}

/// `CheckPostLogoutState`, `CheckForUnexpectedParametersInPostLogoutRedirect`.
#[track_caller]
fn assert_home(page: &Page, state: Option<&str>) {
    let query = state.map(|state| format!("?state={state}")).unwrap_or_default();
    assert_eq!(page.location().map(String::from), Some(format!("{HOME}{query}")), "{} {}", page.status, page.body);
}

/// `oidcc-rp-initiated-logout-discovery-endpoint-verification`, `oidcc-backchannel-logout-discovery-endpoint-verification`,
/// `oidcc-frontchannel-logout-discovery-endpoint-verification`, `oidcc-session-management-discovery-endpoint-verification`.
#[tokio::test]
async fn the_metadata_names_every_way() {
    let suite = Suite::new().await;
    let metadata = suite.browser.get(suite.gateway.url("/.well-known/openid-configuration")).await.json();
    for member in ["end_session_endpoint", "check_session_iframe"] {
        assert!(metadata[member].as_str().unwrap().starts_with(&suite.gateway.issuer), "{member}");
    }
    for way in ["backchannel", "frontchannel"] {
        for member in [format!("{way}_logout_supported"), format!("{way}_logout_session_supported")] {
            assert_eq!(metadata[&member], true, "{member}");
        }
    }
}

/// `oidcc-rp-initiated-logout`, `oidcc-rp-initiated-logout-no-state`.
#[tokio::test]
async fn a_client_sends_its_person_to_sign_out_and_gets_them_back() {
    let (suite, _receiver) = stage(json!({})).await;
    let state = "s".repeat(128);
    for variant in variants() {
        for state in [Some(state.as_str()), None] {
            let (flow, _, hint) = signed_in(&suite, variant).await;
            let state_given = state.map(|state| ("state", state));
            let asked: Vec<_> = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", HOME)]
                .into_iter()
                .chain(state_given)
                .collect();
            assert_home(&end_session(&suite, &flow, &asked).await, state);
            assert_signed_out(&suite, variant).await;
        }
    }
}

/// `oidcc-rp-initiated-logout-bad-post-logout-redirect-uri`,
/// `oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri`, `oidcc-rp-initiated-logout-modified-id-token-hint`,
/// `oidcc-rp-initiated-logout-bad-id-token-hint`, `oidcc-rp-initiated-logout-no-id-token-hint`: an error page, and nobody is sent
/// anywhere.
#[tokio::test]
async fn nobody_is_sent_where_it_is_not_sure_that_they_belong() {
    let (suite, _receiver) = stage(json!({})).await;
    for variant in variants() {
        let (flow, _, hint) = signed_in(&suite, variant).await;
        let claims = Tokens::claims(&hint);
        let unsigned =
            [json!({"alg": "none"}), claims.clone()].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let unsigned = format!("{}.", unsigned.join("."));
        let fake = Foreign::new("ES256").token(claims);
        let added = format!("{HOME}?foo=bar");
        let bad = format!("{HOME}abc");
        for asked in [
            vec![("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", &bad), ("state", "s")],
            vec![("id_token_hint", &hint), ("post_logout_redirect_uri", &added), ("state", "s")],
            vec![("id_token_hint", &unsigned), ("post_logout_redirect_uri", HOME), ("state", "s")],
            vec![("id_token_hint", &fake), ("post_logout_redirect_uri", HOME), ("state", "s")],
            vec![("post_logout_redirect_uri", HOME), ("state", "s")],
        ] {
            let page = end_session(&suite, &flow, &asked).await;
            assert_eq!(
                (page.status.as_u16(), page.location(), page.text("error").as_deref()),
                (400, None, Some("invalid_request")),
                "{asked:?}"
            );
        }
    }
}

/// `oidcc-rp-initiated-logout-no-params`, `oidcc-rp-initiated-logout-no-post-logout-redirect-uri`,
/// `oidcc-rp-initiated-logout-only-state`: signed out, on a page that says so.
#[tokio::test]
async fn without_a_place_to_go_they_are_told_that_they_are_signed_out() {
    let (suite, _receiver) = stage(json!({})).await;
    for variant in variants() {
        for asked in [&[][..], &["id_token_hint", "state"], &["state"]] {
            let (flow, _, hint) = signed_in(&suite, variant).await;
            let values = |name: &'static str| (name, if name == "state" { "s" } else { hint.as_str() });
            let mut page = end_session(&suite, &flow, &asked.iter().copied().map(values).collect::<Vec<_>>()).await;
            if !asked.contains(&"id_token_hint") {
                page = flow.browser.press(&page, "logout-yes", &[]).await;
            }
            assert!(page.has("logged-out") && page.location().is_none(), "{asked:?}: {}", page.body);
            assert_signed_out(&suite, variant).await;
        }
    }
}

/// `oidcc-backchannel-rp-initiated-logout`.
#[tokio::test]
async fn a_client_is_told_from_behind() {
    let (suite, mut receiver) = stage(json!({})).await;
    let out = receiver.url("/backchannel_logout");
    let metadata = json!({"backchannel_logout_uri": out, "backchannel_logout_session_required": true});
    let update = "select identity.client_update($1, $2)";
    suite.db.admin().await.execute(update, &[&suite.app.id, &metadata]).await.unwrap();
    for variant in variants() {
        let (flow, given, hint) = signed_in(&suite, variant).await;
        let asked = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", HOME), ("state", "s")];
        assert_home(&end_session(&suite, &flow, &asked).await, Some("s"));
        let token = receiver.next().await.logout_token();
        let claims = Tokens::claims(&token);
        // `ValidateLogoutTokenSignature`, `ValidateLogoutTokenClaims`, `CheckIdTokenSubMatchesLogoutToken`,
        // `CheckIdTokenSidMatchesLogoutToken`, `CheckLogoutTokenNoNonce`.
        suite.verify_signature(&token);
        assert_eq!(
            claims,
            json!({
                "iss": suite.gateway.issuer, "aud": suite.app.id, "sub": given.id["sub"], "sid": given.id["sid"],
                "iat": claims["iat"], "exp": claims["exp"], "jti": claims["jti"],
                "events": {"http://schemas.openid.net/event/backchannel-logout": {}}
            })
        );
        assert_signed_out(&suite, variant).await;
    }
}

/// `oidcc-frontchannel-rp-initiated-logout`.
#[tokio::test]
async fn a_client_is_told_in_a_frame() {
    let out = "https://notes.example/frontchannel_logout";
    let (suite, _receiver) =
        stage(json!({"frontchannel_logout_uri": out, "frontchannel_logout_session_required": true})).await;
    for variant in variants() {
        let (flow, given, hint) = signed_in(&suite, variant).await;
        let asked = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", HOME), ("state", "s")];
        let page = end_session(&suite, &flow, &asked).await;
        let tag = |start: &str| {
            page.body.split('<').find(|tag| tag.starts_with(start)).unwrap_or_else(|| panic!("{}", page.body))
        };
        let frame: Url = attribute_of(tag("iframe "), "src").unwrap().parse().unwrap();
        assert!(frame.as_str().starts_with(out));
        let query: Vec<(String, String)> = frame.query_pairs().into_owned().collect();
        let expected = [("iss", suite.gateway.issuer.as_str()), ("sid", given.id["sid"].as_str().unwrap())];
        assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(attribute_of(tag("a class=\"button\" id=\"continue\""), "href"), Some(format!("{HOME}?state=s")));
        assert_signed_out(&suite, variant).await;
    }
}

/// `oidcc-session-management-rp-initiated-logout`: what the frame says is in tests/session_state.rs, in Chromium.
#[tokio::test]
async fn the_state_of_the_session_is_known_by_the_answer() {
    let (suite, _receiver) = stage(json!({})).await;
    for variant in variants() {
        let (flow, given, hint) = signed_in(&suite, variant).await;
        let state = &given.front["session_state"];
        crate::session_state::assert_form(state);
        let again = suite.complete(&flow, variant).await;
        assert_ne!(state, &again.front["session_state"], "{variant:?}");
        let asked = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", HOME)];
        assert_home(&end_session(&suite, &flow, &asked).await, None);
    }
}
