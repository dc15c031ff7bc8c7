//! Administration of clients (sql/store/functions/client*.sql; RFC 7591).

use serde_json::{Value, json};

use crate::authorize::{Sql, call};
use crate::support::{Database, client, public_client, service_client, web_client};
use crate::token::{method, refused};

/// SQLSTATE and message of what must fail.
pub fn refusal<T>(result: Result<T, tokio_postgres::Error>) -> (String, String) {
    crate::users::refusal(&result.err().expect("a refusal"))
}

async fn create(admin: &Sql, metadata: &Value) -> Value {
    admin.query_one("select identity.client_create($1)", &[metadata]).await.unwrap().get(0)
}

async fn update(admin: &Sql, id: &str, metadata: Value) -> Value {
    admin.query_one("select identity.client_update($1, $2)", &[&id, &metadata]).await.unwrap().get(0)
}

async fn authenticates(sql: &Sql, id: &str, secret: &str) -> bool {
    let (outcome, _) = call(sql, "token_revoke", &[&id, &secret, &"client_secret_basic", &"x", &None::<&str>]).await;
    outcome == "ok"
}

#[tokio::test]
async fn a_registration_answers_all_that_was_registered_and_the_secret_once() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let metadata = json!({
        "redirect_uris": ["https://a.example/cb?x=1", "com.example.app:/cb", "http://[::1]:80/cb"],
        "post_logout_redirect_uris": ["https://a.example/"],
        "token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "HS512",
        "request_object_signing_alg": "ES256", "require_signed_request_object": true,
        "request_uris": ["https://a.example/r?x#y", "http://127.0.0.1:80/r"],
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "response_types": ["code"], "application_type": "native", "scope": "openid notes",
        "client_name": "A", "client_name#fr": "Â", "client_uri": "https://a.example", "client_uri#fr": "https://a.example/fr",
        "logo_uri": "https://a.example/logo.png", "policy_uri": "https://a.example/policy", "tos_uri": "https://a.example/tos",
        "contacts": ["a@a.example"], "jwks": {"keys": []}, "software_id": "s", "software_version": "1", "subject_type": "pairwise",
        "sector_identifier_uri": "https://a.example/sector", "userinfo_signed_response_alg": "none",
        "request_object_encryption_alg": "ECDH-ES+A256KW", "request_object_encryption_enc": "A256GCM",
        "id_token_signed_response_alg": "ES256", "default_max_age": 3600, "require_auth_time": true,
        "default_acr_values": ["1"], "initiate_login_uri": "https://a.example/login",
        "first_party": true, "introspect_any": true, "refresh_token": "always", "refresh_token_rotation": false,
        "access_token_lifetime": 60, "id_token_lifetime": 61, "refresh_token_idle_lifetime": 62, "refresh_token_lifetime": 63
    });
    let mut sent = metadata.clone();
    sent["unheard_of"] = json!(1);
    sent["jwks_uri"] = Value::Null;
    let answer = create(&admin, &sent).await;
    let id = answer["client_id"].as_str().unwrap();
    let mut expected = metadata;
    expected["client_id"] = json!(id);
    expected["client_id_issued_at"] = answer["client_id_issued_at"].clone();
    let stored: Value = admin.query_one("select identity.client_read($1)", &[&id]).await.unwrap().get(0);
    assert_eq!(stored, expected);
    assert!(answer["client_id_issued_at"].is_i64());
    expected["client_secret"] = answer["client_secret"].clone();
    expected["client_secret_expires_at"] = json!(0);
    assert_eq!(answer, expected);
    let secret = answer["client_secret"].as_str().unwrap();
    assert!(secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
}

#[tokio::test]
async fn what_is_left_out_has_the_defaults_of_rfc_7591_and_ours() {
    let db = Database::new().await;
    let app = client(&db, json!({"client_id": "my-app", "redirect_uris": ["https://a.example/cb"]})).await;
    assert_eq!(
        app.metadata,
        json!({
            "client_id": "my-app", "client_id_issued_at": app.metadata["client_id_issued_at"],
            "client_secret": app.secret, "client_secret_expires_at": 0,
            "redirect_uris": ["https://a.example/cb"], "post_logout_redirect_uris": [],
            "token_endpoint_auth_method": "client_secret_basic", "grant_types": ["authorization_code"],
            "response_types": ["code"], "application_type": "web", "subject_type": "public",
            "id_token_signed_response_alg": "RS256", "first_party": false, "introspect_any": false,
            "refresh_token": "offline_access", "refresh_token_rotation": true, "access_token_lifetime": 300,
            "id_token_lifetime": 300, "refresh_token_idle_lifetime": 1_209_600, "refresh_token_lifetime": 7_776_000
        })
    );
    let public = public_client(&db).await;
    assert_eq!((public.metadata.get("client_secret"), public.metadata.get("client_secret_expires_at")), (None, None));
}

