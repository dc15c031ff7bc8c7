//! Algorithms stand in several lists (sql/store/functions/client_metadata.sql, provider_metadata.sql, the checks of
//! migrations/0004_clients.sql): what discovery advertises is what a client is registered for, and nothing else is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::authorize::call;
use crate::issuers::Foreign;
use crate::jwt::merged;
use crate::support::{Browser, Database, Gateway};
use crate::users::refusal;

/// RFC 7518 §3.1, §4.1 and §5.1, what was registered since (RFC 8037, 8812, 9864 and WebCrypto's), and what never was.
const NAMES: [&str; 66] = [
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "ES256",
    "ES384",
    "ES512",
    "PS256",
    "PS384",
    "PS512",
    "none",
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "A128KW",
    "A192KW",
    "A256KW",
    "dir",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "ECDH-ES+A192KW",
    "ECDH-ES+A256KW",
    "A128GCMKW",
    "A192GCMKW",
    "A256GCMKW",
    "PBES2-HS256+A128KW",
    "PBES2-HS384+A192KW",
    "PBES2-HS512+A256KW",
    "A128CBC-HS256",
    "A192CBC-HS384",
    "A256CBC-HS512",
    "A128GCM",
    "A192GCM",
    "A256GCM",
    "EdDSA",
    "Ed25519",
    "Ed448",
    "ES256K",
    "RSA-OAEP-384",
    "RSA-OAEP-512",
    "RS1",
    "HS1",
    "X25519",
    "ML-DSA-44",
    "ML-DSA-65",
    "ML-DSA-87",
    "A128CTR",
    "A256CBC",
    "None",
    "NONE",
    "rs256",
    "RS256 ",
    " RS256",
    "RS256,ES256",
    "RS256 ES256",
    "RS 256",
    "RS256\u{0}",
    "RS256\n",
    "ＲＳ256",
    "",
    "*",
    "%",
    "RS",
    "null",
];

/// What discovery calls the list, the member of client metadata that is one of it, and what has to stand beside that.
fn lists() -> Vec<(&'static str, &'static str, Vec<Value>)> {
    let mut lists = Vec::new();
    for (signing, signed, encryption, encrypted) in [
        (
            "id_token_signing_alg_values_supported",
            "id_token_signed_response_alg",
            ["id_token_encryption_alg_values_supported", "id_token_encryption_enc_values_supported"],
            ["id_token_encrypted_response_alg", "id_token_encrypted_response_enc"],
        ),
        (
            "userinfo_signing_alg_values_supported",
            "userinfo_signed_response_alg",
            ["userinfo_encryption_alg_values_supported", "userinfo_encryption_enc_values_supported"],
            ["userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc"],
        ),
        (
            "request_object_signing_alg_values_supported",
            "request_object_signing_alg",
            ["request_object_encryption_alg_values_supported", "request_object_encryption_enc_values_supported"],
            ["request_object_encryption_alg", "request_object_encryption_enc"],
        ),
    ] {
        lists.push((signing, signed, vec![json!({})]));
        lists.push((encryption[0], encrypted[0], vec![json!({})]));
        lists.push((encryption[1], encrypted[1], vec![json!({ encrypted[0]: "ECDH-ES" })]));
    }
    let methods =
        ["client_secret_jwt", "private_key_jwt"].map(|method| json!({ "token_endpoint_auth_method": method }));
    for list in [
        "token_endpoint_auth_signing_alg_values_supported",
        "introspection_endpoint_auth_signing_alg_values_supported",
        "revocation_endpoint_auth_signing_alg_values_supported",
    ] {
        lists.push((list, "token_endpoint_auth_signing_alg", methods.to_vec()));
    }
    lists
}

/// Public keys that everything can be signed with and encrypted to.
fn keys() -> Value {
    let keys = [("ES256", "sig"), ("EdDSA", "sig"), ("RS256", "sig"), ("ES256", "enc"), ("RS256", "enc")].map(
        |(of, purpose)| {
            let mut key = merged(Foreign::new(of).jwk, json!({ "kid": format!("{of} {purpose}"), "use": purpose }));
            key.as_object_mut().unwrap().remove("alg");
            key
        },
    );
    json!({ "keys": keys })
}

