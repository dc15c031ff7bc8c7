//! What is left of a person who was disabled and of a proof whose time is over: a clear refusal, and no row changed by it.

use serde_json::{Value, json};
use tokio_postgres::Client as Sql;

use super::digest;
use super::stage::Stage;
use crate::support::{Page, Tokens};

/// A refusal for a client, and that it left nothing.
async fn assert_refused(stage: &Stage, superuser: &Sql, before: &str, answer: &Page, status: u16, error: &str) {
    let body = answer.json();
    assert_eq!((answer.status.as_u16(), body["error"].as_str()), (status, Some(error)), "{body}");
    assert_eq!(digest(superuser).await, before, "{} {error} wrote", stage.gateway.url("") + answer.url.path());
}

async fn userinfo(stage: &Stage, access_token: &str) -> Page {
    let request = stage.flow.browser.http.get(stage.gateway.url("/userinfo"));
    stage.flow.browser.send(request.bearer_auth(access_token)).await
}

/// What the home page and a silent request make of the browser's session.
async fn assert_is_signed_out(stage: &Stage) {
    let home = stage.flow.browser.get(stage.gateway.url("/")).await;
    assert_eq!((home.status.as_u16(), home.location().map(|url| url.path().to_owned())), (303, Some("/login".into())));
    let mut silent = stage.flow.url();
    silent.query_pairs_mut().append_pair("prompt", "none");
    let answer = stage.flow.browser.get(silent).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn a_person_who_is_disabled_in_the_middle_of_it_all_gets_no_further() {
    let stage = Stage::new().await;
    let superuser = stage.db.superuser().await;
    let code = stage.flow.open().await.location_parameter("code").unwrap();
    let mut asked = stage.flow.url();
    asked.query_pairs_mut().append_pair("prompt", "consent");
    let consent = stage.flow.browser.open(asked).await;
    let login = stage.flow.browser.get(stage.gateway.url("/login")).await;
    let admin = stage.db.admin().await;
    admin.execute("select identity.user_disable($1)", &[&stage.alice.id]).await.unwrap();
    // All of it was right but the person: the code is spent.
    let answer = stage.flow.redeem(&code).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_grant")));
    let before = digest(&superuser).await;

    assert_refused(
        &stage,
        &superuser,
        &before,
        &stage.flow.refresh(stage.tokens.refresh()).await,
        400,
        "invalid_grant",
    )
    .await;
    assert_refused(&stage, &superuser, &before, &userinfo(&stage, stage.tokens.access()).await, 401, "invalid_token")
        .await;
    for token in [stage.tokens.access(), stage.tokens.refresh()] {
        assert_eq!(stage.flow.call("/introspect", &[("token", token)]).await.json(), json!({"active": false}));
    }
    assert_is_signed_out(&stage).await;
    let page = stage.flow.browser.press(&consent, "allow", &[]).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/login"));
    assert_eq!(digest(&superuser).await, before);

    let page = stage.flow.browser.sign_in(&login, "alice", &stage.alice.password).await;
    assert_eq!(
        (page.status.as_u16(), page.text("problem")),
        (422, Some("The username or the password is not right.".into()))
    );
    // Who may sign in again does so, and has what is new only.
    admin.execute("select identity.user_enable($1)", &[&stage.alice.id]).await.unwrap();
    assert_is_signed_out(&stage).await;
    assert_eq!(userinfo(&stage, stage.tokens.access()).await.status, 401);
    assert_eq!(stage.flow.refresh(stage.tokens.refresh()).await.status, 400);
    let kinds = "select array_agg(kind order by occurred_at) from identity.audit_list('{user_disabled,user_enabled,session_ended}')";
    let kinds: Vec<String> = admin.query_one(kinds, &[]).await.unwrap().get(0);
    assert_eq!(kinds.iter().filter(|kind| *kind == "session_ended").count(), 1, "{kinds:?}");
    assert_eq!((kinds.len(), kinds.last().map(String::as_str)), (3, Some("user_enabled")));
}

#[tokio::test]
async fn a_session_that_is_over_or_was_left_alone_is_nobodys() {
    for over in ["expires_at = now()", "last_seen_at = now() - interval '12 hours'"] {
        let stage = Stage::new().await;
        let superuser = stage.db.superuser().await;
        superuser.batch_execute(&format!("update identity_store.sessions set {over}")).await.unwrap();
        let before = digest(&superuser).await;
        assert_is_signed_out(&stage).await;
        assert_eq!(digest(&superuser).await, before, "{over}");
    }
}

#[tokio::test]
async fn codes_and_tokens_whose_time_is_over_are_refused() {
    let stage = Stage::new().await;
    let superuser = stage.db.superuser().await;
    let code = stage.flow.open().await.location_parameter("code").unwrap();
    superuser
        .batch_execute("update identity_store.authorization_codes set expires_at = now() where used_at is null")
        .await
        .unwrap();
    let before = digest(&superuser).await;
    assert_refused(&stage, &superuser, &before, &stage.flow.redeem(&code).await, 400, "invalid_grant").await;

    let claims = json!({"sub": stage.alice.id, "aud": stage.gateway.issuer, "client_id": stage.app.id, "scope": "openid", "iat": 1_700_000_000, "exp": 1_700_000_300});
    let owner = stage.db.owner().await;
    let mint = "select identity.mint_access_token($1, 300)";
    let expired: String = owner.query_one(mint, &[&claims]).await.unwrap().get(0);
    assert_eq!(Tokens::claims(&expired)["exp"], 1_700_000_300);
    assert_refused(&stage, &superuser, &before, &userinfo(&stage, &expired).await, 401, "invalid_token").await;
    assert_eq!(stage.flow.call("/introspect", &[("token", &expired)]).await.json(), json!({"active": false}));

    for over in ["expires_at", "idle_expires_at"] {
        superuser.batch_execute(&format!("update identity_store.refresh_families set {over} = now()")).await.unwrap();
        let before = digest(&superuser).await;
        let answer = stage.flow.refresh(stage.tokens.refresh()).await;
        assert_refused(&stage, &superuser, &before, &answer, 400, "invalid_grant").await;
        superuser
            .batch_execute(&format!("update identity_store.refresh_families set {over} = now() + interval '1 day'"))
            .await
            .unwrap();
    }
    assert_eq!(stage.flow.refresh(stage.tokens.refresh()).await.status, 200, "nothing but the time was wrong");
}

/// Ten minutes later, on every page that a sealed request leads to.
#[tokio::test]
async fn a_sign_in_that_took_too_long_is_told_so() {
    let stage = Stage::new().await;
    let (superuser, owner) = (stage.db.superuser().await, stage.db.owner().await);
    let mut asked = stage.flow.url();
    asked.query_pairs_mut().append_pair("prompt", "consent");
    let page = stage.flow.browser.open(asked).await;
    let form = page.form("allow");
    let field = |name: &str| form.fields.iter().find(|(found, _)| found == name).unwrap().1.clone();
    let seal = "select identity.state_seal($1, identity.state_open($1, $2), interval '-1 second')";
    let old: String = owner.query_one(seal, &[&"authorization", &field("resume")]).await.unwrap().get(0);
    let login = stage.flow.browser.get(stage.gateway.url("/login")).await;
    let sign_in = [("username", "alice"), ("password", &stage.alice.password), ("resume", &old)];
    let before = digest(&superuser).await;
    let browser = &stage.flow.browser;
    for answer in [
        browser.get(stage.gateway.url(&format!("/authorize?resume={old}"))).await,
        browser.get(stage.gateway.url(&format!("/login?resume={old}"))).await,
        browser.get(stage.gateway.url(&format!("/consent?resume={old}"))).await,
        browser.press(&page, "allow", &[("resume", &old)]).await,
        browser.press(&login, "sign-in", &sign_in).await,
    ] {
        assert_eq!(
            (answer.status.as_u16(), answer.text("error")),
            (400, Some("invalid_request".into())),
            "{}",
            answer.url
        );
        // A page of its own (error-expired in gateway/messages).
        assert!(answer.body.contains("<h1>This took too long</h1>"), "{}", answer.body);
    }
    assert_eq!(digest(&superuser).await, before);
    // The cookie of a browser that was used before only chooses a counter.
    let device: Value = json!({"device": "d", "users": [stage.alice.id]});
    let seal = "select identity.state_seal('device', $1, interval '-1 second')";
    let old: String = owner.query_one(seal, &[&device]).await.unwrap().get(0);
    let gateway_role = stage.db.gateway_role().await;
    let signs_in = "select outcome from identity.sign_in(null, 'browser', 'alice', $1, '192.0.2.1', null, $2, null)";
    let outcome: String = gateway_role.query_one(signs_in, &[&stage.alice.password, &old]).await.unwrap().get(0);
    assert_eq!(outcome, "signed_in");
}
