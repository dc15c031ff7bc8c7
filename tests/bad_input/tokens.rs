//! Parameters that hold a JWT, and JSON of a depth that no reader may follow: request objects, hints, assertions, access tokens.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::digest;
use super::mangled::{Endpoint, nested};
use super::stage::{Stage, stranger};

/// RFC 7523 §2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn jws(header: &str, claims: &str) -> String {
    let encode = |part: &str| BASE64_URL_SAFE_NO_PAD.encode(part);
    format!("{}.{}.", encode(header), encode(claims))
}

/// What no honest issuer writes, as a token.
fn tokens() -> Vec<String> {
    let (none, es256) = (r#"{"alg":"none"}"#, r#"{"alg":"ES256"}"#);
    let deep = nested();
    let member = format!(r#"{{"iss":{deep}}}"#);
    vec![
        jws(none, &deep),
        jws(none, &member),
        jws(&deep, "{}"),
        jws(&format!(r#"{{"alg":"none","kid":{deep}}}"#), "{}"),
        jws(es256, &member),
        jws(none, "null"),
        jws(none, r#""text""#),
        jws(none, r#"{"a":1,"a":2}"#),
        jws(none, r#"{"a":"\u0000"}"#),
        jws(none, r#"{"a":"\ud800"}"#),
        jws(none, r#"{"a":1e999999}"#),
        jws("", ""),
        "..".into(),
        "....".into(),
        ".".repeat(1000),
        "\u{1f600}.\u{1f600}.\u{1f600}".into(),
    ]
}

#[tokio::test]
async fn a_token_that_nobody_wrote_is_worth_nothing_anywhere() {
    let stage = Stage::new().await;
    let superuser = stage.db.superuser().await;
    let before = digest(&superuser).await;
    let (id, uri) = (stage.app.id.as_str(), stage.app.redirect_uri());
    let asked = [("client_id", id), ("redirect_uri", uri), ("response_type", "code"), ("scope", "openid")];
    for token in &tokens() {
        let with = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
            let all = asked.iter().copied().chain(more.iter().copied());
            all.map(|(name, value)| (name, value.to_owned())).collect()
        };
        let endpoint =
            |method, path, fields: &[(&'static str, &str)]| Endpoint { method, ..stranger("GET", path, fields) };
        let get = |more: &[(&'static str, &str)]| Endpoint { fields: with(more), ..stranger("GET", "/authorize", &[]) };
        let assertion = [("client_assertion", token.as_str()), ("client_assertion_type", JWT_BEARER)];
        let grant = [("grant_type", "client_credentials"), assertion[0], assertion[1]];
        let about = [("token", token.as_str()), assertion[0], assertion[1]];
        for (endpoint, cell) in [
            (get(&[("request", token)]), "303 client invalid_request_object"),
            (get(&[("id_token_hint", token)]), "303 client invalid_request"),
            (endpoint("GET", "/logout", &[("id_token_hint", token)]), "400 invalid_request"),
            (endpoint("POST", "/token", &grant), "401 invalid_client"),
            (endpoint("POST", "/introspect", &about), "401 invalid_client"),
            (endpoint("POST", "/revoke", &about), "401 invalid_client"),
            (stage.client("/introspect", &[("token", token)]), "200"),
            (stage.client("/revoke", &[("token", token)]), "200"),
            (stage.client("/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]), "400 invalid_grant"),
            (endpoint("POST", "/userinfo", &[("access_token", token)]), "401 invalid_token"),
        ] {
            let answer = endpoint.send(&stage.db, &endpoint.encoded("", super::mangled::Mangling::Junk));
            let context = format!("{} {}: {token:.60}", endpoint.method, endpoint.path);
            answer.assert_sound(&context);
            assert_eq!(answer.cell(), cell, "{context}");
        }
        let bearer = Endpoint {
            headers: vec![("Authorization", format!("Bearer {token}"))],
            ..stranger("GET", "/userinfo", &[])
        };
        let answer = bearer.send(&stage.db, "");
        answer.assert_sound(token);
        assert_eq!(answer.cell(), "401 invalid_token", "{token:.60}");
    }
    assert_eq!(digest(&superuser).await, before);
}

/// OpenID Connect Core §5.5: claims is JSON, and so is registration (§7.2.1).
#[tokio::test]
async fn json_in_a_parameter_is_read_to_a_depth_and_no_further() {
    let stage = Stage::new().await;
    let depth =
        |depth: usize| format!(r#"{{"userinfo":{{"name":{}1{}}}}}"#, r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let open = |text: &str| format!(r#"{{"userinfo":{text}"#);
    for (name, value, cell) in [
        ("claims", nested(), "303 client invalid_request"),
        ("claims", format!(r#"{{"userinfo":{}}}"#, nested()), "303 client invalid_request"),
        ("claims", "[".repeat(2500), "303 client invalid_request"),
        ("claims", open(&"[".repeat(2500)), "303 client invalid_request"),
        ("claims", r#"{"userinfo":{"name":{"essential":"yes"}}}"#.into(), "303 client invalid_request"),
        ("claims", r#"{"userinfo":{"name":{"values":{}}}}"#.into(), "303 client invalid_request"),
        ("claims", r#"{"userinfo":{"name":1}}"#.into(), "303 client invalid_request"),
        ("claims", r#"{"userinfo":[]}"#.into(), "303 client invalid_request"),
        ("claims", r#"{"userinfo":{"name":{"value":"\u0000"}}}"#.into(), "303 client invalid_request"),
        ("claims", r#"{"userinfo":{"name":{"value":1e999999}}}"#.into(), "303 client invalid_request"),
        ("claims", "null".into(), "303 client invalid_request"),
        ("claims", depth(400), "303 /login"),
        ("claims", r#"{"unheard":{"of":1},"userinfo":null}"#.into(), "303 /login"),
        ("registration", nested(), "303 client"),
        ("registration", "{}".into(), "303 client registration_not_supported"),
    ] {
        let fields = [
            ("client_id", stage.app.id.as_str()),
            ("redirect_uri", stage.app.redirect_uri()),
            ("response_type", "code"),
            ("scope", "openid"),
            (name, &value),
        ];
        let asked = stranger("GET", "/authorize", &fields);
        // As it is: with every bracket escaped, it would not fit into an address.
        let encoded: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", spelled(value))).collect();
        let answer = asked.send(&stage.db, &encoded.join("&"));
        answer.assert_sound(&format!("{name}={value:.60}"));
        assert!(answer.cell().starts_with(cell), "{name}={value:.60}: {}", answer.cell());
        // From another site it comes back as a GET, or not at all.
        let posted = stranger("POST", "/authorize", &fields).send(&stage.db, &encoded.join("&"));
        posted.assert_sound(&format!("{name}={value:.60}"));
        assert!(["303 /authorize", "400 invalid_request"].contains(&posted.cell().as_str()), "{}", posted.cell());
    }
    let claims = json!({"userinfo": {"name": null}}).to_string();
    assert_eq!(spelled(&claims), "{%22userinfo%22:{%22name%22:null}}");
}

/// Only what an address cannot hold.
fn spelled(value: &str) -> String {
    value
        .replace('%', "%25")
        .replace('"', "%22")
        .replace('&', "%26")
        .replace('+', "%2B")
        .replace(' ', "%20")
        .replace('\\', "%5C")
}
