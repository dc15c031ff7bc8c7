//! Who may register: policy, initial access tokens, and the administrator's functions.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    confidential, configure, count, initial_access_token, public, refused, register, register_with, registered, text,
};
use crate::admin::{done, done_json, refused as refused_command};
use crate::authorize::{Sql, call};
use crate::bad_input::digest;
use crate::clients::refusal;
use crate::jwt::merged;
use crate::support::Database;

#[tokio::test]
async fn nobody_registers_until_an_administrator_says_so() {
    let db = Database::new().await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let initial = initial_access_token(&db, 5).await;
    let before = digest(&superuser).await;
    let closed = refused("access_denied", "clients cannot register themselves here");
    assert_eq!(register(&sql, &confidential()).await, closed);
    assert_eq!(register_with(&sql, &confidential(), &initial).await, closed);
    // Nor where the row is gone.
    assert_eq!(digest(&superuser).await, before);
    superuser.batch_execute("delete from identity_store.registration_policy").await.unwrap();
    assert_eq!(register(&sql, &confidential()).await, closed);
}

#[tokio::test]
async fn the_registration_endpoint_is_in_the_metadata_while_there_is_one() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let endpoint = async || call(&sql, "provider_metadata", &[]).await.1.get("registration_endpoint").cloned();
    assert_eq!(endpoint().await, None);
    for policy in ["'open'", "'token'"] {
        configure(&db, policy).await;
        assert_eq!(endpoint().await, Some(json!(format!("{}/register", db.issuer))));
    }
    configure(&db, "'closed'").await;
    assert_eq!(endpoint().await, None);
}

#[tokio::test]
async fn an_initial_access_token_lets_as_many_clients_in_as_it_says() {
    let db = Database::new().await;
    configure(&db, "'token'").await;
    let (sql, admin, superuser) = (db.gateway_role().await, db.admin().await, db.superuser().await);
    let invalid = refused("invalid_token", "the initial access token is not valid");
    assert_eq!(register(&sql, &confidential()).await, refused("invalid_token", "an initial access token is needed"));
    let token = initial_access_token(&db, 2).await;
    for wrong in ["x", &token[..token.len() - 1], &format!("{token}A"), &token.replacen("initial", "registration", 1)] {
        assert_eq!(register_with(&sql, &confidential(), wrong).await, invalid, "{wrong}");
    }
    // What is refused for another reason costs nothing.
    let (outcome, _) = register_with(&sql, &json!({}), &token).await;
    assert_eq!(outcome, "invalid_redirect_uri");
    // Neither shared nor open: the same twice is two clients, each with a token of its own, whatever its method.
    let (first, second) =
        (register_with(&sql, &public(), &token).await.1, register_with(&sql, &public(), &token).await.1);
    assert_ne!(first["client_id"], second["client_id"]);
    assert!(text(&first, "registration_access_token") != text(&second, "registration_access_token"));
    assert_eq!(register_with(&sql, &confidential(), &token).await, invalid);
    assert_eq!(count(&db, "identity_store.client_registrations where open").await, 0);
    assert_eq!(count(&db, "identity_store.registration_sources").await, 0);

    let expired = initial_access_token(&db, 1).await;
    superuser
        .batch_execute("update identity_store.initial_access_tokens set expires_at = now() where uses = 0")
        .await
        .unwrap();
    assert_eq!(register_with(&sql, &confidential(), &expired).await, invalid);
    let revoked = initial_access_token(&db, 1).await;
    let last = "select id from identity.registration_token_list() order by created_at desc limit 1";
    let id: uuid::Uuid = admin.query_one(last, &[]).await.unwrap().get(0);
    admin.execute("select identity.registration_token_revoke($1)", &[&id]).await.unwrap();
    assert_eq!(register_with(&sql, &confidential(), &revoked).await, invalid);
    // Where everybody may register, a bad token is bad all the same.
    configure(&db, "'open'").await;
    assert_eq!(register_with(&sql, &confidential(), &revoked).await, invalid);
    assert_eq!(register(&sql, &confidential()).await.0, "registered");
}

#[tokio::test]
async fn of_many_that_come_at_once_with_a_token_for_one_client_one_gets_it() {
    let db = Database::new().await;
    configure(&db, "'token'").await;
    let token = initial_access_token(&db, 1).await;
    let mut registrations = JoinSet::new();
    for _ in 0..16 {
        let (sql, token) = (db.gateway_role().await, token.clone());
        registrations.spawn(async move { register_with(&sql, &confidential(), &token).await.0 });
    }
    let mut outcomes = registrations.join_all().await;
    outcomes.sort();
    assert_eq!(outcomes, [vec!["invalid_token"; 15], vec!["registered"]].concat());
    assert_eq!(count(&db, "identity_store.clients").await, 1);
}

