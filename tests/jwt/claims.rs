//! Claims: issuer, audience, times, subject and type, each with its SQLSTATE, of our own tokens and of a trusted issuer's.

use serde_json::json;

use super::signer::{Signer, both_say, outcomes};
use super::{ALICE, BOB, access_token, authenticate, forged, signed, sqlstate};
use crate::support::Database;

#[tokio::test]
async fn every_reason_has_its_sqlstate() {
    let db = Database::new().await;
    let app = db.app().await;
    let now: i64 = app.query_one("select floor(extract(epoch from now()))::bigint", &[]).await.unwrap().get(0);
    let good = access_token(&db, json!({})).await;
    assert_eq!(sqlstate(authenticate(&app, &good).await), "accepted");
    let cases = [
        ("ID101", "not a token".into()),
        ("ID101", access_token(&db, json!({ "exp": "4000000000" })).await),
        ("ID101", access_token(&db, json!({ "exp": -1 })).await),
        ("ID101", access_token(&db, json!({ "nbf": true })).await),
        ("ID101", access_token(&db, json!({ "aud": [1] })).await),
        ("ID101", access_token(&db, json!({ "sub": "" })).await),
        ("ID101", access_token(&db, json!({ "act": "somebody" })).await),
        ("ID101", access_token(&db, json!({ "roles": [1] })).await),
        ("ID102", access_token(&db, json!({ "exp": now - 1 })).await),
        ("ID102", access_token(&db, json!({ "exp": now as f64 - 0.5 })).await),
        ("ID103", access_token(&db, json!({ "nbf": now + 30 })).await),
        ("ID103", access_token(&db, json!({ "iat": now + 30 })).await),
        ("ID104", access_token(&db, json!({ "aud": "https://elsewhere.example" })).await),
        // A prefix is not the audience, nor is a longer one.
        ("ID104", access_token(&db, json!({ "aud": db.issuer[..db.issuer.len() - 1] })).await),
        ("ID104", access_token(&db, json!({ "aud": format!("{}/", db.issuer) })).await),
        ("ID104", access_token(&db, json!({ "aud": [] })).await),
        ("ID105", forged(&good, |header, _| header["kid"] = json!("../../etc/passwd"))),
        ("ID105", forged(&good, |header, _| header["kid"] = json!("' or true --"))),
        (
            "ID105",
            forged(&good, |header, _| {
                header.as_object_mut().unwrap().remove("kid");
            }),
        ),
        ("ID106", forged(&good, |_, claims| claims["sub"] = json!(BOB))),
        ("ID108", signed(&db, "JWT", json!({ "sub": ALICE, "aud": db.issuer })).await),
        ("ID108", signed(&db, "logout+jwt", json!({ "sub": ALICE, "aud": db.issuer })).await),
        ("ID108", signed(&db, "token-introspection+jwt", json!({ "sub": ALICE, "aud": db.issuer })).await),
        ("ID109", access_token(&db, json!({ "iss": "https://elsewhere.example" })).await),
        ("ID109", access_token(&db, json!({ "iss": format!("{}/", db.issuer) })).await),
        ("ID110", forged(&good, |header, _| header["alg"] = json!("RS256"))),
    ];
    for (expected, token) in cases {
        assert_eq!(sqlstate(authenticate(&app, &token).await), expected, "{token}");
        let signed_in: Option<String> = app.query_one("select identity.subject()", &[]).await.unwrap().get(0);
        assert_eq!(signed_in, None);
    }
    let types = ["AT+JWT", "application/at+jwt"];
    for typ in types {
        let token = signed(&db, typ, json!({ "sub": ALICE, "aud": ["other", db.issuer] })).await;
        assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted", "{typ}");
    }
}