/// Whether a client is registered for it, by the name that it gave.
async fn accepted(admin: &tokio_postgres::Client, member: &str, name: &str, metadata: &Value) -> bool {
    match admin.query_one("select identity.client_create($1::text::jsonb)", &[&metadata.to_string()]).await {
        Ok(row) => {
            assert_eq!(row.get::<_, Value>(0)[member], json!(name), "{member}");
            true
        }
        Err(error) => {
            let (sqlstate, message) = refusal(&error);
            // JSON in PostgreSQL has no U+0000.
            let named = sqlstate == "ID005" && message.starts_with(&format!("{member}: "));
            assert!(named || name.contains('\0') && sqlstate == "22P05", "{member} {name:?}: {sqlstate} {message}");
            false
        }
    }
}

/// Holds every list of this database against what it accepts; gives the names that were, by list.
async fn assert_that_what_is_advertised_is_accepted(db: &Database) -> Vec<(&'static str, BTreeSet<String>)> {
    let gateway = Gateway::start_beside(db, &[]).await;
    let (admin, keys) = (db.admin().await, keys());
    let metadata = Browser::new().get(gateway.url("/.well-known/openid-configuration")).await.json();
    let (mut names, mut seen) = (BTreeSet::new(), Vec::new());
    for (list, member, beside) in lists() {
        let advertised: BTreeSet<String> = serde_json::from_value(metadata[list].clone()).unwrap();
        assert_eq!(Some(advertised.len()), metadata[list].as_array().map(Vec::len), "{list} names something twice");
        let mut registered = BTreeSet::new();
        for name in NAMES {
            for beside in &beside {
                let client = json!({ "redirect_uris": ["https://a.example/cb"], "jwks": keys, member: name });
                if accepted(&admin, member, name, &merged(client, beside.clone())).await {
                    registered.insert(name.to_owned());
                }
            }
        }
        assert_eq!(advertised, registered, "{list}");
        names.insert(list);
        seen.push((list, registered));
    }
    // A list that nobody compares would be one more that is forgotten.
    let all = metadata.as_object().unwrap().keys().map(String::as_str);
    let all: BTreeSet<&str> =
        all.filter(|member| member.contains("_alg_values") || member.contains("_enc_values")).collect();
    assert_eq!(all, names);
    seen
}

#[tokio::test]
async fn a_client_is_registered_for_the_algorithms_that_discovery_names_and_for_no_other() {
    let db = Database::new().await;
    let before = assert_that_what_is_advertised_is_accepted(&db).await;
    // What a new key makes possible is advertised and registered with it.
    let keys = "select identity.create_signing_key('PS256'), identity.create_signing_key('EdDSA'),
      identity.create_encryption_key('RSA-OAEP-256')";
    db.admin().await.batch_execute(keys).await.unwrap();
    let after = assert_that_what_is_advertised_is_accepted(&db).await;
    let more: Vec<_> = before
        .iter()
        .zip(&after)
        .map(|((list, before), (_, after))| (*list, after.difference(before).map(String::as_str).collect::<Vec<_>>()))
        .filter(|(_, more)| !more.is_empty())
        .collect();
    assert_eq!(
        more,
        [
            ("id_token_signing_alg_values_supported", vec!["EdDSA", "PS256"]),
            ("userinfo_signing_alg_values_supported", vec!["EdDSA", "PS256"]),
            ("request_object_encryption_alg_values_supported", vec!["RSA-OAEP-256"]),
        ]
    );
}

/// The answer is there always, so that a gateway says what is missing and not that its database is broken.
#[tokio::test]
async fn without_a_signing_key_the_metadata_name_no_algorithm_of_ours_and_all_the_rest() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let (outcome, mut expected) = call(&sql, "provider_metadata", &[]).await;
    assert_eq!(outcome, "ok");
    db.superuser().await.batch_execute("delete from identity.signing_keys").await.unwrap();
    for list in ["id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported"] {
        assert!(expected.as_object_mut().unwrap().remove(list).is_some(), "{list}");
    }
    assert_eq!(call(&sql, "provider_metadata", &[]).await, ("ok".into(), expected));
}