#[tokio::test]
async fn grants_and_scopes_are_as_the_policy_says() {
    let db = Database::new().await;
    configure(&db, "'token', grant_types => '{authorization_code,client_credentials}', scope => 'openid profile'")
        .await;
    let sql = db.gateway_role().await;
    let token = initial_access_token(&db, 100).await;
    let service = json!({ "grant_types": ["client_credentials"] });
    let (_, answer) = register_with(&sql, &service, &token).await;
    // RFC 7591 §2: without scope, the server may register a default set.
    assert_eq!((&answer["scope"], &answer["grant_types"]), (&json!("openid profile"), &json!(["client_credentials"])));
    let (_, answer) = register_with(&sql, &merged(service, json!({ "scope": "profile" })), &token).await;
    assert_eq!(answer["scope"], json!("profile"));
    for (change, description) in [
        (json!({"scope": "openid roles"}), "scope: may be registered here: openid profile"),
        (
            json!({"grant_types": ["authorization_code", "refresh_token"]}),
            "grant_types: may be registered here: authorization_code, client_credentials",
        ),
        (
            json!({"response_types": ["id_token"]}),
            "grant_types: may be registered here: authorization_code, client_credentials",
        ),
    ] {
        let refused = refused("invalid_client_metadata", description);
        assert_eq!(register_with(&sql, &merged(confidential(), change.clone()), &token).await, refused, "{change}");
    }
    configure(&db, "'token', scope => ''").await;
    let (_, answer) = register_with(&sql, &merged(confidential(), json!({"scope": "roles"})), &token).await;
    assert_eq!(answer["scope"], json!("roles"));
}

#[tokio::test]
async fn a_policy_that_is_none_is_refused_by_the_name_of_its_argument() {
    let db = Database::new().await;
    let admin = db.admin().await;
    for (arguments, message) in [
        ("null", "policy: must be open, token or closed"),
        ("'Open'", "policy: must be open, token or closed"),
        (
            "'open', grant_types => '{}'",
            "grant_types: must be some of authorization_code, implicit, refresh_token, client_credentials",
        ),
        (
            "'open', grant_types => '{password}'",
            "grant_types: must be some of authorization_code, implicit, refresh_token, client_credentials",
        ),
        // Whoever asks would be given tokens without anybody who says yes.
        (
            "'open', grant_types => '{client_credentials}'",
            "grant_types: with policy open, only grants for which a person is asked",
        ),
        ("'open', scope => 'a  b'", "scope: must be scope names separated by one space each, or empty for every one"),
        ("'open', software_statement => 'no'", "software_statement: must be optional or required"),
        ("'open', source_quota => 0", "source_quota: must be a number from 1 to 1000000"),
        ("'open', unused_limit => -1", "unused_limit: must be a number from 1 to 1000000"),
        ("'open', unused_lifetime => '1 minute'", "unused_lifetime: must be between 1 hour and 365 days"),
    ] {
        let query = format!("select identity.registration_configure({arguments})");
        let refused = refusal(admin.execute(&query, &[]).await);
        // Others may have added grants.
        assert!(refused.0 == "ID005" && refused.1.starts_with(message), "{arguments}: {refused:?}");
    }
    for (query, code, message) in [
        (
            "registration_token_create('')",
            "ID005",
            "description: must say for whom it is, in at most 1000 characters without control characters",
        ),
        ("registration_token_create('x', '1 s')", "ID005", "lifetime: must be between 1 minute and 365 days"),
        ("registration_token_create('x', max_uses => 0)", "ID005", "max_uses: must be a number from 1 to 1000000"),
        (
            "registration_token_revoke('00000000-0000-0000-0000-000000000000')",
            "ID006",
            "id: there is no such initial access token",
        ),
        ("registration_issuer_trust('', '{}')", "ID005", "issuer: must be 1 to 2000 visible ASCII characters"),
        (
            "registration_issuer_trust('x', '{\"keys\": []}')",
            "ID005",
            "jwks: must be a JSON Web Key Set of public keys",
        ),
        ("registration_issuer_distrust('x')", "ID006", "issuer: there is no such issuer of software statements"),
    ] {
        let refused = refusal(admin.execute(&format!("select identity.{query}"), &[]).await);
        assert_eq!(refused, (code.into(), message.into()), "{query}");
    }
    let policy: Value = admin.query_one("select identity.registration_policy()", &[]).await.unwrap().get(0);
    assert_eq!(
        policy,
        json!({
            "policy": "closed", "grant_types": ["authorization_code", "implicit", "refresh_token"], "software_statement": "optional",
            "source_quota": 100, "unused_limit": 10000, "unused_lifetime": "7 days",
            "scope": "openid profile email address phone offline_access"
        })
    );
}