#[tokio::test]
async fn an_audience_is_compared_whole() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "ES256").await {
        let audience = &signer.audience;
        for good in [json!(audience), json!([audience]), json!(["x", audience]), json!([audience, audience])] {
            both_say(&app, "accepted", &signer.token(json!({}), json!({ "aud": good }))).await;
        }
        let upper = audience.to_uppercase();
        for other in [
            json!(""),
            json!([]),
            json!([""]),
            json!(upper),
            json!(&audience[..audience.len() - 1]),
            json!(&audience[1..]),
            json!(format!("{audience}/")),
            json!(format!("{audience}.thief.example")),
            json!(format!("{audience} ")),
            json!(format!(" {audience}")),
            json!(format!("x {audience}")),
            json!(format!("{audience},x")),
            json!(format!("[\"{audience}\"]")),
            json!(format!("{audience}#")),
            json!(format!("{audience}?")),
            json!("*"),
            json!("%"),
        ] {
            both_say(&app, "ID104", &signer.token(json!({}), json!({ "aud": other }))).await;
        }
        both_say(&app, "ID104", &signer.without("aud")).await;
        let many: Vec<&str> = std::iter::repeat_n("x", 64).chain([audience.as_str()]).collect();
        for wrong in [
            json!(null),
            json!(1),
            json!(true),
            json!({ "aud": audience }),
            json!([[audience]]),
            json!([audience, 1]),
            json!([null, audience]),
            json!([audience, { "x": audience }]),
            json!(format!("{audience}\0")),
            json!(many),
        ] {
            both_say(&app, "ID101", &signer.token(json!({}), json!({ "aud": wrong }))).await;
        }
    }
}

#[tokio::test]
async fn an_issuer_is_compared_byte_by_byte() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "ES256").await {
        let issuer = &signer.issuer;
        for other in [
            String::new(),
            format!("{issuer}/"),
            issuer.trim_end_matches('/').to_owned() + "//",
            issuer.to_uppercase(),
            issuer[..issuer.len() - 1].to_owned(),
            format!("{issuer} "),
            format!(" {issuer}"),
            format!("{issuer}#"),
            format!("{issuer}?"),
            issuer.replacen("http", "HTTP", 1),
            issuer.replacen("://", "://user@", 1),
            issuer.replacen("://", ":///", 1),
            format!("{issuer}\u{200b}"),
            "%".into(),
            "x".repeat(10_000),
        ] {
            both_say(&app, "ID109", &signer.token(json!({}), json!({ "iss": other }))).await;
        }
        both_say(&app, "ID109", &signer.without("iss")).await;
        for wrong in [json!(null), json!([issuer]), json!({ "iss": issuer }), json!(1), json!(format!("{issuer}\0"))] {
            both_say(&app, "ID101", &signer.token(json!({}), json!({ "iss": wrong }))).await;
        }
    }
}

#[tokio::test]
async fn a_moment_is_a_number_of_seconds_and_nothing_else() {
    let db = Database::new().await;
    let app = db.app().await;
    let now: i64 = app.query_one("select floor(extract(epoch from now()))::bigint", &[]).await.unwrap().get(0);
    for signer in Signer::both(&db, "EdDSA").await {
        let with = |name: &str, number: &str| {
            let mut claims = signer.claims(json!({}));
            claims.as_object_mut().unwrap().remove(name);
            let claims = claims.to_string();
            signer.with_claims(format!("{},\"{name}\":{number}}}", &claims[..claims.len() - 1]))
        };
        for name in ["exp", "nbf", "iat"] {
            for wrong in [
                "null",
                "true",
                "\"\"",
                "\"4000000000\"",
                "\"soon\"",
                "[4000000000]",
                "{}",
                "-1",
                "-0.5",
                "-1e9",
                "1e300",
                "1e400",
                "-1e400",
                "NaN",
                "Infinity",
                "0x7fffffff",
                "253402300800",
                "253402300799.5",
                "9223372036854775807",
                "9223372036854775808",
                "18446744073709551615",
                "18446744073709551616",
                "1e19",
                "04000000000",
                "4000000000.",
            ] {
                both_say(&app, "ID101", &with(name, wrong)).await;
            }
        }
        both_say(&app, "ID101", &signer.without("exp")).await;
        let (past, future) = ((now - 100).to_string(), (now + 1_000).to_string());
        for good in ["4e9", "4000000000.5", "4.0E+9", "253402300799", &future, &format!("{future}.999")] {
            both_say(&app, "accepted", &with("exp", good)).await;
        }
        for expired in ["0", "-0", "0.9", "1e-400", "1e9", &past, &format!("{past}.5")] {
            both_say(&app, "ID102", &with("exp", expired)).await;
        }
        for name in ["nbf", "iat"] {
            for good in ["0", "1e9", &past, &format!("{past}.5")] {
                both_say(&app, "accepted", &with(name, good)).await;
            }
            for early in ["4000000000", "253402300799", &future, &format!("{future}.5")] {
                both_say(&app, "ID103", &with(name, early)).await;
            }
            both_say(&app, "accepted", &signer.without(name)).await;
        }
    }
}

