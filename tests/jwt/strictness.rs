//! Header and claims are JSON, read strictly, also under a good signature: two readers must not see two tokens in one.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::signer::{Signer, both_say};
use super::{ALICE, BOB, authenticate, sqlstate};
use crate::support::Database;

#[tokio::test]
async fn extensions_that_must_be_understood_are_refused() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "ES256").await {
        for crit in [
            json!([]),
            json!(["exp"]),
            json!(["b64"]),
            json!(["x", "x"]),
            json!("exp"),
            json!(""),
            json!(null),
            json!({}),
            json!(0),
        ] {
            both_say(&app, "ID101", &signer.token(json!({ "crit": crit, "exp": 1 }), json!({}))).await;
        }
        // RFC 7797 §7: a reader that does not know b64 would verify something else than what was signed.
        for b64 in [json!(false), json!(true), json!(null), json!("false"), json!(0)] {
            both_say(&app, "ID101", &signer.token(json!({ "b64": b64 }), json!({}))).await;
            both_say(&app, "ID101", &signer.token(json!({ "b64": b64, "crit": ["b64"] }), json!({}))).await;
        }
        let header = BASE64_URL_SAFE_NO_PAD.encode(signer.header(json!({ "b64": false, "crit": ["b64"] })).to_string());
        let unencoded = format!("{header}.{}", signer.claims(json!({})));
        let signature =
            BASE64_URL_SAFE_NO_PAD.encode(signer.key.signature(&unencoded, &aws_lc_rs::signature::RSA_PKCS1_SHA256));
        both_say(&app, "ID101", &format!("{unencoded}.{signature}")).await;
        // zip is of JWE (RFC 7516 §4.1.3): here nothing is inflated, and the member is ignored (RFC 7515 §4).
        both_say(&app, "accepted", &signer.token(json!({ "zip": "DEF", "enc": "A256GCM", "cty": "JWT" }), json!({})))
            .await;
        // RFC 1951 §3.2.4: one stored block.
        let claims = signer.claims(json!({})).to_string();
        let length = u16::try_from(claims.len()).unwrap();
        let deflated = [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), claims.as_bytes()].concat();
        both_say(&app, "ID101", &signer.key.sign_text(signer.header(json!({ "zip": "DEF" })).to_string(), deflated))
            .await;
        // A token within a token is not opened.
        let inner = signer.token(json!({}), json!({}));
        both_say(&app, "ID101", &signer.key.sign_text(signer.header(json!({ "cty": "JWT" })).to_string(), inner)).await;
    }
}

