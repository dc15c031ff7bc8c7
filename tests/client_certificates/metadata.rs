//! What a client with a certificate may register, and what of it is told (RFC 8705 §2.1.2, §2.2.2).

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

use super::{Certificate, UNVERIFIED, VERIFIED, detail, known_by, shown};
use crate::authorize::call;
use crate::jwt::merged;
use crate::registration::{confidential, configure, refused, register, registered, replace, text};
use crate::support::{Database, client};

#[tokio::test]
async fn exactly_one_name_is_registered_for_tls_client_auth_and_none_for_others() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let key = Certificate::new("/CN=a", "").jwk();
    let one = "tls_client_auth_subject_dn: or one of tls_client_auth_san_dns, _uri, _ip and _email, and no second one, is required for tls_client_auth";
    let none = "tls_client_auth_subject_dn: and tls_client_auth_san_dns, _uri, _ip and _email are for tls_client_auth";
    for (metadata, expected) in [
        (json!({ "token_endpoint_auth_method": VERIFIED }), one),
        (
            json!({ "token_endpoint_auth_method": VERIFIED, "tls_client_auth_san_dns": "a.example", "tls_client_auth_san_ip": "192.0.2.1" }),
            one,
        ),
        (json!({ "tls_client_auth_san_dns": "a.example" }), none),
        (
            json!({ "token_endpoint_auth_method": UNVERIFIED, "jwks": { "keys": [key] }, "tls_client_auth_san_dns": "a.example" }),
            none,
        ),
        (
            json!({ "token_endpoint_auth_method": UNVERIFIED }),
            "jwks: or jwks_uri is required for self_signed_tls_client_auth",
        ),
        (
            json!({ "token_endpoint_auth_method": VERIFIED, "tls_client_auth_subject_dn": "/C=DE/CN=a" }),
            "tls_client_auth_subject_dn: must be an RFC 4514 distinguished name",
        ),
        (
            json!({ "token_endpoint_auth_method": VERIFIED, "tls_client_auth_san_dns": "*.example" }),
            "tls_client_auth_san_dns: must be a host name",
        ),
        (
            json!({ "token_endpoint_auth_method": VERIFIED, "tls_client_auth_san_uri": "a b" }),
            "tls_client_auth_san_uri: must be a URI",
        ),
        (
            json!({ "token_endpoint_auth_method": VERIFIED, "tls_client_auth_san_ip": "192.0.2.0/24" }),
            "tls_client_auth_san_ip: must be an IP address",
        ),
        (
            json!({ "token_endpoint_auth_method": VERIFIED, "tls_client_auth_san_email": ["a@a.example"] }),
            "tls_client_auth_san_email: must be an e-mail address",
        ),
    ] {
        let metadata = merged(json!({ "grant_types": ["client_credentials"] }), metadata);
        let error = admin.query_one("select identity.client_create($1)", &[&metadata]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code().code(), error.message()), ("ID005", expected), "{metadata}");
    }
}

#[tokio::test]
async fn a_client_moves_from_a_secret_to_a_certificate_and_to_another_name() {
    let db = Database::new().await;
    let (sql, admin) = (db.gateway_role().await, db.admin().await);
    let certificate = Certificate::new("/CN=a", "DNS:a.example");
    let app = client(&db, json!({ "grant_types": ["client_credentials"] })).await;
    let update = async |patch: Value| -> Value {
        admin.query_one("select identity.client_update($1, $2)", &[&app.id, &patch]).await.unwrap().get(0)
    };
    let ask = async || shown(&sql, Some(&app.id), VERIFIED, Some(&certificate.der)).await.0;
    assert_eq!(ask().await, "invalid_client");
    let told = update(json!({ "token_endpoint_auth_method": VERIFIED, "tls_client_auth_subject_dn": "CN=a" })).await;
    assert_eq!(
        (&told["token_endpoint_auth_method"], &told["tls_client_auth_subject_dn"], &told["client_secret"]),
        (&json!(VERIFIED), &json!("CN=a"), &Value::Null)
    );
    assert_eq!(ask().await, "ok");
    let secrets = "select count(*) from identity_store.client_secrets where client_id = $1";
    assert_eq!(db.superuser().await.query_one(secrets, &[&app.id]).await.unwrap().get::<_, i64>(0), 0);
    let told = update(json!({ "tls_client_auth_subject_dn": null, "tls_client_auth_san_dns": "b.example" })).await;
    assert_eq!((told.get("tls_client_auth_subject_dn"), &told["tls_client_auth_san_dns"]), (None, &json!("b.example")));
    assert_eq!(ask().await, "invalid_client");
    update(json!({ "tls_client_auth_san_dns": "a.example" })).await;
    assert_eq!(ask().await, "ok");
    let rotated = admin.query_one("select identity.client_rotate_secret($1)", &[&app.id]).await.unwrap_err();
    assert_eq!(rotated.as_db_error().unwrap().message(), "client_id: a client with keys of its own has no secret");
    // And back.
    let told = update(json!({ "token_endpoint_auth_method": null, "tls_client_auth_san_dns": null })).await;
    assert!(told["client_secret"].is_string(), "{told}");
    assert_eq!(ask().await, "invalid_client");
}

#[tokio::test]
async fn a_name_is_kept_as_it_was_written() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    let name = "cn=A ,  O=Straße";
    let app = known_by(&db, VERIFIED, json!({ "tls_client_auth_subject_dn": name })).await;
    assert_eq!(app.metadata["tls_client_auth_subject_dn"], name);
    let certificate = Certificate::new("/O=STRASSE/CN=a", "");
    assert_eq!(shown(&sql, Some(&app.id), VERIFIED, Some(&certificate.der)).await.0, "ok");
    let reversed = Certificate::new("/CN=a/O=STRASSE", "");
    let of_another = "client certificate: of another subject";
    assert_eq!(detail(&sql, &app, VERIFIED, Some(&reversed.der)).await, of_another);
}

#[tokio::test]
async fn a_client_that_registers_itself_may_be_known_by_a_certificate() {
    let db = Database::new().await;
    let sql = db.gateway_role().await;
    configure(&db, "'open'").await;
    let certificate = Certificate::new("/CN=a", "DNS:a.example");
    let named = |name: &str| {
        merged(confidential(), json!({ "token_endpoint_auth_method": VERIFIED, "tls_client_auth_san_dns": name }))
    };
    let told = registered(&sql, &named("a.example")).await;
    assert_eq!(
        (&told["token_endpoint_auth_method"], &told["tls_client_auth_san_dns"], told.get("client_secret")),
        (&json!(VERIFIED), &json!("a.example"), None)
    );
    let client_id = text(&told, "client_id");
    let proved = async || {
        let arguments: [&(dyn ToSql + Sync); 6] =
            [&client_id, &None::<&str>, &VERIFIED, &"x", &None::<&str>, &certificate.der];
        call(&sql, "token_revoke", &arguments).await.0
    };
    assert_eq!(proved().await, "ok");
    let token = text(&told, "registration_access_token");
    let (outcome, told) =
        replace(&sql, client_id, token, &merged(named("b.example"), json!({ "client_id": client_id }))).await;
    assert_eq!((outcome.as_str(), &told["tls_client_auth_san_dns"]), ("ok", &json!("b.example")));
    assert_eq!(proved().await, "invalid_client");
    let error = register(&sql, &named("*.example")).await;
    assert_eq!(error, refused("invalid_client_metadata", "tls_client_auth_san_dns: must be a host name"));
}
