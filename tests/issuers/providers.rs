//! Access tokens in the form that well-known providers document, through their ready claim mappings.

use serde_json::{Value, json};
use tokio_postgres::Client;

use super::Foreign;
use crate::jwt::{authenticate, merged, sqlstate};
use crate::support::Database;

/// A provider, the token it would give, and what the readers answer.
struct Case {
    provider: &'static str,
    client: Option<&'static str>,
    algorithm: &'static str,
    audience: &'static str,
    header: Value,
    claims: Value,
    readers: Value,
}

const NOW: i64 = 1_700_000_000;

fn cases() -> Vec<Case> {
    vec![
        // https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles
        Case {
            provider: "auth0",
            client: None,
            algorithm: "RS256",
            audience: "https://example.com/health-api",
            header: json!({}),
            claims: json!({
                "iss": "https://my-domain.auth0.com/", "sub": "auth0|123456",
                "aud": ["https://example.com/health-api", "https://my-domain.auth0.com/userinfo"], "azp": "my_client_id",
                "scope": "openid profile read:patients read:admin", "org_id": "org_9ybsU1dN2dKfDkBi", "permissions": ["read:patients"]
            }),
            readers: json!({
                "subject": "auth0|123456", "client": "my_client_id", "organization": "org_9ybsU1dN2dKfDkBi",
                "scopes": ["openid", "profile", "read:patients", "read:admin"], "permissions": ["read:patients"]
            }),
        },
        // The same with the profile of RFC 9068.
        Case {
            provider: "auth0",
            client: None,
            algorithm: "RS256",
            audience: "https://example.com/health-api",
            header: json!({ "typ": "at+jwt" }),
            claims: json!({
                "iss": "https://my-domain.auth0.com/", "sub": "auth0|123456", "aud": "https://example.com/health-api",
                "client_id": "my_client_id", "jti": "73WakrfVbNJBaAmhQtEeDv", "scope": "openid"
            }),
            readers: json!({
                "subject": "auth0|123456", "client": "my_client_id", "token": "73WakrfVbNJBaAmhQtEeDv", "scopes": ["openid"]
            }),
        },
        // https://www.keycloak.org/docs/latest/server_admin/, with a client whose roles count beside those of the realm
        Case {
            provider: "keycloak",
            client: Some("orders-api"),
            algorithm: "RS256",
            audience: "orders-api",
            header: json!({}),
            claims: json!({
                "iss": "https://sso.example.com/realms/acme", "sub": "0f6a7c0e-3a51-4b3c-8f3e-0b7d7a1c2d3e", "aud": ["orders-api", "account"],
                "typ": "Bearer", "azp": "orders-web", "sid": "b5e7c1a0-4f5e-4f0e-9d5a-2c2a7a5b1f10", "acr": "1", "jti": "onrtac:8a1f",
                "allowed-origins": ["https://orders.example.com"], "realm_access": { "roles": ["offline_access", "employee"] },
                "resource_access": { "orders-api": { "roles": ["order-manager"] }, "account": { "roles": ["view-profile"] } },
                "scope": "openid email profile", "email_verified": true, "preferred_username": "alice"
            }),
            readers: json!({
                "subject": "0f6a7c0e-3a51-4b3c-8f3e-0b7d7a1c2d3e", "client": "orders-web", "session": "b5e7c1a0-4f5e-4f0e-9d5a-2c2a7a5b1f10",
                "acr": "1", "token": "onrtac:8a1f", "scopes": ["openid", "email", "profile"],
                "roles": ["offline_access", "employee", "order-manager"]
            }),
        },
        // https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference, version 2.0
        Case {
            provider: "entra",
            client: None,
            algorithm: "RS256",
            audience: "6e74172b-be56-4843-9ff4-e66a39bb12e3",
            header: json!({ "kid": "key-1" }),
            claims: json!({
                "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "iss": "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
                "aio": "AXQAi/8IAAAA", "azp": "1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d", "azpacr": "0", "name": "Abe Lincoln",
                "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474", "preferred_username": "abeli@microsoft.com", "rh": "I", "scp": "access_as_user Orders.Read",
                "roles": ["Orders.Approver"], "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
                "tid": "72f988bf-86f1-41af-91ab-2d7cd011db47", "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0"
            }),
            readers: json!({
                "subject": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ", "client": "1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d",
                "organization": "72f988bf-86f1-41af-91ab-2d7cd011db47", "token": "fqiBqXLPj0eQa82S-IYFAA",
                "scopes": ["access_as_user", "Orders.Read"], "roles": ["Orders.Approver"]
            }),
        },
        // https://supabase.com/docs/guides/auth/jwt-fields; amr is a list of objects there
        Case {
            provider: "supabase",
            client: None,
            algorithm: "ES256",
            audience: "authenticated",
            header: json!({}),
            claims: json!({
                "aal": "aal1", "amr": [{ "method": "password", "timestamp": 1_640_991_600 }],
                "app_metadata": { "provider": "email", "providers": ["email"] }, "aud": "authenticated", "email": "user@example.com",
                "iss": "https://abcdefghijklmnopqrst.supabase.co/auth/v1", "phone": "", "role": "authenticated",
                "session_id": "123e4567-e89b-12d3-a456-426614174000", "sub": "123e4567-e89b-12d3-a456-426614174001",
                "user_metadata": { "roles": ["admin"] }, "is_anonymous": false
            }),
            readers: json!({
                "subject": "123e4567-e89b-12d3-a456-426614174001", "user": "123e4567-e89b-12d3-a456-426614174001",
                "session": "123e4567-e89b-12d3-a456-426614174000", "acr": "aal1", "roles": ["authenticated"]
            }),
        },
        // https://clerk.com/docs/guides/sessions/session-tokens, version 2: no aud
        Case {
            provider: "clerk",
            client: None,
            algorithm: "RS256",
            audience: "https://example.com",
            header: json!({ "cat": "cl_B7d4PD111AAA" }),
            claims: json!({
                "azp": "https://example.com", "fva": [7, -1], "iss": "https://clean-mayfly-62.clerk.accounts.dev", "pla": "u:free",
                "sid": "sess_123", "sub": "user_123", "v": 2, "sts": "active", "o": { "id": "org_123", "rol": "admin", "slg": "acme", "per": "manage,read", "fpm": "3,2" }
            }),
            readers: json!({
                "subject": "user_123", "client": "https://example.com", "session": "sess_123", "organization": "org_123", "roles": ["admin"]
            }),
        },
        // https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
        Case {
            provider: "cognito",
            client: None,
            algorithm: "RS256",
            audience: "1example23456789",
            header: json!({ "typ": null }),
            claims: json!({
                "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "device_key": "k", "cognito:groups": ["testgroup"],
                "iss": "https://cognito-idp.us-west-2.amazonaws.com/us-west-2_example", "version": 2, "client_id": "1example23456789",
                "origin_jti": "o-1", "event_id": "e-1", "token_use": "access", "scope": "phone openid", "auth_time": NOW, "jti": "j-1", "username": "alice"
            }),
            readers: json!({
                "subject": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "client": "1example23456789", "session": "o-1", "token": "j-1",
                "scopes": ["phone", "openid"], "roles": ["testgroup"]
            }),
        },
        // https://zitadel.com/docs/apis/openidoauth/claims
        Case {
            provider: "zitadel",
            client: Some("358982239599491392"),
            algorithm: "RS256",
            audience: "358982239599491392",
            header: json!({}),
            claims: json!({
                "iss": "https://zitadel.example.com", "sub": "359478213648374507", "aud": ["358982420441159448", "358982239599491392"],
                "client_id": "358982420441159448", "jti": "V2_1", "urn:zitadel:iam:user:resourceowner:id": "358981944035333912",
                "urn:zitadel:iam:org:project:roles": { "admin": { "358981944035333912": "zitadel.example.com" } }
            }),
            readers: json!({
                "subject": "359478213648374507", "client": "358982420441159448", "organization": "358981944035333912", "token": "V2_1",
                "roles": ["admin"]
            }),
        },
    ]
}

