//! Codes at the token endpoint (sql/store/functions/token_authorization_code.sql, client_authentication.sql).

use serde_json::{Value, json};

use crate::authorize::{Answer, Sql, VERIFIER, authorize, call, code, request, session, with};
use crate::support::{Client, Database, Tokens, public_client, user, web_client};

pub fn method(client: &Client) -> &str {
    client.metadata["token_endpoint_auth_method"].as_str().unwrap()
}

/// A complete redemption.
pub async fn redeem(sql: &Sql, client: &Client, code: &str) -> Answer {
    redeem_with(sql, client, code, json!({})).await
}

/// A redemption with some things different.
async fn redeem_with(sql: &Sql, client: &Client, code: &str, change: Value) -> Answer {
    let text = |name: &str, usual: Option<&str>| match change.get(name) {
        Some(value) => value.as_str().map(String::from),
        None => usual.map(String::from),
    };
    let resource: Vec<String> =
        change.get("resource").map(|r| serde_json::from_value(r.clone()).unwrap()).unwrap_or_default();
    call(
        sql,
        "token_authorization_code",
        &[
            &text("client_id", Some(&client.id)),
            &text("client_secret", client.secret.as_deref()),
            &text("method", Some(method(client))),
            &text("code", Some(code)),
            &text("redirect_uri", Some(client.redirect_uri())),
            &text("code_verifier", Some(VERIFIER)),
            &resource,
        ],
    )
    .await
}

pub fn refused(error: &str, description: &str) -> Answer {
    (error.into(), json!({"error": error, "error_description": description}))
}

async fn introspected(sql: &Sql, client: &Client, token: &Value) -> Value {
    let (outcome, answer) =
        call(sql, "token_introspect", &[&client.id, &client.secret, &method(client), &token.as_str(), &None::<&str>])
            .await;
    assert_eq!(outcome, "ok");
    answer
}

pub async fn audited(db: &Database, kind: &str) -> i64 {
    let count = "select count(*) from identity.audit_list(array[$1])";
    db.admin().await.query_one(count, &[&kind]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_code_gives_an_access_token_and_an_id_token_that_say_who_and_how() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let asked = with(request(&app), json!({"scope": "openid profile roles"}));
    let first = code(&sql, &asked, &cookie).await;
    let (outcome, answer) = redeem(&sql, &app, &first).await;
    assert_eq!(outcome, "ok");
    assert_eq!(
        answer,
        json!({
            "access_token": answer["access_token"], "id_token": answer["id_token"],
            "token_type": "Bearer", "expires_in": 300, "scope": "openid profile roles"
        })
    );
    let row = db
        .superuser()
        .await
        .query_one("select id::text, session_id::text from identity_store.grants", &[])
        .await
        .unwrap();
    let (grant, sid): (String, String) = (row.get(0), row.get(1));
    let access = Tokens::claims(answer["access_token"].as_str().unwrap());
    let iat = access["iat"].as_i64().unwrap();
    assert_eq!(
        access,
        json!({
            "iss": db.issuer, "aud": db.issuer, "sub": alice.id, "client_id": app.id, "grant_id": grant, "sid": sid,
            "scope": "openid profile roles", "roles": ["reader"], "acr": "1", "amr": ["pwd"], "auth_time": access["auth_time"],
            "jti": access["jti"], "iat": iat, "exp": iat + 300
        })
    );
    let id = Tokens::claims(answer["id_token"].as_str().unwrap());
    assert_eq!(
        id,
        json!({
            "iss": db.issuer, "aud": app.id, "sub": alice.id, "sid": sid, "nonce": "n", "acr": "1", "amr": ["pwd"],
            "auth_time": access["auth_time"], "at_hash": id["at_hash"], "iat": id["iat"], "exp": id["iat"].as_i64().unwrap() + 300
        })
    );
    // Without the scope, no roles in the token: they are power.
    let second = code(&sql, &request(&app), &cookie).await;
    let (_, answer) = redeem(&sql, &app, &second).await;
    assert_eq!(Tokens::claims(answer["access_token"].as_str().unwrap()).get("roles"), None);
}

#[tokio::test]
async fn a_wrong_redemption_is_refused_and_leaves_the_code_to_the_right_one() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let (other, public) = (web_client(&db).await, public_client(&db).await);
    let cookie = session(&sql, &alice).await;
    let good = code(&sql, &request(&app), &cookie).await;
    let (_, consent) = authorize(&sql, &request(&public), Some(&cookie)).await;
    let (_, answer) = crate::authorize::decide(&sql, &consent, &cookie, "allow").await;
    let of_public = answer["parameters"]["code"].as_str().unwrap();

    let (client, verifier) = ("client authentication failed", "code_verifier does not fit");
    let (invalid, uri) = ("the authorization code is invalid", "redirect_uri is not that of the authorization request");
    for (change, error, description) in [
        (json!({"client_secret": "secret_wrong"}), "invalid_client", client),
        (json!({"client_secret": null}), "invalid_client", client),
        (json!({"client_secret": other.secret}), "invalid_client", client),
        (json!({"client_id": "nobody"}), "invalid_client", client),
        (json!({"client_id": null}), "invalid_client", client),
        (json!({"method": "private_key_jwt"}), "invalid_client", client),
        (json!({"method": "none", "client_secret": null}), "invalid_client", client),
        (json!({"method": "none"}), "invalid_client", client),
        (json!({"code": null}), "invalid_request", "code is missing"),
        (json!({"code": ""}), "invalid_request", "code is missing"),
        (json!({"code": "code_nonsense"}), "invalid_grant", invalid),
        (json!({"code": format!("{good}x")}), "invalid_grant", invalid),
        (json!({"client_id": other.id, "client_secret": other.secret}), "invalid_grant", invalid),
        (json!({"client_id": public.id, "client_secret": null, "method": "none"}), "invalid_grant", invalid),
        (json!({"redirect_uri": "https://notes.example/other"}), "invalid_grant", uri),
        (json!({"redirect_uri": null}), "invalid_grant", uri),
        (json!({"redirect_uri": ""}), "invalid_grant", uri),
        (json!({"code_verifier": "x".repeat(43)}), "invalid_grant", verifier),
        (json!({"code_verifier": "short"}), "invalid_grant", verifier),
        (json!({"code_verifier": null}), "invalid_grant", "code_verifier is missing"),
        (json!({"code_verifier": ""}), "invalid_grant", "code_verifier is missing"),
        (
            json!({"resource": ["https://unknown.example"]}),
            "invalid_target",
            "resource was not part of the authorization",
        ),
    ] {
        assert_eq!(redeem_with(&sql, &app, &good, change.clone()).await, refused(error, description), "{change}");
    }
    assert_eq!(redeem_with(&sql, &app, of_public, json!({})).await, refused("invalid_grant", invalid));
    assert_eq!(redeem(&sql, &app, &good).await.0, "ok");
    assert_eq!(
        redeem_with(&sql, &public, of_public, json!({"client_secret": "x"})).await,
        refused("invalid_client", client)
    );
    assert_eq!(redeem(&sql, &public, of_public).await.0, "ok");

    let plain =
        code(&sql, &with(request(&app), json!({"code_challenge": null, "code_challenge_method": null})), &cookie).await;
    assert_eq!(redeem(&sql, &app, &plain).await, refused("invalid_grant", verifier), "a verifier nobody announced");
    assert_eq!(redeem_with(&sql, &app, &plain, json!({"code_verifier": null})).await.0, "ok");
}

