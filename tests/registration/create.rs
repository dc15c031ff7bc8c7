//! What is registered, and what is not: RFC 7591 §2, §3; OpenID Connect Registration 1.0 §2, §3.

use serde_json::{Value, json};

use super::{client_of, confidential, configure, count, public, refused, register, registered, text};
use crate::authorize::call;
use crate::bad_input::digest;
use crate::jwt::merged;
use crate::support::Database;

#[tokio::test]
async fn a_registration_answers_all_that_was_registered_with_secret_token_and_address() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let sql = db.gateway_role().await;
    let metadata = json!({
        "redirect_uris": ["com.example.app:/cb?x=1", "com.example.app:/two"], "post_logout_redirect_uris": ["https://a.example/"],
        "token_endpoint_auth_method": "client_secret_post", "grant_types": ["authorization_code", "refresh_token", "implicit"],
        "response_types": ["code", "id_token token", "code id_token"], "application_type": "native", "scope": "openid profile",
        "client_name": "A", "client_name#fr": "Â", "client_uri": "https://a.example", "client_uri#ja-Hani-JP": "https://a.example/ja",
        "logo_uri": "https://a.example/logo.png", "policy_uri": "https://a.example/policy", "tos_uri": "https://a.example/tos",
        "contacts": ["a@a.example"], "jwks": {"keys": []}, "software_id": "s", "software_version": "1", "subject_type": "pairwise",
        "userinfo_signed_response_alg": "RS256", "id_token_signed_response_alg": "ES256", "default_max_age": 3600,
        "require_auth_time": true, "default_acr_values": ["1"], "initiate_login_uri": "https://a.example/login",
        "request_object_signing_alg": "RS256"
    });
    let before = count(&db, "identity_store.clients").await;
    let mut sent = metadata.clone();
    sent["unheard_of"] = json!({"a": [1]});
    sent["jwks_uri"] = Value::Null;
    let answer = registered(&sql, &sent).await;
    let id = text(&answer, "client_id");
    let issued_at: i64 = db
        .superuser()
        .await
        .query_one(
            "select floor(extract(epoch from created_at))::bigint from identity_store.clients where id = $1",
            &[&id],
        )
        .await
        .unwrap()
        .get(0);
    let mut expected = metadata;
    expected["client_id"] = json!(id);
    expected["client_id_issued_at"] = json!(issued_at);
    expected["client_secret"] = answer["client_secret"].clone();
    expected["client_secret_expires_at"] = json!(0);
    expected["registration_access_token"] = answer["registration_access_token"].clone();
    expected["registration_client_uri"] = json!(format!("{}/register/{id}", db.issuer));
    assert_eq!(answer, expected);
    for (member, prefix) in [("client_secret", "secret_"), ("registration_access_token", "registration_")] {
        let secret = text(&answer, member);
        assert!(secret.starts_with(prefix) && secret.len() > 60, "{secret}");
        assert!(secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
    }
    let app = client_of(&answer);
    let proved = call(&sql, "token_revoke", &[&app.id, &app.secret, &"client_secret_post", &"x", &None::<&str>]).await;
    assert_eq!(proved.0, "ok");
    assert_eq!(count(&db, "identity_store.clients").await, before + 1);
}

#[tokio::test]
async fn what_is_left_out_has_the_defaults_of_the_specifications() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let sql = db.gateway_role().await;
    let answer = registered(&sql, &json!({ "redirect_uris": ["https://a.example/cb"] })).await;
    let mut defaults = answer.clone();
    for member in
        ["client_id", "client_id_issued_at", "client_secret", "registration_access_token", "registration_client_uri"]
    {
        assert!(defaults.as_object_mut().unwrap().remove(member).is_some(), "{member}");
    }
    assert_eq!(
        defaults,
        json!({
            "redirect_uris": ["https://a.example/cb"], "post_logout_redirect_uris": [], "client_secret_expires_at": 0,
            "token_endpoint_auth_method": "client_secret_basic", "grant_types": ["authorization_code"], "response_types": ["code"],
            "application_type": "web", "subject_type": "public", "id_token_signed_response_alg": "RS256",
            "scope": "openid profile email address phone offline_access"
        })
    );
    // RFC 7591 §2.1: grant types follow from response types.
    let hybrid = json!({ "redirect_uris": ["https://a.example/cb"], "response_types": ["id_token code"] });
    let answer = registered(&sql, &hybrid).await;
    assert_eq!(answer["response_types"], json!(["code id_token"]));
    assert_eq!(answer["grant_types"], json!(["authorization_code", "implicit"]));
    let encrypted = json!({
        "redirect_uris": ["https://a.example/cb"], "id_token_encrypted_response_alg": "ECDH-ES", "jwks_uri": "https://a.example/jwks"
    });
    assert_eq!(registered(&sql, &encrypted).await["id_token_encrypted_response_enc"], json!("A128CBC-HS256"));
}