/// A token of this provider with what every token of it has: an end, and a beginning.
fn token(provider: &Foreign, case: &Case, more: Value) -> String {
    let claims = merged(json!({ "exp": 4_000_000_000_i64, "iat": NOW, "nbf": NOW }), case.claims.clone());
    let header = merged(json!({ "alg": case.algorithm, "kid": "key-1", "typ": "JWT" }), case.header.clone());
    let mut header = header;
    header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    provider.sign_text(header.to_string(), merged(claims, more).to_string())
}

async fn trust(db: &Database, provider: &Foreign, case: &Case) {
    let sql = "select identity.trust_issuer($1, $2, $3, identity.claim_mapping($4, $5), subject_is_user_id => $4 = 'supabase')";
    let issuer = case.claims["iss"].as_str();
    db.admin()
        .await
        .execute(sql, &[&issuer, &case.audience, &provider.jwks(), &case.provider, &case.client])
        .await
        .unwrap();
}

async fn readers(app: &Client) -> Value {
    let sql = "select jsonb_strip_nulls(jsonb_build_object('subject', identity.subject(), 'user', identity.user_id(),
        'client', identity.client_id(), 'session', identity.session_id(), 'organization', identity.organization_id(),
        'token', identity.token_id(), 'acr', identity.acr(), 'scopes', identity.scopes(), 'roles', identity.roles(),
        'permissions', identity.permissions()))";
    app.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn tokens_of_well_known_providers_say_who_where_and_what_through_their_mapping() {
    let db = Database::new().await;
    let app = db.app().await;
    for case in cases() {
        let provider = Foreign::new(case.algorithm);
        trust(&db, &provider, &case).await;
        app.batch_execute("begin").await.unwrap();
        let outcome = sqlstate(authenticate(&app, &token(&provider, &case, json!({}))).await);
        assert_eq!(outcome, "accepted", "{}", case.provider);
        assert_eq!(readers(&app).await, case.readers, "{}", case.provider);
        app.batch_execute("commit").await.unwrap();
        // For another API, in whatever claim this provider names it.
        let elsewhere = json!({ "aud": "https://elsewhere.example" });
        assert_eq!(
            sqlstate(authenticate(&app, &token(&provider, &case, elsewhere)).await),
            "ID104",
            "{}",
            case.provider
        );
    }
}

