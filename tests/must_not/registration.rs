//! Redirect URIs that are never registered (RFC 6749 §3.1.2; RFC 9700 §2.6; RFC 8252 §7, §8.4; OpenID Connect Core §3.1.2.1, §3.2.2.1).

use serde_json::json;

use crate::support::Database;

#[tokio::test]
async fn no_client_gets_an_address_that_nobody_may_be_sent_to() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let uris = "redirect_uris: must be https, http on loopback or, for native clients, a scheme of reversed domain name; without fragment";
    let https = "redirect_uris: must be https, and not on this machine, for response types with token or id_token of a web client";
    let required = "redirect_uris: are required for authorization_code";
    for (section, change, message) in [
        ("RFC 6749 §3.1.2: MUST be an absolute URI", json!({"redirect_uris": ["/callback"]}), uris),
        ("RFC 6749 §3.1.2: MUST be an absolute URI", json!({"redirect_uris": ["//a.example/cb"]}), uris),
        ("RFC 6749 §3.1.2: MUST NOT include a fragment", json!({"redirect_uris": ["https://a.example/cb#x"]}), uris),
        ("RFC 6749 §3.1.2: MUST NOT include a fragment", json!({"redirect_uris": ["https://a.example/cb#"]}), uris),
        ("RFC 9700 §2.6: MUST NOT allow http", json!({"redirect_uris": ["http://a.example/cb"]}), uris),
        (
            "RFC 9700 §2.6: except on loopback, of native clients",
            json!({"redirect_uris": ["http://127.0.0.1.evil.example/cb"], "application_type": "native"}),
            uris,
        ),
        ("RFC 6749 §10.14: no script", json!({"redirect_uris": ["javascript:alert(1)"]}), uris),
        (
            "RFC 8252 §7.1: MUST be based on a domain name",
            json!({"redirect_uris": ["myapp:/cb"], "application_type": "native"}),
            uris,
        ),
        ("RFC 8252 §8.4: of native clients only", json!({"redirect_uris": ["com.example.app:/cb"]}), uris),
        (
            "Core §3.2.2.1: MUST NOT use http",
            json!({"redirect_uris": ["http://127.0.0.1/cb"], "response_types": ["id_token"]}),
            https,
        ),
        ("RFC 6749 §3.1.2.2: MUST be registered by public clients", json!({"redirect_uris": []}), required),
        (
            "RFC 6749 §3.1.2.2: and for the implicit grant",
            json!({"redirect_uris": [], "response_types": ["id_token"]}),
            "redirect_uris: are required for implicit",
        ),
    ] {
        let mut metadata = json!({"token_endpoint_auth_method": "none"});
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let error = admin.query_one("select identity.client_create($1)", &[&metadata]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code().code(), error.message()), ("ID005", message), "{section}: {change}");
    }
}
