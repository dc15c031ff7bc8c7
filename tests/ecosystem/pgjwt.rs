//! pgjwt's functions: its own tests, and what they do not ask.

use serde_json::json;

use crate::jwt::{authenticate, sqlstate};
use crate::support::Database;

const PAYLOAD: &str = r#"{"sub":"1234567890","name":"John Doe","admin":true}"#;
const BODY: &str = "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiYWRtaW4iOnRydWV9";

/// The vectors of pgjwt's test/test.sql: algorithm, header, signature under "secret".
const VECTORS: [(&str, &str, &str); 3] = [
    ("HS256", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "TJVA95OrM7E2cBab30RMHrHDcEfxjoYZgeFONFh7HgQ"),
    (
        "HS384",
        "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9",
        "DtVnCyiYCsCbg8gUP-579IC2GJ7P3CtFw6nfTTPw-0lZUzqgWAo9QIQElyxOpoRm",
    ),
    (
        "HS512",
        "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9",
        "YI0rUGDq5XdRw8vW2sDLRNFMN8Waol03iSFH8I4iLzuYK7FKHaQYWzPt0BJFGrAmKJ6SjY0mJIMZqNQJFVpkuw",
    ),
];

async fn database() -> Database {
    let db = Database::new().await;
    db.superuser()
        .await
        .batch_execute(
            "create schema jwt; grant usage on schema jwt to app_login; create extension pg_identity_pgjwt schema jwt",
        )
        .await
        .unwrap();
    db
}

#[tokio::test]
async fn the_vectors_of_pgjwt_come_out_and_go_in() {
    let db = database().await;
    let app = db.app().await;
    for (algorithm, header, signature) in VECTORS {
        let token = format!("{header}.{BODY}.{signature}");
        let signed = "select jwt.sign($1::text::json, 'secret', $2), jwt.algorithm_sign($3, 'secret', $2)";
        let row = app.query_one(signed, &[&PAYLOAD, &algorithm, &format!("{header}.{BODY}")]).await.unwrap();
        assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), (token.as_str(), signature));
        for (secret, valid) in [("secret", true), ("badsecret", false), ("", false)] {
            let verified = "select header::text, payload::text, valid from jwt.verify($1, $2, $3)";
            let row = app.query_one(verified, &[&token, &secret, &algorithm]).await.unwrap();
            let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
            assert_eq!((row.get(0), row.get(1), row.get(2)), (header.as_str(), PAYLOAD, valid));
        }
    }
    // The default is HS256.
    let by_default = format!(
        "select jwt.sign('{PAYLOAD}', 'secret'), (jwt.verify(jwt.sign('{PAYLOAD}', 'secret'), 'secret')).valid"
    );
    let row = app.query_one(&by_default, &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), format!("{}.{BODY}.{}", VECTORS[0].1, VECTORS[0].2));
    assert!(row.get::<_, bool>(1));
}

#[tokio::test]
async fn what_pgjwt_refuses_is_refused_in_its_words() {
    let db = database().await;
    let app = db.app().await;
    let token = format!("{}.{BODY}.{}", VECTORS[0].1, VECTORS[0].2);
    for call in [
        "jwt.sign('{}', 'secret', 'bogus')".to_owned(),
        format!("jwt.verify('{token}', 'secret', 'bogus')"),
        "jwt.algorithm_sign('x', 'secret', 'none')".to_owned(),
        "jwt.algorithm_sign('x', 'secret', 'hs256')".to_owned(),
    ] {
        let error = app.query(&format!("select {call}"), &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(
            (error.code().code(), error.message()),
            ("22023", "Cannot use \"\": No such hash algorithm"),
            "{call}"
        );
    }
    // Bogus header and bogus payload.
    for bogus in [
        token.replace("iIsInR5c", "iIBOGUSc"),
        token.replace("vaG4gRG9", "vaBOGUS9"),
        "x".into(),
        "..".into(),
        "%.%.%".into(),
    ] {
        assert!(app.query("select * from jwt.verify($1, 'secret')", &[&bogus]).await.is_err(), "{bogus}");
    }
}

#[tokio::test]
async fn a_token_is_valid_from_nbf_on_and_before_exp() {
    let db = database().await;
    let app = db.app().await;
    let cases = [
        (json!({}), true),
        (json!({ "exp": 4_000_000_000_i64, "nbf": 0 }), true),
        (json!({ "exp": 4e9, "nbf": 1.5 }), true),
        (json!({ "exp": "4000000000" }), true),
        (json!({ "exp": null, "nbf": null }), true),
        (json!({ "exp": 1_000_000_000 }), false),
        (json!({ "nbf": 4_000_000_000_i64 }), false),
        (json!({ "exp": 1_000_000_000, "nbf": 4_000_000_000_i64 }), false),
        // pgjwt takes these for no limit.
        (json!({ "exp": "never" }), false),
        (json!({ "exp": [] }), false),
        (json!({ "nbf": "NaN" }), false),
        (json!([]), false),
    ];
    for (payload, valid) in cases {
        let sql = "select valid from jwt.verify(jwt.sign($1::text::json, 'secret'), 'secret')";
        assert_eq!(app.query_one(sql, &[&payload.to_string()]).await.unwrap().get::<_, bool>(0), valid, "{payload}");
    }
    let changed = "select bool_or(valid) from regexp_split_to_table('A B - _ = AA', ' ') more,
        jwt.verify(jwt.sign('{}', 'secret') || more, 'secret')";
    assert!(!app.query_one(changed, &[]).await.unwrap().get::<_, bool>(0));
}

#[tokio::test]
async fn base64url_is_written_one_way_and_read_as_pgjwt_reads_it() {
    let db = database().await;
    let app = db.app().await;
    let round = "select bool_and(jwt.url_decode(jwt.url_encode(bytes)) = bytes and jwt.url_encode(bytes) !~ '[^A-Za-z0-9_-]'
          and jwt.url_decode(encode(bytes, 'base64')) = bytes)
        from generate_series(0, 200) n, lateral (select decode(repeat(md5(n::text), n / 16) || left(md5(n::text), 2 * (n % 16)), 'hex')) b (bytes)";
    assert!(app.query_one(round, &[]).await.unwrap().get::<_, bool>(0));
    assert_eq!(sqlstate(app.query("select jwt.url_decode('!')", &[]).await), "22023");
}

#[tokio::test]
async fn it_moves_to_another_schema_and_signs_nobody_in() {
    let db = database().await;
    db.superuser()
        .await
        .batch_execute("create schema elsewhere; grant usage on schema elsewhere to app_login; alter extension pg_identity_pgjwt set schema elsewhere")
        .await
        .unwrap();
    let app = db.app().await;
    let claims = json!({ "iss": db.issuer, "aud": db.issuer, "sub": "x", "exp": 4_000_000_000_i64 }).to_string();
    let sql = "select elsewhere.sign($1::text::json, 'secret'), (elsewhere.verify(elsewhere.sign($1::text::json, 'secret'), 'secret')).valid";
    let row = app.query_one(sql, &[&claims]).await.unwrap();
    assert!(row.get::<_, bool>(1));
    assert_eq!(sqlstate(authenticate(&app, row.get(0)).await), "ID110");
}