/// Whoever adds a member says here whether a stranger may register it.
#[tokio::test]
async fn our_settings_are_nobody_s_to_register() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let (sql, owner) = (db.gateway_role().await, db.owner().await);
    let settings = [
        "access_token_lifetime",
        "first_party",
        "id_token_lifetime",
        "introspect_any",
        "refresh_token",
        "refresh_token_idle_lifetime",
        "refresh_token_lifetime",
        "refresh_token_rotation",
    ];
    let query = "select array(select unnest(identity_store.client_settings()) order by 1),
      array(select m.member from identity_store.client_members() m where m.member !~ '^(redirect_uris|post_logout_redirect_uris|grant_types|response_types|application_type|scope|client_name|contacts|jwks|software_id|software_version|subject_type|default_max_age|require_auth_time|require_signed_request_object|default_acr_values|[a-z_]+_uri|[a-z_]+_uris|token_endpoint_auth_[a-z_]+|tls_client_auth_[a-z_]+|(id_token|userinfo|request_object)_[a-z_]+_(alg|enc)|(backchannel|frontchannel)_logout_session_required)$'
        order by 1)";
    let row = owner.query_one(query, &[]).await.unwrap();
    assert_eq!(
        (row.get::<_, Vec<String>>(0), row.get::<_, Vec<String>>(1)),
        (settings.map(String::from).to_vec(), settings.map(String::from).to_vec())
    );
    let wanted = json!({
        "first_party": true, "introspect_any": true, "refresh_token": "always", "refresh_token_rotation": false,
        "access_token_lifetime": 86400, "id_token_lifetime": 86400, "refresh_token_idle_lifetime": 31_536_000,
        "refresh_token_lifetime": 31_536_000, "client_id": "demo-app", "client_secret": "chosen", "id": "x", "created_at": "2000-01-01",
        "localized": {"first_party": true}, "first_party#en": true, "open": false, "used_at": "2000-01-01"
    });
    let answer = registered(&sql, &merged(confidential(), wanted)).await;
    let plain = registered(&sql, &confidential()).await;
    let stored = async |answer: &Value| -> Value {
        let query =
            "select to_jsonb(c) - array['id', 'created_at', 'updated_at'] from identity_store.clients c where id = $1";
        owner.query_one(query, &[&text(answer, "client_id")]).await.unwrap().get(0)
    };
    assert_eq!(stored(&answer).await, stored(&plain).await);
    assert_ne!(answer["client_id"], json!("demo-app"));
    assert_ne!(answer["client_secret"], json!("chosen"));
    assert_eq!(
        answer.as_object().unwrap().keys().collect::<Vec<_>>(),
        plain.as_object().unwrap().keys().collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_wrong_member_is_refused_by_name_and_leaves_nothing() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let before = digest(&superuser).await;
    let places =
        "must be https, http on loopback or, for native clients, a scheme of reversed domain name; without fragment";
    for (change, error, description) in [
        (json!({"redirect_uris": null}), "invalid_redirect_uri", "redirect_uris: are required for authorization_code".to_owned()),
        (json!({"redirect_uris": []}), "invalid_redirect_uri", "redirect_uris: are required for authorization_code".into()),
        (json!({"redirect_uris": "https://a.example"}), "invalid_redirect_uri", "redirect_uris: must be an array of URIs".into()),
        (json!({"redirect_uris": [null]}), "invalid_redirect_uri", "redirect_uris: must be an array of URIs".into()),
        (json!({"redirect_uris": ["https://a.example/cb#fragment"]}), "invalid_redirect_uri", format!("redirect_uris: {places}")),
        (json!({"redirect_uris": ["javascript:alert(1)"]}), "invalid_redirect_uri", format!("redirect_uris: {places}")),
        (json!({"redirect_uris": ["http://a.example/cb"]}), "invalid_redirect_uri", format!("redirect_uris: {places}")),
        (json!({"redirect_uris": ["com.example.app:/cb"]}), "invalid_redirect_uri", format!("redirect_uris: {places}")),
        (json!({"redirect_uris": ["http://localhost/cb"], "response_types": ["id_token"]}), "invalid_redirect_uri", "redirect_uris: must be https, and not on this machine, for response types with token or id_token of a web client".into()),
        (json!({"redirect_uris": ["https://a.example/cb", "https://b.example/cb"], "subject_type": "pairwise"}), "invalid_redirect_uri", "redirect_uris: of several hosts need sector_identifier_uri for pairwise subjects".into()),
        (json!({"post_logout_redirect_uris": ["http://a.example"]}), "invalid_client_metadata", format!("post_logout_redirect_uris: {places}")),
        (json!({"jwks": {"keys": []}, "jwks_uri": "https://a.example/jwks"}), "invalid_client_metadata", "jwks: cannot stand beside jwks_uri".into()),
        (json!({"jwks": {"keys": [{"kty": "RSA", "d": "x"}]}}), "invalid_client_metadata", "jwks: must be a JSON Web Key Set of public keys".into()),
        (json!({"token_endpoint_auth_method": "tls_magic"}), "invalid_client_metadata", "token_endpoint_auth_method: ".into()),
        (json!({"token_endpoint_auth_method": "private_key_jwt"}), "invalid_client_metadata", "jwks: or jwks_uri is required for private_key_jwt".into()),
        (json!({"response_types": ["token"]}), "invalid_client_metadata", "response_types: ".into()),
        (json!({"grant_types": ["authorization_code"], "response_types": ["id_token"]}), "invalid_client_metadata", "response_types: must fit grant_types: code needs authorization_code, id_token needs implicit, id_token token needs implicit, code id_token needs authorization_code and implicit, code token needs authorization_code and implicit, code id_token token needs authorization_code and implicit".into()),
        (json!({"grant_types": ["password"]}), "invalid_client_metadata", "grant_types: must be an array of some of ".into()),
        (json!({"grant_types": ["client_credentials"]}), "invalid_client_metadata", "grant_types: may be registered here: authorization_code, implicit, refresh_token".into()),
        (json!({"id_token_signed_response_alg": "none", "response_types": ["code id_token"]}), "invalid_client_metadata", "id_token_signed_response_alg: none is for clients whose ID tokens come from the token endpoint only".into()),
        // Not how an administrator would make it possible.
        (json!({"id_token_signed_response_alg": "PS256"}), "invalid_client_metadata", "id_token_signed_response_alg: there is no signing key for PS256".into()),
        (json!({"logo_uri#de": "javascript:alert(1)"}), "invalid_client_metadata", "logo_uri#de: must be an https URL (http on loopback)".into()),
        (json!({"client_name": "a\u{1}b"}), "invalid_client_metadata", "client_name: must be a string of 1 to 2000 characters without control characters".into()),
        (json!({"unheard_of": "x".repeat(65536)}), "invalid_client_metadata", "the body must be a JSON object of at most 64 kB".into()),
    ] {
        let (outcome, answer) = register(&sql, &merged(confidential(), change.clone())).await;
        let said = text(&answer, "error_description");
        // A description that ends with a space goes on with a list.
        let fits = if description.ends_with(' ') { said.starts_with(&description) } else { said == description };
        assert!(fits && outcome == error && answer["error"] == error, "{change}: {answer}");
        assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    }
    for body in [json!([]), json!("x"), json!(1), json!(null)] {
        let refusal = refused("invalid_client_metadata", "the body must be a JSON object of at most 64 kB");
        assert_eq!(register(&sql, &body).await, refusal, "{body}");
    }
    assert_eq!(digest(&superuser).await, before);
}