#[tokio::test]
async fn id_tokens_of_cognito_are_no_access_tokens() {
    let db = Database::new().await;
    let (app, cognito) = (db.app().await, Foreign::new("RS256"));
    let case = cases().into_iter().find(|case| case.provider == "cognito").unwrap();
    trust(&db, &cognito, &case).await;
    let id_token = token(&cognito, &case, json!({ "token_use": "id", "aud": "1example23456789" }));
    assert_eq!(sqlstate(authenticate(&app, &id_token).await), "ID108");
    let mut nameless = cases().into_iter().find(|case| case.provider == "cognito").unwrap();
    nameless.claims.as_object_mut().unwrap().remove("client_id");
    assert_eq!(sqlstate(authenticate(&app, &token(&cognito, &nameless, json!({}))).await), "ID104");
    let null = token(&cognito, &case, json!({ "client_id": null }));
    assert_eq!(sqlstate(authenticate(&app, &null).await), "ID101");
}

#[tokio::test]
async fn roles_in_an_object_are_its_names_only_where_every_one_is_an_object() {
    let db = Database::new().await;
    let (app, zitadel) = (db.app().await, Foreign::new("RS256"));
    let case = cases().into_iter().find(|case| case.provider == "zitadel").unwrap();
    trust(&db, &zitadel, &case).await;
    for roles in [json!({ "admin": false }), json!({ "admin": {}, "root": true }), json!({ "admin": null }), json!(7)] {
        let token = token(&zitadel, &case, json!({ "urn:zitadel:iam:org:project:roles": roles }));
        assert_eq!(sqlstate(authenticate(&app, &token).await), "ID101", "{roles}");
    }
}

#[tokio::test]
async fn every_mapping_is_sound_and_an_unknown_provider_is_said_to_be_one() {
    let db = Database::new().await;
    let owner = db.owner().await;
    let sound = "select bool_and(identity.claim_mapping_check(claims)) and count(*) = 7 from identity.claim_mappings()";
    assert!(owner.query_one(sound, &[]).await.unwrap().get::<_, bool>(0));
    let admin = db.admin().await;
    let unknown = admin.query_one("select identity.claim_mapping('okta2')", &[]).await.unwrap_err();
    let unknown = unknown.as_db_error().unwrap();
    assert_eq!((unknown.code().code(), unknown.message()), ("ID005", "provider is not one with a mapping"));
    assert_eq!(
        unknown.hint(),
        Some("There are auth0, clerk, cognito, entra, keycloak, supabase, zitadel; for others write claims yourself.")
    );
    let app = db.app().await;
    assert_eq!(sqlstate(app.query("select identity.claim_mapping('auth0')", &[]).await), "42501");
    assert_eq!(sqlstate(app.query("select identity.claim_mappings()", &[]).await), "42501");
}