#[tokio::test]
async fn a_second_complete_redemption_ends_the_grant_even_when_the_code_has_expired() {
    let db = Database::new().await;
    let (sql, app, alice) = (db.gateway_role().await, web_client(&db).await, user(&db, "alice").await);
    let cookie = session(&sql, &alice).await;
    let code = code(&sql, &with(request(&app), json!({"scope": "openid offline_access"})), &cookie).await;
    let (_, tokens) = redeem(&sql, &app, &code).await;
    let owner = db.superuser().await;
    owner
        .execute("update identity_store.authorization_codes set expires_at = now() - interval '1 hour'", &[])
        .await
        .unwrap();
    assert_eq!(
        redeem_with(&sql, &app, &code, json!({"code_verifier": "x".repeat(43)})).await.0,
        "invalid_grant",
        "a thief without the verifier ends nothing"
    );
    assert_eq!(introspected(&sql, &app, &tokens["access_token"]).await["active"], true);
    assert_eq!(redeem(&sql, &app, &code).await, refused("invalid_grant", "the authorization code is invalid"));
    assert_eq!(introspected(&sql, &app, &tokens["access_token"]).await, json!({"active": false}));
    assert_eq!(introspected(&sql, &app, &tokens["refresh_token"]).await, json!({"active": false}));
    assert_eq!(audited(&db, "code_replayed").await, 1);
}

#[tokio::test]
async fn a_code_is_good_for_sixty_seconds_and_as_long_as_person_and_session() {
    let db = Database::new().await;
    let (sql, app, owner) = (db.gateway_role().await, web_client(&db).await, db.superuser().await);
    for (number, after) in [
        "update identity_store.authorization_codes set expires_at = expires_at - interval '60 seconds'",
        "select identity.user_disable(user_id) from identity_store.grants",
        "select identity.session_revoke(session_id) from identity_store.grants",
        "select identity_store.application_withdraw(user_id, client_id) from identity_store.grants",
    ]
    .iter()
    .enumerate()
    {
        let person = user(&db, &format!("person{number}")).await;
        let cookie = session(&sql, &person).await;
        let code = code(&sql, &request(&app), &cookie).await;
        owner.batch_execute(after).await.unwrap();
        assert_eq!(
            redeem(&sql, &app, &code).await,
            refused("invalid_grant", "the authorization code is invalid"),
            "{after}"
        );
        owner
            .batch_execute("delete from identity_store.authorization_codes; delete from identity_store.grants")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_token_request_may_narrow_the_resources_that_were_granted() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    db.admin()
        .await
        .batch_execute("select identity.resource_create('https://a.example', 'A'), identity.resource_create('https://b.example', 'B')")
        .await
        .unwrap();
    let app = web_client(&db).await;
    let cookie = session(&sql, &alice).await;
    let asked =
        with(request(&app), json!({"scope": "openid", "resource": ["https://b.example/", "https://a.example"]}));
    for (resource, audience) in [
        (json!([]), json!(["https://a.example", "https://b.example", db.issuer])),
        (json!(["https://b.example/"]), json!(["https://b.example", db.issuer])),
        (json!([db.issuer]), json!(db.issuer)),
    ] {
        let code = code(&sql, &asked, &cookie).await;
        let (_, answer) = redeem_with(&sql, &app, &code, json!({"resource": resource})).await;
        assert_eq!(Tokens::claims(answer["access_token"].as_str().unwrap())["aud"], audience);
    }
}
