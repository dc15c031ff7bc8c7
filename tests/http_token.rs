//! The token endpoint on the wire: bodies, answers, client authentication, overload.

use serde_json::json;

use crate::http::{Bench, CLIENT_CREDENTIALS, assert_answer, assert_error, header, secret};
use crate::support::{Flow, Tokens, client, service_client, user, web_client};

#[tokio::test]
async fn a_token_answer_has_scope_and_type_and_is_kept_by_nobody() {
    let bench = Bench::new().await;
    let alice = user(&bench.db, "alice").await;
    let flow = Flow::new(&bench.gateway, &web_client(&bench.db).await);
    let page = flow.redeem(&flow.code(&alice).await).await;
    let body = page.json();
    assert_answer(&page, 200, &body);
    let mut members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"]);
    assert_eq!(
        json!({ "token_type": body["token_type"], "expires_in": body["expires_in"], "scope": body["scope"] }),
        json!({ "token_type": "Bearer", "expires_in": 300, "scope": "openid profile email offline_access" })
    );
    assert!(!page.body.contains("null"));

    let issuer = &bench.gateway.issuer;
    let (access, id) =
        (Tokens::claims(body["access_token"].as_str().unwrap()), Tokens::claims(body["id_token"].as_str().unwrap()));
    assert_eq!((&access["iss"], &id["iss"]), (&json!(issuer), &json!(issuer)));
    assert_eq!((&access["sub"], &id["sub"]), (&json!(alice.id), &json!(alice.id)));
    assert_eq!(id["nonce"], "n-0S6_WzA2Mj");
}

#[tokio::test]
async fn what_we_mint_reads_the_same_encoded_or_not() {
    let bench = Bench::new().await;
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let web = web_client(&bench.db).await;
    assert!(plain(&web.id) && plain(secret(&web)), "{} {}", web.id, secret(&web));
    let flow = Flow::new(&bench.gateway, &web);
    let code = flow.code(&user(&bench.db, "alice").await).await;
    assert!(plain(&code), "{code}");
    let body = flow.redeem(&code).await.json();
    assert!(plain(body["refresh_token"].as_str().unwrap()), "{body}");
}

#[tokio::test]
async fn only_forms_are_read() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    for path in ["/token", "/introspect", "/revoke"] {
        let json =
            json!({ "grant_type": "client_credentials", "client_id": service.id, "client_secret": service.secret });
        assert_error(&bench.browser.send(bench.post(path).json(&json)).await, 400, "invalid_request");
        assert_error(&bench.browser.send(bench.post(path)).await, 400, "invalid_request");
        assert_eq!(bench.browser.get(bench.gateway.url(path)).await.status, 405, "{path}");
    }
    // Parameters in the URL do not count.
    let request = bench.post(&format!("/token?grant_type=client_credentials&client_id={}", service.id));
    let page = bench.browser.send(request.form(&[("client_secret", secret(&service))])).await;
    assert_error(&page, 400, "invalid_request");
    // A charset is no other type.
    let request = bench.post("/token").header("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8");
    let request = request.body("grant_type=client_credentials").basic_auth(&service.id, service.secret.as_deref());
    assert_eq!(bench.browser.send(request).await.status, 200);
}

#[tokio::test]
async fn a_malformed_body_is_an_invalid_request() {
    let bench = Bench::new().await;
    for body in [
        "grant_type=client_credentials&client_id=a&client_id=a",
        "grant_type=client_credentials&grant_type=client_credentials&client_id=a",
        "grant_type=client_credentials&client_id=%ff",
        "grant_type=client_credentials&client_id=a%00",
        "grant_type=client_credentials&client_id=%4",
        "grant_type=client_credentials&scope=a&scope=b&client_id=a",
        "client_id=a",
        "grant_type=&client_id=a",
        "",
    ] {
        assert_error(&bench.form("/token", body).await, 400, "invalid_request");
    }
    let many: Vec<(String, &str)> = (0..300).map(|number| (number.to_string(), "a")).collect();
    let page = bench.browser.send(bench.post("/token").form(&many)).await;
    assert_error(&page, 400, "invalid_request");
    assert_error(&bench.form("/token", "grant_type=password&client_id=a").await, 400, "unsupported_grant_type");
}

#[tokio::test]
async fn an_empty_parameter_counts_as_absent_and_an_unknown_one_is_ignored() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    let fields = [CLIENT_CREDENTIALS, ("scope", ""), ("resource", ""), ("favourite_colour", "blue")];
    let page = bench.basic("/token", &format!("{}:{}", service.id, secret(&service)), &fields).await;
    assert_answer(&page, 200, &page.json());
}

