//! The `openidconnect` crate as a relying party: discovery, code + PKCE + nonce, userinfo, refresh, revocation,
//! introspection, client_credentials.

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IntrospectionUrl,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, RequestTokenError, Scope,
    TokenIntrospectionResponse, TokenResponse,
};

use crate::support::{Browser, Client, Database, Gateway, service_client, user, web_client};

// A macro because the type of a client says which of its endpoints are known, in fourteen parameters.
macro_rules! oidc_client {
    ($gateway:expr, $client:expr, $send:expr) => {{
        let (gateway, client): (&Gateway, &Client) = ($gateway, $client);
        let issuer = IssuerUrl::new(gateway.issuer.clone()).unwrap();
        let metadata = CoreProviderMetadata::discover_async(issuer, $send).await.unwrap();
        let secret = client.secret.clone().map(ClientSecret::new);
        CoreClient::from_provider_metadata(metadata, ClientId::new(client.id.clone()), secret)
    }};
}

#[tokio::test]
async fn signs_a_person_in() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let alice = user(&db, "alice").await;
    let web = web_client(&db).await;
    let browser = Browser::new();
    let send = |request| send(&browser.http, request);

    let client =
        oidc_client!(&gateway, &web, &send).set_redirect_uri(RedirectUrl::new(web.redirect_uri().into()).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["profile", "email", "offline_access"].map(|scope| Scope::new(scope.into())))
        .set_pkce_challenge(challenge)
        .url();
    let page = browser.open(url).await;
    let page = browser.sign_in(&page, &alice.username, &alice.password).await;
    let page = browser.press(&page, "allow", &[]).await;
    assert_eq!(page.location_parameter("state").as_ref(), Some(state.secret()));

    let code = AuthorizationCode::new(page.location_parameter("code").unwrap());
    let tokens: CoreTokenResponse =
        client.exchange_code(code).unwrap().set_pkce_verifier(verifier).request_async(&send).await.unwrap();
    // Signature, issuer, audience, expiry and nonce are the library's checks.
    let id_token = tokens.id_token().unwrap();
    let claims = id_token.claims(&client.id_token_verifier(), &nonce).unwrap();
    assert_eq!(claims.subject().as_str(), alice.id.to_string());
    let expected = claims.access_token_hash().expect("at_hash");
    let verifier = client.id_token_verifier();
    let actual = openidconnect::AccessTokenHash::from_token(
        tokens.access_token(),
        id_token.signing_alg().unwrap(),
        id_token.signing_key(&verifier).unwrap(),
    );
    assert_eq!(expected, &actual.unwrap());

    let userinfo: CoreUserInfoClaims = client
        .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        .unwrap()
        .request_async(&send)
        .await
        .unwrap();
    assert_eq!(userinfo.preferred_username().map(|name| name.as_str()), Some("alice"));
    assert_eq!(userinfo.email().map(|email| email.as_str()), Some("alice@people.example"));

    let refresh_token = tokens.refresh_token().unwrap();
    let refreshed = client.exchange_refresh_token(refresh_token).unwrap().request_async(&send).await.unwrap();
    assert_ne!(refreshed.access_token().secret(), tokens.access_token().secret());

    // The library revokes over https only; this is the same request.
    let (id, secret) = (&web.id, web.secret.as_ref());
    let newest = [("token", refreshed.refresh_token().unwrap().secret())];
    let revoked = browser.http.post(gateway.url("/revoke")).basic_auth(id, secret).form(&newest);
    assert_eq!(browser.send(revoked).await.status, 200);
    match client.exchange_refresh_token(refreshed.refresh_token().unwrap()).unwrap().request_async(&send).await {
        Err(RequestTokenError::ServerResponse(answer)) => assert_eq!(answer.error().as_ref(), "invalid_grant"),
        other => panic!("a revoked refresh token was answered with {other:?}"),
    }
}

#[tokio::test]
async fn is_a_service_that_introspects() {
    let db = Database::new().await;
    let gateway = Gateway::start(&db).await;
    let service = service_client(&db).await;
    let browser = Browser::new();
    let send = |request| send(&browser.http, request);

    let client = oidc_client!(&gateway, &service, &send)
        .set_introspection_url(IntrospectionUrl::new(gateway.url("/introspect")).unwrap());
    let tokens: CoreTokenResponse = client.exchange_client_credentials().unwrap().request_async(&send).await.unwrap();
    assert!(tokens.refresh_token().is_none());

    let known = client.introspect(tokens.access_token()).request_async(&send).await.unwrap();
    assert!(known.active());
    assert_eq!(known.client_id().map(|id| id.as_str()), Some(service.id.as_str()));
    let unknown = AccessToken::new("not-a-token".into());
    assert!(!client.introspect(&unknown).request_async(&send).await.unwrap().active());
}

// Lends it our HTTP client.
async fn send(http: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let answer = http.execute(request.try_into()?).await?;
    let mut response = HttpResponse::new(Vec::new());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = answer.bytes().await?.into();
    Ok(response)
}