/// Each member that can be registered, with a value of each type that it is not of.
#[tokio::test]
async fn every_member_of_a_wrong_type_is_refused_by_its_name() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let members = "select m.member, m.kind from identity_store.client_members() m
      where not m.member = any (identity_store.client_settings())";
    let rows = superuser.query(members, &[]).await.unwrap();
    assert!(rows.len() > 30);
    let before = digest(&superuser).await;
    for row in rows {
        let (member, kind): (String, String) = (row.get(0), row.get(1));
        for value in [
            json!(1.5),
            json!(-1),
            json!(true),
            json!("\u{7f}"),
            json!([]),
            json!([1]),
            json!([[]]),
            json!({}),
            json!({"keys": 1}),
        ] {
            let fits = match kind.as_str() {
                "boolean" => value.is_boolean(),
                "texts" | "choices" | "redirect_uris" | "pages" => value == json!([]),
                _ => false,
            };
            if fits {
                continue;
            }
            let (outcome, answer) = register(&sql, &merged(confidential(), json!({ &member: value }))).await;
            assert!(
                ["invalid_client_metadata", "invalid_redirect_uri"].contains(&outcome.as_str()),
                "{member} {value}: {answer}"
            );
            assert!(
                text(&answer, "error_description").starts_with(&format!("{member}: ")),
                "{member} {value}: {answer}"
            );
        }
    }
    assert_eq!(digest(&superuser).await, before);
}

#[tokio::test]
async fn a_public_client_gets_no_secret_and_no_token_and_an_algorithm_of_its_own_is_kept() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let sql = db.gateway_role().await;
    let answer = registered(&sql, &public()).await;
    let expected = merged(
        public(),
        json!({
            "client_id": answer["client_id"], "client_id_issued_at": answer["client_id_issued_at"], "application_type": "web",
            "post_logout_redirect_uris": [], "subject_type": "public", "id_token_signed_response_alg": "RS256",
            "scope": "openid profile email address phone offline_access"
        }),
    );
    assert_eq!(answer, expected);
    // client_secret_jwt signs with its secret: it is sealed, and shown this once as any other.
    let signing = merged(
        confidential(),
        json!({ "token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "HS384" }),
    );
    let answer = registered(&sql, &signing).await;
    assert_eq!(
        (&answer["client_secret_expires_at"], &answer["token_endpoint_auth_signing_alg"]),
        (&json!(0), &json!("HS384"))
    );
    let kept = "identity_store.client_secrets where sealed is not null and secret_hash is null";
    assert_eq!(count(&db, kept).await, 1);
}
