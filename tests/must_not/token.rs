//! The token endpoint (RFC 6749 §3.2, §4.1.3, §4.4.2, §5, §6; RFC 9700 §2.1.1, §2.4, §4.8.2, §4.14.2; OpenID Connect Core §3.1.3).

use serde_json::{Value, json};

use crate::http::{assert_answer, assert_error, header, secret};
use crate::http_site::Site;
use crate::support::{Client, Flow, Page, client, public_client, service_client, web_client};

/// How a request says who sends it.
enum By<'a> {
    Basic(&'a Client),
    Body(&'a Client),
    Nobody,
}

/// A good request with some parameters changed: null takes one away, an array sends it several times.
async fn send(site: &Site, by: &By<'_>, good: &[(&str, &str)], change: &Value) -> Page {
    let mut fields: Vec<(String, String)> = Vec::new();
    let kept = good.iter().filter(|(name, _)| change.get(*name).is_none());
    fields.extend(kept.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    for (name, value) in change.as_object().unwrap() {
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        fields.extend(values.iter().filter_map(|value| Some((name.clone(), value.as_str()?.to_owned()))));
    }
    let browser = crate::support::Browser::new();
    let request = browser.http.post(site.gateway.url("/token"));
    let request = match by {
        By::Basic(client) => request.basic_auth(&client.id, client.secret.as_deref()),
        By::Body(client) => {
            fields.push(("client_id".to_owned(), client.id.clone()));
            fields.extend(client.secret.clone().map(|secret| ("client_secret".to_owned(), secret)));
            request
        }
        By::Nobody => request,
    };
    browser.send(request.form(&fields)).await
}

#[track_caller]
fn assert_refused(page: &Page, section: &str, status: u16, error: &str, description: &str) {
    let body = json!({"error": error, "error_description": description});
    assert_eq!((page.status.as_u16(), page.json()), (status, body.clone()), "{section}");
    assert_answer(page, status, &body);
}

#[tokio::test]
async fn a_code_is_for_the_one_it_was_given_to_under_the_conditions_it_was_given_under() {
    let site = Site::new().await;
    let (other, public) = (web_client(&site.db).await, public_client(&site.db).await);
    let flow = site.flow();
    let code = flow.code(&site.alice).await;
    let good = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", site.web.redirect_uri()),
        ("code_verifier", flow.code_verifier.as_str()),
    ];
    let (own, invalid) = (By::Basic(&site.web), "the authorization code is invalid");
    let (failed, uri) = ("client authentication failed", "redirect_uri is not that of the authorization request");
    let wrong = Client { secret: Some("wrong".into()), ..site.web.clone() };
    let keys = json!({
        "redirect_uris": [site.web.redirect_uri()], "token_endpoint_auth_method": "private_key_jwt",
        "jwks": crate::issuers::Foreign::new("ES256").jwks()
    });
    let keyed = Client { secret: Some("any".into()), ..client(&site.db, keys).await };
    let secretive = Client { secret: Some("any".into()), ..public.clone() };
    for (section, by, change, status, error, description) in [
        (
            "RFC 6749 §2.3: MUST NOT use more than one authentication method",
            &own,
            json!({"client_secret": secret(&site.web)}),
            400,
            "invalid_request",
            "more than one method of client authentication is used",
        ),
        (
            "RFC 6749 §2.3: nor name two clients",
            &own,
            json!({"client_id": other.id}),
            400,
            "invalid_request",
            "more than one method of client authentication is used",
        ),
        (
            "RFC 6749 §3.2.1: clients issued credentials MUST authenticate",
            &By::Nobody,
            json!({"client_id": site.web.id}),
            401,
            "invalid_client",
            failed,
        ),
        ("RFC 6749 §3.2.1: somebody MUST be named", &By::Nobody, json!({}), 401, "invalid_client", failed),
        ("RFC 6749 §4.1.3: MUST authenticate the client", &By::Body(&wrong), json!({}), 401, "invalid_client", failed),
        (
            "Core §3.1.3.1: MUST authenticate by the method that it registered",
            &By::Basic(&keyed),
            json!({}),
            401,
            "invalid_client",
            failed,
        ),
        ("Core §3.1.3.1: also if it is none", &By::Basic(&secretive), json!({}), 401, "invalid_client", failed),
        (
            "RFC 6749 §3.2: MUST NOT be included more than once",
            &own,
            json!({"code": [code, code]}),
            400,
            "invalid_request",
            "the parameter \"code\" is given more than once",
        ),
        (
            "RFC 6749 §3.2: without a value MUST be treated as omitted",
            &own,
            json!({"code": ""}),
            400,
            "invalid_request",
            "code is missing",
        ),
        (
            "RFC 6749 §5.2: a required parameter",
            &own,
            json!({"grant_type": null}),
            400,
            "invalid_request",
            "grant_type is missing",
        ),
        (
            "RFC 6749 §4.1.3: issued to the authenticated client",
            &By::Basic(&other),
            json!({}),
            400,
            "invalid_grant",
            invalid,
        ),
        ("RFC 6749 §4.1.3: or to the client_id", &By::Body(&public), json!({}), 400, "invalid_grant", invalid),
        (
            "RFC 6749 §4.1.3: values MUST be identical",
            &own,
            json!({"redirect_uri": "https://notes.example/callback/"}),
            400,
            "invalid_grant",
            uri,
        ),
        (
            "RFC 6749 §4.1.3: REQUIRED, if it was in the request",
            &own,
            json!({"redirect_uri": null}),
            400,
            "invalid_grant",
            uri,
        ),
        (
            "RFC 6749 §4.1.3: the code is valid",
            &own,
            json!({"code": format!("{}x", &code[..code.len() - 1])}),
            400,
            "invalid_grant",
            invalid,
        ),
        (
            "RFC 9700 §2.1.1: MUST enforce the code_verifier",
            &own,
            json!({"code_verifier": null}),
            400,
            "invalid_grant",
            "code_verifier is missing",
        ),
        (
            "RFC 7636 §4.6: MUST return invalid_grant if they are not equal",
            &own,
            json!({"code_verifier": "a".repeat(43)}),
            400,
            "invalid_grant",
            "code_verifier does not fit",
        ),
        (
            "RFC 8707 §2: nothing that was not asked for",
            &own,
            json!({"resource": "https://elsewhere.example/"}),
            400,
            "invalid_target",
            "resource was not part of the authorization",
        ),
        (
            "RFC 9700 §2.4: the password grant MUST NOT be used",
            &own,
            json!({"grant_type": "password", "username": site.alice.username, "password": site.alice.password}),
            400,
            "unsupported_grant_type",
            "this grant_type is not supported",
        ),
        (
            "RFC 6749 §4.4: MUST only be used by confidential clients",
            &By::Body(&public),
            json!({"grant_type": "client_credentials"}),
            400,
            "unauthorized_client",
            "the client is not registered for client_credentials",
        ),
        (
            "RFC 6749 §5.2: the client is not authorized to use this grant",
            &own,
            json!({"grant_type": "client_credentials"}),
            400,
            "unauthorized_client",
            "the client is not registered for client_credentials",
        ),
    ] {
        assert_refused(&send(&site, by, &good, &change).await, section, status, error, description);
    }
    // None of that took the code from its client; what it does not know it ignores (RFC 6749 §3.2), and then the code is used up.
    let page = send(&site, &own, &good, &json!({"favourite_colour": "blue"})).await;
    assert_answer(&page, 200, &page.json());
    let twice = "RFC 6749 §4.1.2: MUST deny a second use; Core §3.1.3.2";
    assert_refused(&send(&site, &own, &good, &json!({})).await, twice, 400, "invalid_grant", invalid);
    let token = page.json()["access_token"].as_str().unwrap().to_owned();
    let dead = flow.browser.send(flow.browser.http.get(site.gateway.url("/userinfo")).bearer_auth(token)).await;
    assert_error(&dead, 401, "invalid_token");
}

/// RFC 6749 §4.1.2, §10.5: MUST expire shortly. RFC 9700 §4.8.2: a verifier without a challenge MUST be rejected.
#[tokio::test]
async fn a_code_ends_by_itself_and_no_challenge_is_made_up_afterwards() {
    let site = Site::new().await;
    let own = By::Basic(&site.web);
    let bare = site.flow().without("code_challenge").without("code_challenge_method");
    let (code, verifier) = (bare.code(&site.alice).await, "v".repeat(43));
    let good = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", site.web.redirect_uri())];
    assert_refused(
        &send(&site, &own, &good, &json!({"code_verifier": verifier})).await,
        "RFC 9700 §4.8.2",
        400,
        "invalid_grant",
        "code_verifier does not fit",
    );
    let superuser = site.db.superuser().await;
    let expire = "update identity_store.authorization_codes set expires_at = now() where expires_at <= now() + interval '60 seconds'";
    assert_eq!(superuser.execute(expire, &[]).await.unwrap(), 1, "RFC 6749 §4.1.2: no code lives longer than a minute");
    assert_refused(
        &send(&site, &own, &good, &json!({})).await,
        "RFC 6749 §10.5",
        400,
        "invalid_grant",
        "the authorization code is invalid",
    );
}

/// RFC 6749 §6, §10.4; RFC 9700 §4.14.2.
#[tokio::test]
async fn a_refresh_token_is_for_its_client_and_gives_nothing_more() {
    let site = Site::new().await;
    let (other, service) = (web_client(&site.db).await, service_client(&site.db).await);
    let tokens = site.flow().with("scope", "openid offline_access").tokens(&site.alice).await;
    let good = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
    let (own, invalid) = (By::Basic(&site.web), "the refresh token is invalid");
    for (section, by, change, status, error, description) in [
        (
            "§6: MUST require client authentication",
            &By::Nobody,
            json!({"client_id": site.web.id}),
            401,
            "invalid_client",
            "client authentication failed",
        ),
        (
            "§10.4: MUST maintain the binding to the client",
            &By::Basic(&other),
            json!({}),
            400,
            "invalid_grant",
            invalid,
        ),
        (
            "§5.2: the client is not authorized to use this grant",
            &By::Basic(&service),
            json!({}),
            400,
            "unauthorized_client",
            "the client is not registered for refresh_token",
        ),
        (
            "§6: MUST NOT include any scope not originally granted",
            &own,
            json!({"scope": "openid profile"}),
            400,
            "invalid_scope",
            "scope was not part of the authorization",
        ),
        ("§6: REQUIRED", &own, json!({"refresh_token": null}), 400, "invalid_request", "refresh_token is missing"),
        ("§6: MUST validate it", &own, json!({"refresh_token": tokens.access()}), 400, "invalid_grant", invalid),
        (
            "§10.4: MUST NOT be modified or guessed",
            &own,
            json!({"refresh_token": format!("{}x", &tokens.refresh()[..tokens.refresh().len() - 1])}),
            400,
            "invalid_grant",
            invalid,
        ),
        (
            "§3.2: MUST NOT be included more than once",
            &own,
            json!({"refresh_token": [tokens.refresh(), tokens.refresh()]}),
            400,
            "invalid_request",
            "the parameter \"refresh_token\" is given more than once",
        ),
        (
            "RFC 8707 §2.2: nothing that was not granted",
            &own,
            json!({"resource": "https://elsewhere.example/"}),
            400,
            "invalid_target",
            "resource was not part of the authorization",
        ),
    ] {
        assert_refused(&send(&site, by, &good, &change).await, section, status, error, description);
    }
    // §6: the scope of the new refresh token MUST be identical to that of the old one, whatever was asked for in between.
    let less = send(&site, &own, &good, &json!({"scope": "openid"})).await.json();
    assert_eq!(less["scope"], "openid");
    let next = less["refresh_token"].as_str().unwrap();
    // RFC 9700 §2.2.2: rotated, where nothing else binds it.
    assert_ne!(next, tokens.refresh());
    let whole = send(&site, &own, &good, &json!({"refresh_token": next})).await.json();
    assert_eq!(whole["scope"], "openid offline_access");
}

/// RFC 9700 §4.14.2: refresh tokens of public clients MUST be sender-constrained or rotated, and replay MUST be noticed.
#[tokio::test]
async fn a_public_clients_refresh_token_is_rotated_and_its_replay_ends_the_family() {
    let site = Site::new().await;
    let public = public_client(&site.db).await;
    let flow = Flow::new(&site.gateway, &public);
    let first = flow.tokens(&site.alice).await;
    let mut newest = first.refresh().to_owned();
    for _ in 0..2 {
        let body = flow.refresh(&newest).await.json();
        assert_ne!(body["refresh_token"], newest);
        newest = body["refresh_token"].as_str().unwrap().to_owned();
    }
    for token in [first.refresh(), &newest] {
        assert_error(&flow.refresh(token).await, 400, "invalid_grant");
    }
}

/// RFC 6749 §2.3.1: secrets MUST NOT be included in the request URI. §3.2: the client MUST use POST. RFC 6750 §2.3, RFC 9700 §4.3.2.
#[tokio::test]
async fn nothing_secret_is_taken_from_an_address() {
    let site = Site::new().await;
    let service = service_client(&site.db).await;
    let tokens = site.flow().tokens(&site.alice).await;
    let browser = crate::support::Browser::new();
    let query = format!("client_id={}&client_secret={}&grant_type=client_credentials", service.id, secret(&service));
    let address = site.gateway.url(&format!("/token?{query}"));
    let page = browser.send(browser.http.post(&address).form(&[("grant_type", "client_credentials")])).await;
    assert_refused(&page, "RFC 6749 §2.3.1", 401, "invalid_client", "client authentication failed");
    let page = browser.get(&address).await;
    let description = "this address does not take requests of this method";
    assert_refused(&page, "RFC 6749 §3.2", 405, "invalid_request", description);
    assert_eq!(header(&page, "allow"), Some("POST"));
    let page = browser.get(site.gateway.url(&format!("/userinfo?access_token={}", tokens.access()))).await;
    assert_refused(&page, "RFC 9700 §4.3.2", 401, "invalid_token", "an access token is needed");
    // RFC 6750 §3.1: no error for a request without a token.
    let challenge = format!("Bearer realm=\"{}\"", site.gateway.issuer);
    assert_eq!(header(&page, "www-authenticate"), Some(challenge.as_str()));
    // §2: "Clients MUST NOT use more than one method to transmit the token in each request."
    let twice = browser.http.post(site.gateway.url("/userinfo")).bearer_auth(tokens.access());
    let page = browser.send(twice.form(&[("access_token", tokens.access())])).await;
    assert_refused(&page, "RFC 6750 §2", 400, "invalid_request", "the token is given twice");
}