#[tokio::test]
async fn a_wrong_member_is_refused_by_name() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let kinds =
        "must be https, http on loopback or, for native clients, a scheme of reversed domain name; without fragment";
    for (change, message) in [
        (json!({"redirect_uris": "https://a.example"}), "redirect_uris: must be an array of URIs".to_string()),
        (json!({"redirect_uris": []}), "redirect_uris: are required for authorization_code".into()),
        (json!({"redirect_uris": ["http://a.example/cb"]}), format!("redirect_uris: {kinds}")),
        (json!({"post_logout_redirect_uris": ["ftp://a.example"]}), format!("post_logout_redirect_uris: {kinds}")),
        (json!({"token_endpoint_auth_method": "session"}), "token_endpoint_auth_method: must be one of none, client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth, self_signed_tls_client_auth".into()),
        (json!({"grant_types": ["password"]}), "grant_types: must be an array of some of authorization_code, implicit, refresh_token, client_credentials".into()),
        (json!({"grant_types": ["refresh_token"]}), "grant_types: refresh_token needs one that gives the first refresh token: authorization_code".into()),
        (json!({"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"}), "grant_types: client_credentials needs a client that authenticates".into()),
        (json!({"response_types": []}), "response_types: must fit grant_types: code needs authorization_code, id_token needs implicit, id_token token needs implicit, code id_token needs authorization_code and implicit, code token needs authorization_code and implicit, code id_token token needs authorization_code and implicit".into()),
        (json!({"application_type": "desktop"}), "application_type: must be one of web, native".into()),
        (json!({"scope": "openid  profile"}), "scope: must be scope names separated by one space each".into()),
        (json!({"scope": ["openid"]}), "scope: must be scope names separated by one space each".into()),
        (json!({"client_name": 1}), "client_name: must be a string of 1 to 2000 characters without control characters".into()),
        (json!({"client_name#de": 1}), "client_name#de: must be a string of 1 to 2000 characters without control characters".into()),
        (json!({"logo_uri": "javascript:alert(1)"}), "logo_uri: must be an https URL (http on loopback)".into()),
        (json!({"logo_uri#fr": "data:x"}), "logo_uri#fr: must be an https URL (http on loopback)".into()),
        (json!({"contacts": [1]}), "contacts: must be an array of strings".into()),
        (json!({"request_uris": "https://a.example/r"}), "request_uris: must be an array of https URLs (http on loopback)".into()),
        (json!({"request_uris": ["http://a.example/r"]}), "request_uris: must be an array of https URLs (http on loopback)".into()),
        (json!({"request_uris": ["https://a.example/r", "urn:x"]}), "request_uris: must be an array of https URLs (http on loopback)".into()),
        (json!({"request_uris": ["https://x@a.example/r"]}), "request_uris: must be an array of https URLs (http on loopback)".into()),
        (json!({"jwks": []}), "jwks: must be a JSON Web Key Set of public keys".into()),
        (json!({"jwks": {"keys": [1]}}), "jwks: must be a JSON Web Key Set of public keys".into()),
        (json!({"jwks": {"keys": [{"kid": "a"}]}}), "jwks: must be a JSON Web Key Set of public keys".into()),
        (json!({"jwks": {"keys": [{"kty": "oct", "k": "a"}]}}), "jwks: must be a JSON Web Key Set of public keys".into()),
        (json!({"unheard_of": "x".repeat(65536)}), "metadata: must be at most 64 kB of JSON".into()),
        (json!({"jwks": {"keys": []}, "jwks_uri": "https://a.example/jwks"}), "jwks: cannot stand beside jwks_uri".into()),
        (json!({"subject_type": "ephemeral"}), "subject_type: must be one of public, pairwise".into()),
        (json!({"id_token_signed_response_alg": "HS256"}), "id_token_signed_response_alg: must be one of RS256, PS256, ES256, EdDSA, none".into()),
        (json!({"id_token_signed_response_alg": "PS256"}), "id_token_signed_response_alg: there is no signing key for PS256: select identity.create_signing_key('PS256')".into()),
        (json!({"first_party": "yes"}), "first_party: must be true or false".into()),
        (json!({"introspect_any": true, "token_endpoint_auth_method": "none"}), "introspect_any: needs a client that authenticates".into()),
        (json!({"access_token_lifetime": 86401}), "access_token_lifetime: must be a whole number from 10 to 86400".into()),
        (json!({"access_token_lifetime": 60.5}), "access_token_lifetime: must be a whole number from 10 to 86400".into()),
        (json!({"refresh_token_lifetime": 60}), "refresh_token_idle_lifetime: cannot be longer than refresh_token_lifetime".into()),
        (json!({"client_id": "a b"}), "client_id: must be 1 to 1024 visible ASCII characters".into()),
    ] {
        let mut metadata = json!({"redirect_uris": ["https://a.example/cb"]});
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = admin.query_one("select identity.client_create($1)", &[&metadata]).await;
        assert_eq!(refusal(refused), ("ID005".into(), message), "{change}");
    }
    for metadata in [json!([]), json!("x")] {
        let refused = admin.query_one("select identity.client_create($1)", &[&metadata]).await;
        assert_eq!(refusal(refused), ("ID005".into(), "metadata: must be a JSON object".into()));
    }
    create(&admin, &json!({"client_id": "a", "redirect_uris": ["https://a.example"]})).await;
    let again = json!({"client_id": "a", "redirect_uris": ["https://a.example"]});
    let refused = admin.query_one("select identity.client_create($1)", &[&again]).await;
    assert_eq!(refusal(refused), ("ID007".into(), "client_id: this client exists already".into()));
}