#[tokio::test]
async fn a_member_that_occurs_twice_is_refused_in_every_spelling() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "ES256").await {
        let kid = &signer.kid;
        for header in [
            format!(r#"{{"alg":"ES256","alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#),
            format!(r#"{{"alg":"none","alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#),
            format!(r#"{{"alg":"ES256","\u0061lg":"none","kid":"{kid}","typ":"at+jwt"}}"#),
            format!(r#"{{"\u0061lg":"none","alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#),
            format!(r#"{{"alg":"ES256","kid":"x","k\u0069d":"{kid}","typ":"at+jwt"}}"#),
            format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"at+jwt","typ":"JWT"}}"#),
            format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"at+jwt","x":{{"a":1,"a":1}}}}"#),
        ] {
            both_say(&app, "ID101", &signer.with_header(&header)).await;
        }
        let (issuer, audience) = (&signer.issuer, &signer.audience);
        let good = format!(r#""iss":"{issuer}","aud":"{audience}","sub":"{ALICE}","exp":4000000000"#);
        both_say(&app, "accepted", &signer.with_claims(format!("{{{good}}}"))).await;
        for twice in [
            format!(r#""sub":"{BOB}""#),
            format!(r#""s\u0075b":"{BOB}""#),
            format!(r#""\u0073\u0075\u0062":"{ALICE}""#),
            r#""exp":1"#.into(),
            r#""e\u0078p":4000000000"#.into(),
            format!(r#""aud":["{audience}"]"#),
            format!(r#""iss":"{issuer}""#),
            r#""x":{"a":1,"\u0061":2}"#.into(),
            r#""x":[{"a":1,"a":1}]"#.into(),
            r#""":1,"":1"#.into(),
        ] {
            both_say(&app, "ID101", &signer.with_claims(format!("{{{good},{twice}}}"))).await;
            both_say(&app, "ID101", &signer.with_claims(format!("{{{twice},{good}}}"))).await;
        }
        // Names of another case are other names.
        both_say(&app, "accepted", &signer.with_claims(format!(r#"{{{good},"SUB":"{BOB}","Exp":1}}"#))).await;
        let escaped = format!(r#"{{"\u0061lg":"ES256","kid":"{kid}","typ":"at\u002bjwt"}}"#);
        both_say(&app, "accepted", &signer.with_header(&escaped)).await;
    }
}

#[tokio::test]
async fn what_is_not_exactly_one_json_object_is_refused() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "ES256").await {
        let (header, claims) = (signer.header(json!({})).to_string(), signer.claims(json!({})).to_string());
        both_say(&app, "accepted", &signer.key.sign_text(format!(" {header}\n"), format!("\t{claims} "))).await;
        let spoiled = |text: &str| -> Vec<Vec<u8>> {
            let open = &text[..text.len() - 1];
            let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let mut all: Vec<Vec<u8>> = [
                format!("\u{feff}{text}"),
                format!("{text}{text}"),
                format!("{text} {{}}"),
                format!("{text},"),
                format!("{text}\0"),
                format!("{text}x"),
                format!("{text}//"),
                format!("/**/{text}"),
                format!("[{text}]"),
                format!("{open},}}"),
                open.to_owned(),
                format!("{open},\"x\":NaN}}"),
                format!("{open},\"x\":Infinity}}"),
                format!("{open},\"x\":1e400}}"),
                format!("{open},\"x\":-1e400}}"),
                format!("{open},\"x\":01}}"),
                format!("{open},\"x\":+1}}"),
                format!("{open},\"x\":.5}}"),
                format!("{open},\"x\":0x10}}"),
                format!("{open},x:1}}"),
                format!("{open},'x':1}}"),
                format!("{open},\"x\":\"\u{1}\"}}"),
                format!("{open},\"x\":\"\\x41\"}}"),
                format!("{open},\"x\":\"\\u0000\"}}"),
                format!("{open},\"\\u0000\":1}}"),
                format!("{open},\"x\":\"\\ud800\"}}"),
                format!("{open},\"x\":\"\\udc00\\ud800\"}}"),
                format!("{open},\"\\ud83d\":1}}"),
                format!("{open},\"x\":{}1{}}}", "[".repeat(64), "]".repeat(64)),
                format!("{open},\"x\":{}1{}}}", "{\"a\":".repeat(64), "}".repeat(64)),
                format!("{open},\"x\":{}1{}}}", "[".repeat(2_000), "]".repeat(2_000)),
                format!("{open},\"x\":{}", "[".repeat(5_000)),
                format!("{open},\"x\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000)),
                String::new(),
                " ".into(),
                "null".into(),
                "true".into(),
                "0".into(),
                "\"{}\"".into(),
                "[]".into(),
                "{}{}".into(),
            ]
            .into_iter()
            .map(String::into_bytes)
            .collect();
            all.extend([
                utf16.clone(),
                [&[0xff, 0xfe][..], &utf16].concat(),
                [open.as_bytes(), b",\"x\":\"\xff\"}"].concat(),
                // A lone surrogate in UTF-8, and an overlong NUL.
                [open.as_bytes(), b",\"x\":\"\xed\xa0\x80\"}"].concat(),
                [open.as_bytes(), b",\"x\":\"\xc0\x80\"}"].concat(),
            ]);
            all
        };
        for text in spoiled(&header) {
            both_say(&app, "ID101", &signer.with_header(text)).await;
        }
        for text in spoiled(&claims) {
            both_say(&app, "ID101", &signer.with_claims(text)).await;
        }
    }
}

#[tokio::test]
async fn a_deep_and_exact_token_is_the_same_in_the_setting() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "ES256").await {
        let nested =
            (0..62).fold(json!({ "x": 31.245270191439438, "y": 2.3298432657846506e187 }), |inner, _| json!([inner]));
        let token = signer.token(json!({}), json!({ "deep": nested, "name": "\u{1f600}\u{7f}\\\"" }));
        app.batch_execute("begin").await.unwrap();
        assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
        let claims: Value = app.query_one("select identity.claims()", &[]).await.unwrap().get(0);
        assert_eq!(claims["deep"], nested);
        assert_eq!(claims["name"], "\u{1f600}\u{7f}\\\"");
        app.batch_execute("commit").await.unwrap();
    }
}

#[tokio::test]
async fn json_that_cannot_be_read_exactly_is_a_parameter_error_and_no_crash() {
    let db = Database::new().await;
    let admin = db.admin().await;
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for statement in [
        r#"select identity.sign_jwt('{"x": 1e400}')"#.to_owned(),
        format!(r#"select identity.sign_jwt('{{"x": {deep}}}')"#),
        r#"select identity.trust_issuer('https://x.example', 'x', '{"keys": [1e400]}')"#.to_owned(),
        format!(r#"select identity.trust_issuer('https://x.example', 'x', '{{"keys": [{deep}]}}')"#),
        r#"select identity.trust_issuer('https://x.example', 'x', '{"keys": []}', claims => '{"roles": 1e400}')"#
            .to_owned(),
    ] {
        assert_eq!(sqlstate(admin.execute(&statement, &[]).await), "ID005", "{statement:.120}");
    }
}
