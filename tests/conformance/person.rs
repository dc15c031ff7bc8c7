//! Who has to sign in, and when: prompt, max_age, and the hints.

use serde_json::json;

use super::{STATE, Suite, Variant};
use crate::support::{Browser, Flow, Page};

/// The sign-in page, which is what the suite wants a picture of.
#[track_caller]
fn assert_sign_in(page: &Page, variant: Variant) {
    assert!(page.has("sign-in"), "{variant:?}: {} {:?}", page.status, page.location());
}

/// `oidcc-prompt-login`: a second sign-in page, and the time of the second sign-in.
#[tokio::test]
async fn prompt_login_asks_again() {
    let suite = Suite::new().await;
    for variant in Variant::all() {
        let first = suite.complete(&suite.request(variant), variant).await;
        past(&suite, 5).await;
        let flow = suite.request(variant).with("prompt", "login");
        assert_sign_in(&flow.open().await, variant);
        let second = suite.complete(&flow, variant).await;
        assert!(second.id["auth_time"].as_i64() >= first.id["auth_time"].as_i64(), "{variant:?}");
        assert_eq!(second.id["sub"], first.id["sub"]);
    }
}

/// `oidcc-prompt-none-not-logged-in`: with a state of 128 characters.
#[tokio::test]
async fn prompt_none_without_a_session_is_told_to_the_client() {
    let suite = Suite::new().await;
    let state = "a1".repeat(64);
    for variant in Variant::all() {
        let flow = suite.request(variant).with("prompt", "none").with("state", &state).in_browser(Browser::new());
        let mut returned = suite.read(&flow.open().await, variant);
        assert_eq!(returned.insert("state".into(), STATE.into()), Some(state.clone()));
        suite.assert_error(&returned, "login_required");
    }
}

/// `oidcc-prompt-none-logged-in`, `oidcc-id-token-hint`, `oidcc-max-age-10000`: no page, and the sign-in that was.
#[tokio::test]
async fn whoever_signed_in_is_not_asked_again() {
    let suite = Suite::new().await;
    for variant in Variant::all() {
        let flow = suite.request(variant);
        let front = suite.returned(&flow, variant).await;
        let hint = front.get("id_token").cloned();
        let first = suite.finish(&flow, variant, front).await;
        let hint = hint.unwrap_or_else(|| first.back["id_token"].as_str().unwrap().into());
        for (name, value) in [("prompt", "none"), ("id_token_hint", &hint), ("max_age", "10000")] {
            let mut flow = suite.request(variant).with(name, value);
            if name == "id_token_hint" {
                flow = flow.with("prompt", "none");
            }
            let front = suite.read(&flow.browser.get(flow.url()).await, variant);
            let second = suite.finish(&flow, variant, front).await;
            let same = ["sub", "auth_time"].map(|claim| (first.id[claim].clone(), second.id[claim].clone()));
            assert!(same.iter().all(|(first, second)| first == second && !first.is_null()), "{variant:?} {name}");
        }
    }
}

/// OpenID Connect Core §3.1.2.1: prompt=none with the hint of somebody else must not answer for whoever is signed in.
#[tokio::test]
async fn prompt_none_with_the_hint_of_another_person_is_told_to_the_client() {
    let suite = Suite::new().await;
    let bob = crate::support::user(&suite.db, "bob").await;
    let code = Variant { response_type: "code", form_post: false };
    let of_bob = Flow::new(&suite.gateway, &suite.app);
    let hint = of_bob.tokens(&bob).await.id().to_owned();
    suite.complete(&suite.request(code), code).await;
    for variant in Variant::all() {
        let flow = suite.request(variant).with("prompt", "none").with("id_token_hint", &hint);
        suite.assert_error(&suite.read(&flow.open().await, variant), "login_required");
    }
}

/// `oidcc-max-age-1`: a second sign-in page, `auth_time` in the ID token, and a recent one.
#[tokio::test]
async fn max_age_asks_again_when_it_has_passed() {
    let suite = Suite::new().await;
    for variant in Variant::all() {
        suite.complete(&suite.request(variant), variant).await;
        past(&suite, 5).await;
        let flow = suite.request(variant).with("max_age", "1");
        assert_sign_in(&flow.open().await, variant);
        let second = suite.complete(&flow, variant).await;
        let (auth_time, iat) = (second.id["auth_time"].as_i64().unwrap(), second.id["iat"].as_i64().unwrap());
        assert!(iat - auth_time < 5, "{variant:?}: {}", second.id);
    }
}

/// `oidcc-login-hint`: the page has the name in it.
#[tokio::test]
async fn login_hint_fills_in_the_name() {
    let suite = Suite::new().await;
    for variant in Variant::all() {
        let flow = suite.request(variant).with("login_hint", "buffy@localhost").in_browser(Browser::new());
        let page = flow.open().await;
        assert_sign_in(&page, variant);
        let fields = page.form("sign-in").fields;
        assert!(fields.contains(&("username".into(), "buffy@localhost".into())), "{fields:?}");
        suite.complete(&flow, variant).await;
    }
}

/// `oidcc-display-page`, `oidcc-display-popup`, `oidcc-ui-locales`, `oidcc-claims-locales`,
/// `oidcc-ensure-request-with-acr-values-succeeds`, `oidcc-ensure-request-with-unknown-parameter-succeeds`: the page, and the answer.
#[tokio::test]
async fn wishes_and_what_nobody_knows_never_hurt() {
    let suite = Suite::new().await;
    for variant in Variant::all() {
        for (name, value) in [
            ("display", "page"),
            ("display", "popup"),
            ("ui_locales", "se"),
            ("ui_locales", "x-nowhere  de-CH-1996 \u{e9}"),
            ("claims_locales", "se"),
            ("acr_values", "1"),
            ("acr_values", "nothing 1"),
            ("extra", "foobar"),
        ] {
            let flow = suite.request(variant).with(name, value);
            let given = suite.complete(&flow, variant).await;
            // `ValidateIdTokenACRClaimAgainstAcrValuesRequest`.
            assert_eq!(given.id["acr"], json!("1"), "{variant:?} {name}");
            let elsewhere = flow.in_browser(Browser::new());
            assert_sign_in(&elsewhere.open().await, variant);
        }
    }
}

/// Time that passes since everybody signed in, in seconds.
async fn past(suite: &Suite, seconds: u32) {
    let statement = format!("update identity_store.sessions set auth_time = auth_time - interval '{seconds} seconds'");
    suite.db.superuser().await.batch_execute(&statement).await.unwrap();
}