#[tokio::test]
async fn only_safe_places_may_be_registered_to_redirect_to() {
    let db = Database::new().await;
    let owner = db.owner().await;
    for (uri, web, native) in [
        ("https://a.example/cb", true, true),
        ("https://a.example:8443/cb?x=y", true, true),
        ("http://127.0.0.1:4700/cb", true, true),
        ("http://[::1]/cb", true, true),
        ("http://localhost:3000", true, true),
        ("com.example.app:/cb", false, true),
        ("com.example.app://cb", false, true),
        ("myapp:/cb", false, false),
        ("http://a.example/cb", false, false),
        ("http://localhost.evil.example/", false, false),
        ("http://localhost:80@evil.example/", false, false),
        ("https://user@a.example/", false, false),
        ("https://a.example/#fragment", false, false),
        ("https://a.example/ cb", false, false),
        ("https://a.example\\@evil.example/", false, false),
        ("https:///cb", false, false),
        ("javascript:alert(1)", false, false),
        ("data:text/html,x", false, false),
        ("//a.example/cb", false, false),
        ("/cb", false, false),
    ] {
        let row = owner
            .query_one(
                "select identity_store.redirect_uri_fits($1, 'web'), identity_store.redirect_uri_fits($1, 'native')",
                &[&uri],
            )
            .await
            .unwrap();
        assert_eq!((row.get::<_, bool>(0), row.get::<_, bool>(1)), (web, native), "{uri}");
    }
}

#[tokio::test]
async fn an_update_is_a_merge_patch() {
    let db = Database::new().await;
    let (admin, sql) = (db.admin().await, db.gateway_role().await);
    let app = client(&db, json!({"redirect_uris": ["https://a.example/cb"], "client_name": "A", "client_name#fr": "Â", "access_token_lifetime": 60})).await;
    let answer = update(
        &admin,
        &app.id,
        json!({"client_name": null, "access_token_lifetime": null, "tos_uri": "https://a.example/tos"}),
    )
    .await;
    let mut expected = app.metadata.clone();
    for gone in ["client_name", "client_secret", "client_secret_expires_at"] {
        expected.as_object_mut().unwrap().remove(gone);
    }
    expected["access_token_lifetime"] = json!(300);
    expected["tos_uri"] = json!("https://a.example/tos");
    assert_eq!(answer, expected);
    let answer = update(&admin, &app.id, json!({"grant_types": ["client_credentials"]})).await;
    assert_eq!(answer["response_types"], json!([]), "follow from the grant types");
    assert!(authenticates(&sql, &app.id, app.secret.as_deref().unwrap()).await);

    let public = json!({"token_endpoint_auth_method": "none", "grant_types": ["authorization_code"]});
    assert_eq!(update(&admin, &app.id, public).await.get("client_secret"), None);
    let answer = update(&admin, &app.id, json!({"token_endpoint_auth_method": "client_secret_basic"})).await;
    assert!(authenticates(&sql, &app.id, answer["client_secret"].as_str().unwrap()).await, "a new secret");
    assert!(!authenticates(&sql, &app.id, app.secret.as_deref().unwrap()).await, "the old one is gone");

    for (id, patch, code, message) in [
        ("nobody", json!({}), "ID006", "client_id: there is no such client"),
        (&app.id, json!({"client_id": "b"}), "ID005", "client_id: cannot be changed"),
        (&app.id, json!({"redirect_uris": null}), "ID005", "redirect_uris: are required for authorization_code"),
        (&app.id, json!([]), "ID005", "metadata: must be a JSON object"),
    ] {
        let refused = admin.query_one("select identity.client_update($1, $2)", &[&id, &patch]).await;
        assert_eq!(refusal(refused), (code.into(), message.into()));
    }
}

