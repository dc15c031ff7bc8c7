//! Discovery and public keys: what a client reads before anything else (OpenID Connect Discovery 1.0, RFC 8414).

use serde_json::{Value, json};

use crate::support::{Browser, Database, Gateway, Page};

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

fn header<'a>(page: &'a Page, name: &str) -> Option<&'a str> {
    page.headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn the_discovery_document_says_what_works_and_nothing_else() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let page = Browser::new().get(gateway.url(OPENID)).await;
    assert_eq!(page.status, 200);
    assert_eq!(header(&page, "content-type"), Some("application/json"));
    let mut document = page.json();
    let scopes = document["scopes_supported"].take();
    let claims = document["claims_supported"].take();
    document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let issuer = &gateway.issuer;
    let signing = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384",
        "HS512",
    ];
    assert_eq!(
        document,
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/jwks.json"),
            "introspection_endpoint": format!("{issuer}/introspect"),
            "revocation_endpoint": format!("{issuer}/revoke"),
            "end_session_endpoint": format!("{issuer}/logout"),
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
            "frontchannel_logout_supported": true,
            "frontchannel_logout_session_supported": true,
            "check_session_iframe": format!("{issuer}/session-state"),
            "response_types_supported":
                ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", "implicit"],
            "subject_types_supported": ["public", "pairwise"],
            "id_token_encryption_alg_values_supported": ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"],
            "id_token_encryption_enc_values_supported": ["A128CBC-HS256", "A256GCM"],
            "userinfo_signing_alg_values_supported": ["ES256", "RS256", "none"],
            "userinfo_encryption_alg_values_supported": ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"],
            "userinfo_encryption_enc_values_supported": ["A128CBC-HS256", "A256GCM"],
            "id_token_signing_alg_values_supported": document["id_token_signing_alg_values_supported"],
            "token_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"],
            "token_endpoint_auth_signing_alg_values_supported": signing,
            "introspection_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"],
            "introspection_endpoint_auth_signing_alg_values_supported": signing,
            "revocation_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"],
            "revocation_endpoint_auth_signing_alg_values_supported": signing,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "claim_types_supported": ["normal"],
            "claims_parameter_supported": true,
            "acr_values_supported": ["1"],
            "display_values_supported": ["page", "popup", "touch"],
            "ui_locales_supported": ["en", "de", "fr", "es", "pt"],
            "request_parameter_supported": true,
            "request_object_signing_alg_values_supported": ["none", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"],
            "request_object_encryption_alg_values_supported": ["ECDH-ES", "ECDH-ES+A256KW"],
            "request_object_encryption_enc_values_supported": ["A128CBC-HS256", "A256GCM"],
            "request_uri_parameter_supported": true,
            "require_request_uri_registration": true
        })
    );
    let has = |list: &Value, names: &[&str]| names.iter().all(|name| list.as_array().unwrap().contains(&json!(name)));
    assert!(has(&scopes, &["openid", "profile", "email", "address", "phone", "roles", "offline_access"]), "{scopes}");
    assert!(has(&claims, &["sub", "name", "preferred_username", "email", "address", "phone_number"]), "{claims}");
    assert!(has(&claims, &["acr", "amr", "auth_time", "nonce", "at_hash", "c_hash", "s_hash", "sid"]), "{claims}");
    // OpenID Connect Discovery §3: "RS256 MUST be included".
    assert!(has(&document["id_token_signing_alg_values_supported"], &["RS256"]));
}

#[tokio::test]
async fn no_member_of_the_metadata_is_null() {
    fn nulls(value: &Value) -> usize {
        match value {
            Value::Null => 1,
            Value::Array(items) => items.iter().map(nulls).sum(),
            Value::Object(members) => members.values().map(nulls).sum(),
            _ => 0,
        }
    }
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    for path in [OPENID, OAUTH, "/jwks.json"] {
        assert_eq!(nulls(&browser.get(gateway.url(path)).await.json()), 0, "{path}");
    }
}

#[tokio::test]
async fn both_well_known_paths_answer_the_same_document_and_unknown_ones_404() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    assert_eq!(browser.get(gateway.url(OPENID)).await.body, browser.get(gateway.url(OAUTH)).await.body);
    for path in [
        "/.well-known/webfinger",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/openid-configuration/tenant",
    ] {
        let page = browser.get(gateway.url(path)).await;
        assert_eq!(page.status, 404, "{path}");
        assert_eq!(page.json(), json!({ "error": "not_found" }), "{path}");
    }
}

#[tokio::test]
async fn an_issuer_with_a_path_is_found_by_the_inserted_and_the_appended_form() {
    let mut db = Database::new().await;
    let host = db.issuer.clone();
    db.issuer = format!("{host}/tenant");
    db.superuser().await.execute("select identity.configure($1)", &[&db.issuer]).await.unwrap();
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    for path in [
        "/.well-known/openid-configuration/tenant",
        "/.well-known/oauth-authorization-server/tenant",
        "/tenant/.well-known/openid-configuration",
        "/tenant/.well-known/oauth-authorization-server",
    ] {
        let page = browser.get(format!("{host}{path}")).await;
        assert_eq!(page.status, 200, "{path}");
        let document = page.json();
        assert_eq!(document["issuer"], db.issuer, "{path}");
        assert_eq!(document["jwks_uri"], format!("{}/jwks.json", db.issuer), "{path}");
    }
    assert_eq!(browser.get(gateway.url("/jwks.json")).await.status, 200);
    assert_eq!(browser.get(format!("{host}/tenant/.well-known/other")).await.status, 404);
}