#[tokio::test]
async fn nobody_but_an_administrator_says_who_may_register() {
    let db = Database::new().await;
    let attempts = [
        "registration_configure('open')",
        "registration_policy()",
        "registration_list()",
        "registration_rotate_token('x')",
        "registration_token_create('x')",
        "registration_token_revoke('00000000-0000-0000-0000-000000000000')",
        "registration_token_list()",
        "registration_issuer_trust('x', '{}')",
        "registration_issuer_distrust('x')",
        "registration_issuer_list()",
    ];
    for role in [db.gateway_role().await, db.app().await] {
        for attempt in attempts {
            assert_eq!(
                refusal(role.query(&format!("select * from identity.{attempt}"), &[]).await).0,
                "42501",
                "{attempt}"
            );
        }
    }
    let protocol = async |role: &Sql| {
        for call in [
            "registration_create('{}', null, null)",
            "registration_read('x', 'x')",
            "registration_update('x', 'x', '{}')",
            "registration_delete('x', 'x')",
        ] {
            assert_eq!(refusal(role.query(&format!("select * from identity.{call}"), &[]).await).0, "42501", "{call}");
        }
    };
    protocol(&db.app().await).await;
    protocol(&db.admin().await).await;
}

#[tokio::test]
async fn registration_is_administered_from_a_shell() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let shown = done_json(&db, &["registration", "configure", "open", "--source-quota", "3", "--scope", "openid"], "");
    assert_eq!(
        (&shown["policy"], &shown["source_quota"], &shown["scope"]),
        (&json!("open"), &json!(3), &json!("openid"))
    );
    assert_eq!(done_json(&db, &["registration", "show"], ""), shown);
    let answer = registered(&sql, &confidential()).await;
    let listed = done_json(&db, &["registration", "list"], "");
    assert_eq!(
        (&listed[0]["client_id"], &listed[0]["open"], &listed[0]["shared"], &listed[0]["used_at"]),
        (&answer["client_id"], &json!(true), &json!(false), &Value::Null)
    );
    let id = text(&answer, "client_id");
    assert!(done(&db, &["registration", "rotate-token", id], "").contains("registration_access_token"));
    done_json(&db, &["registration", "configure", "token", "--scope", ""], "");
    let token = done_json(
        &db,
        &["registration", "tokens", "create", "a partner", "--lifetime", "1 hour", "--max-uses", "2"],
        "",
    );
    assert_eq!(register_with(&sql, &confidential(), text(&token, "initial_access_token")).await.0, "registered");
    done(&db, &["registration", "tokens", "revoke", text(&token, "id")], "");
    assert_eq!(register_with(&sql, &confidential(), text(&token, "initial_access_token")).await.0, "invalid_token");
    let tokens = done_json(&db, &["registration", "tokens", "list"], "");
    assert_eq!(
        (&tokens[0]["uses"], &tokens[0]["max_uses"], &tokens[0]["description"]),
        (&json!(1), &json!(2), &json!("a partner"))
    );
    assert!(tokens[0].get("initial_access_token").is_none() && tokens[0]["revoked_at"].is_string());
    let jwks = crate::issuers::Foreign::new("ES256").jwks().to_string();
    assert_eq!(
        done(&db, &["registration", "issuers", "trust", "https://vouch.example", "--jwks", "-"], &jwks),
        "trusted\n"
    );
    assert_eq!(done_json(&db, &["registration", "issuers", "list"], "")[0]["keys"], json!(1));
    done(&db, &["registration", "issuers", "distrust", "https://vouch.example"], "");
    refused_command(&db, &["registration", "issuers", "distrust", "https://vouch.example"], "", "SQLSTATE ID006");
    refused_command(
        &db,
        &["registration", "configure", "open", "--grant-type", "client_credentials"],
        "",
        "SQLSTATE ID005",
    );
    refused_command(&db, &["registration", "configure", "everybody"], "", "invalid value");
}