#[tokio::test]
async fn an_old_secret_is_good_for_the_overlap_and_no_longer() {
    let db = Database::new().await;
    let (admin, sql, app) = (db.admin().await, db.gateway_role().await, web_client(&db).await);
    let first = app.secret.as_deref().unwrap();
    let rotate = async |overlap: &str| -> String {
        let query = "select identity.client_rotate_secret($1, $2::text::interval)";
        let answer: Value = admin.query_one(query, &[&app.id, &overlap]).await.unwrap().get(0);
        let secret = answer["client_secret"].as_str().unwrap().to_string();
        assert_eq!(answer, json!({"client_id": app.id, "client_secret": secret, "client_secret_expires_at": 0}));
        secret
    };
    let second = rotate("1 hour").await;
    assert!(authenticates(&sql, &app.id, first).await && authenticates(&sql, &app.id, &second).await);
    let third = rotate("0").await;
    assert!(!authenticates(&sql, &app.id, first).await && !authenticates(&sql, &app.id, &second).await);
    assert!(authenticates(&sql, &app.id, &third).await);
    let public = public_client(&db).await;
    let refused = admin.query_one("select identity.client_rotate_secret($1)", &[&public.id]).await;
    assert_eq!(refusal(refused), ("ID005".into(), "client_id: a public client has no secret".into()));
}

#[tokio::test]
async fn a_deleted_client_leaves_nothing_that_works() {
    let db = Database::new().await;
    let (admin, sql, job) = (db.admin().await, db.gateway_role().await, service_client(&db).await);
    let watcher = service_client(&db).await;
    let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&job.id, &job.secret, &method(&job), &None::<&str>, &None::<Vec<&str>>];
    let (_, answer) = call(&sql, "token_client_credentials", &arguments).await;
    let token = answer["access_token"].as_str().unwrap();
    let ask: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&watcher.id, &watcher.secret, &method(&watcher), &token, &None::<&str>];
    assert_eq!(call(&sql, "token_introspect", &ask).await.1["active"], true);
    admin.execute("select identity.client_delete($1)", &[&job.id]).await.unwrap();
    assert_eq!(call(&sql, "token_introspect", &ask).await.1, json!({"active": false}));
    assert_eq!(
        call(&sql, "token_client_credentials", &arguments).await,
        refused("invalid_client", "client authentication failed")
    );
    let refused = admin.query_one("select identity.client_delete($1)", &[&job.id]).await;
    assert_eq!(refusal(refused), ("ID006".into(), "client_id: there is no such client".into()));
    let listed = admin.query("select client_id from identity.client_list()", &[]).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.get(0)).collect::<Vec<String>>(), [watcher.id]);
}

#[tokio::test]
async fn nobody_but_an_administrator_may_administer_clients() {
    let db = Database::new().await;
    let app = web_client(&db).await;
    for role in [db.gateway_role().await, db.app().await] {
        for query in [
            "select identity.client_create('{}')",
            "select identity.client_update('x', '{}')",
            "select identity.client_rotate_secret('x')",
            "select identity.client_delete('x')",
            "select identity.client_read('x')",
            "select * from identity.client_list()",
            "select identity.scope_create('x', 'x')",
            "select identity.resource_create('x', 'x')",
            "select * from identity_store.clients",
            "select identity_store.client_secret_mint('x')",
        ] {
            assert_eq!(refusal(role.query(query, &[]).await).0, "42501", "{query}");
        }
    }
    let admin = db.admin().await;
    let query = "select outcome from identity.token_client_credentials($1, $2, 'client_secret_basic', null, null)";
    assert_eq!(
        refusal(admin.query(query, &[&app.id, &app.secret]).await).0,
        "42501",
        "an administrator is not the gateway"
    );
}