#[tokio::test]
async fn documents_may_be_kept_for_a_while_and_are_not_sent_twice() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    for path in [OPENID, OAUTH, "/jwks.json"] {
        let first = browser.get(gateway.url(path)).await;
        let etag = header(&first, "etag").expect("an ETag").to_owned();
        let kept = header(&first, "cache-control").expect("Cache-Control").to_owned();
        assert!(kept.contains("max-age="), "{kept}");
        let again = browser.http.get(gateway.url(path)).header("If-None-Match", &etag);
        let second = browser.send(again).await;
        assert_eq!((second.status.as_u16(), second.body.as_str()), (304, ""), "{path}");
        assert_eq!(header(&second, "etag"), Some(etag.as_str()));
        assert_eq!(header(&second, "cache-control"), Some(kept.as_str()));

        // RFC 9110 §13.1.2: one of a list, compared weakly, or whatever there is; and nothing else.
        let asked = async |known: &str| {
            browser.send(browser.http.get(gateway.url(path)).header("If-None-Match", known)).await.status.as_u16()
        };
        for known in [format!("\"other\", {etag}"), format!("W/{etag}"), "*".to_owned()] {
            assert_eq!(asked(&known).await, 304, "{path} {known}");
        }
        for other in ["\"other\"", "", &etag[1..], &etag.to_lowercase()] {
            assert_eq!(asked(other).await, 200, "{path} {other}");
        }
        let head = browser.send(browser.http.head(gateway.url(path))).await;
        assert_eq!((head.status.as_u16(), head.body.as_str()), (200, ""));
        assert_eq!((header(&head, "etag"), header(&head, "cache-control")), (Some(etag.as_str()), Some(kept.as_str())));
        assert_eq!(header(&head, "content-length"), Some(first.body.len().to_string().as_str()), "{path}");
    }
}

#[tokio::test]
async fn the_published_keys_are_public() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let page = Browser::new().get(gateway.url("/jwks.json")).await;
    assert_eq!(page.status, 200);
    assert_eq!(header(&page, "content-type"), Some("application/json"));
    let keys = page.json()["keys"].as_array().unwrap().clone();
    let mut kinds: Vec<_> = keys.iter().map(|key| (key["use"].as_str().unwrap(), key["alg"].as_str())).collect();
    kinds.sort_unstable();
    kinds.dedup();
    // A key on a curve is encrypted to in two ways, and names neither.
    assert_eq!(kinds, [("enc", None), ("sig", Some("ES256")), ("sig", Some("RS256"))]);
    for key in &keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{private}");
        }
        assert!(key["kid"].is_string());
    }
}

/// Line 7: applications in a browser may call what needs no cookie, and nothing else.
#[tokio::test]
async fn cors_is_for_protocol_endpoints_and_never_for_pages() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    let preflight = |path: &str, method: &str| {
        browser.send(
            browser
                .http
                .request(reqwest::Method::OPTIONS, gateway.url(path))
                .header("Origin", "https://app.example")
                .header("Access-Control-Request-Method", method.to_owned())
                .header("Access-Control-Request-Headers", "authorization,dpop,mcp-protocol-version"),
        )
    };
    for (path, method) in [
        (OPENID, "GET"),
        (OAUTH, "GET"),
        ("/jwks.json", "GET"),
        ("/token", "POST"),
        ("/userinfo", "GET"),
        ("/revoke", "POST"),
        ("/register", "POST"),
    ] {
        let page = preflight(path, method).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(header(&page, "access-control-allow-origin"), Some("*"), "{path}");
        let headers = header(&page, "access-control-allow-headers").unwrap();
        for name in ["authorization", "content-type", "dpop", "mcp-protocol-version"] {
            assert!(headers.contains(name), "{path}: {headers}");
        }
        assert!(header(&page, "access-control-allow-credentials").is_none(), "{path}");
        let request = browser.http.get(gateway.url(path)).header("Origin", "https://app.example");
        let answer = browser.send(request).await;
        assert_eq!(header(&answer, "access-control-allow-origin"), Some("*"), "{path}");
    }
    for path in ["/authorize", "/login", "/consent", "/logout", "/", "/introspect"] {
        let page = preflight(path, "GET").await;
        assert!(header(&page, "access-control-allow-origin").is_none(), "{path}");
        let request = browser.http.get(gateway.url(path)).header("Origin", "https://app.example");
        let answer = browser.send(request).await;
        assert!(header(&answer, "access-control-allow-origin").is_none(), "{path}");
    }
}