#[tokio::test]
async fn a_subject_is_a_text() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "ES256").await {
        for wrong in
            [json!(null), json!(1), json!(true), json!([ALICE]), json!({ "sub": ALICE }), json!(format!("{ALICE}\0"))]
        {
            both_say(&app, "ID101", &signer.token(json!({}), json!({ "sub": wrong }))).await;
        }
        let claims = signer.claims(json!({})).to_string();
        for spelling in ["\"\\ud800\"", "\"\\udfff\\ud800\"", "\"a\\u0000b\"", "\"\\u00\"", "'a'"] {
            let token = signer.with_claims(claims.replace(&format!("\"{ALICE}\""), spelling));
            both_say(&app, "ID101", &token).await;
        }
        // Nobody signs in without a subject; verify_jwt only says what was signed.
        for nobody in [signer.without("sub"), signer.token(json!({}), json!({ "sub": "" }))] {
            assert_eq!(outcomes(&app, &nobody).await, ["ID101", "accepted"]);
        }
        // What only looks like a person's id is a subject like any other, and no user of ours.
        for other in [
            ALICE.to_uppercase(),
            ALICE.replace('-', ""),
            format!("{{{ALICE}}}"),
            format!(" {ALICE}"),
            "\u{202e}\u{1f600}".into(),
        ] {
            app.batch_execute("begin").await.unwrap();
            assert_eq!(
                sqlstate(authenticate(&app, &signer.token(json!({}), json!({ "sub": other }))).await),
                "accepted"
            );
            let row = app.query_one("select identity.subject(), identity.user_id()", &[]).await.unwrap();
            assert_eq!((row.get::<_, &str>(0), row.get::<_, Option<uuid::Uuid>>(1)), (other.as_str(), None));
            app.batch_execute("commit").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_type_is_that_of_an_access_token() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "ES256").await {
        let untyped = if signer.is_ours() { "ID108" } else { "accepted" };
        for (expected, typ) in [
            ("accepted", "at+jwt"),
            ("accepted", "AT+JWT"),
            ("accepted", "At+Jwt"),
            ("accepted", "application/at+jwt"),
            ("accepted", "APPLICATION/AT+JWT"),
            (untyped, "JWT"),
            (untyped, "jwt"),
            (untyped, "application/jwt"),
            ("ID108", ""),
            ("ID108", " at+jwt"),
            ("ID108", "at+jwt "),
            ("ID108", "at+jwt; charset=utf-8"),
            ("ID108", "at jwt"),
            ("ID108", "at%2Bjwt"),
            ("ID108", "application/application/at+jwt"),
            ("ID108", "text/at+jwt"),
            ("ID108", "application/"),
            ("ID108", "at+jws"),
            ("ID108", "dpop+jwt"),
            ("ID108", "logout+jwt"),
            ("ID108", "secevent+jwt"),
            ("ID108", "token-introspection+jwt"),
            ("ID108", "oauth-authz-req+jwt"),
            ("ID108", "JOSE"),
            // Only ASCII has capitals here.
            ("ID108", "at+\u{237}wt"),
        ] {
            let token = signer.token(json!({ "typ": typ }), json!({}));
            assert_eq!(outcomes(&app, &token).await, [expected, "accepted"], "{typ}");
        }
        assert_eq!(outcomes(&app, &signer.without("typ")).await, [untyped, "accepted"]);
        for typ in [json!(null), json!(1), json!(["at+jwt"]), json!({}), json!("at+jwt\0")] {
            both_say(&app, "ID101", &signer.token(json!({ "typ": typ }), json!({}))).await;
        }
    }
}