#[tokio::test]
async fn a_secret_is_good_in_the_header_and_in_the_body_and_nothing_else_is() {
    let bench = Bench::new().await;
    let metadata =
        |method: &str| json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": method });
    for registered in ["client_secret_basic", "client_secret_post"] {
        let client = client(&bench.db, metadata(registered)).await;
        let body = |secret: &str| {
            let fields = [CLIENT_CREDENTIALS, ("client_id", client.id.as_str()), ("client_secret", secret)];
            bench.post("/token").form(&fields)
        };
        let pair = |secret: &str| format!("{}:{secret}", client.id);
        let good = secret(&client);
        assert_eq!(bench.basic("/token", &pair(good), &[CLIENT_CREDENTIALS]).await.status, 200);
        assert_eq!(bench.browser.send(body(good)).await.status, 200);

        let wrong = bench.basic("/token", &pair("wrong"), &[CLIENT_CREDENTIALS]).await;
        assert_error(&wrong, 401, "invalid_client");
        // RFC 6749 §5.2: a challenge of the scheme that was tried, and none where none was tried.
        assert_eq!(
            header(&wrong, "www-authenticate"),
            Some(format!("Basic realm=\"{}\"", bench.gateway.issuer).as_str())
        );
        let wrong = bench.browser.send(body("wrong")).await;
        assert_error(&wrong, 401, "invalid_client");
        assert_eq!(header(&wrong, "www-authenticate"), None);
        let none = bench.post("/token").form(&[CLIENT_CREDENTIALS, ("client_id", &client.id)]);
        assert_error(&bench.browser.send(none).await, 401, "invalid_client");
    }
}

#[tokio::test]
async fn a_client_that_encodes_its_basic_credentials_and_one_that_does_not_are_both_understood() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    let encoded: String = secret(&service).bytes().map(|byte| format!("%{byte:02X}")).collect();
    for secret in [secret(&service), &encoded] {
        let page = bench.basic("/token", &format!("{}:{secret}", service.id), &[CLIENT_CREDENTIALS]).await;
        assert_eq!(page.status, 200, "{}", page.body);
    }
}

#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_get_the_same_answer() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    let wrong = bench.basic("/token", &format!("{}:wrong", service.id), &[CLIENT_CREDENTIALS]).await;
    let unknown = bench.basic("/token", "nobody:wrong", &[CLIENT_CREDENTIALS]).await;
    assert_error(&wrong, 401, "invalid_client");
    assert_eq!((wrong.status, &wrong.body), (unknown.status, &unknown.body));
    for authorization in ["Basic", "Basic !!!", "Bearer abc"] {
        let request = bench.post("/token").header("Authorization", authorization).form(&[CLIENT_CREDENTIALS]);
        let page = bench.browser.send(request).await;
        assert_error(&page, 401, "invalid_client");
        assert!(header(&page, "www-authenticate").unwrap().starts_with("Basic "));
    }
}

#[tokio::test]
async fn two_methods_of_authentication_at_once_are_refused() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    let pair = format!("{}:{}", service.id, secret(&service));
    let fields = [CLIENT_CREDENTIALS, ("client_secret", secret(&service))];
    for path in ["/token", "/introspect", "/revoke"] {
        assert_error(&bench.basic(path, &pair, &fields).await, 400, "invalid_request");
    }
    // The id named twice is one client.
    let fields = [CLIENT_CREDENTIALS, ("client_id", &service.id)];
    assert_eq!(bench.basic("/token", &pair, &fields).await.status, 200);
}

#[tokio::test]
async fn a_client_gets_a_token_without_a_person() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    let page = bench.basic("/token", &format!("{}:{}", service.id, secret(&service)), &[CLIENT_CREDENTIALS]).await;
    let body = page.json();
    assert_answer(&page, 200, &body);
    assert!(body.get("refresh_token").is_none() && body.get("id_token").is_none(), "{body}");
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(300)));
    assert!(body["scope"].is_string(), "{body}");
    let claims = Tokens::claims(body["access_token"].as_str().unwrap());
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(service.id), &json!(service.id)));
    assert_eq!(claims["iss"], bench.gateway.issuer);

    let web = web_client(&bench.db).await;
    let page = bench.basic("/token", &format!("{}:{}", web.id, secret(&web)), &[CLIENT_CREDENTIALS]).await;
    assert_error(&page, 400, "unauthorized_client");
}

/// Line 8: `invalid_client` would make clients throw their registration away, a 500 would start a new login.
#[tokio::test]
async fn without_a_database_clients_are_told_to_come_back() {
    let bench = Bench::new().await;
    let service = service_client(&bench.db).await;
    let superuser = bench.db.superuser().await;
    superuser.batch_execute(&format!("alter database {} connection limit 0", bench.db.name)).await.unwrap();
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    superuser.query_one(end, &[]).await.unwrap();
    let pair = format!("{}:{}", service.id, secret(&service));
    for (path, fields) in [("/token", CLIENT_CREDENTIALS), ("/introspect", ("token", "x")), ("/revoke", ("token", "x"))]
    {
        let page = bench.basic(path, &pair, &[fields]).await;
        assert_error(&page, 503, "temporarily_unavailable");
        assert!(header(&page, "retry-after").unwrap().parse::<u32>().unwrap() > 0);
    }
    let page = bench.browser.send(bench.browser.http.get(bench.gateway.url("/userinfo")).bearer_auth("a.b.c")).await;
    assert_error(&page, 503, "temporarily_unavailable");
}
