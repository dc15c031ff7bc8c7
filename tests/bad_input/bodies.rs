//! Requests that are wrong as a whole: another method, another kind of body, no body, or one without end.

use std::io::Write;

use super::digest;
use super::mangled::{Answer, Endpoint};
use super::stage::{Stage, stranger};
use crate::operations::{dial, read_all};

/// Endpoints that read a form, with what they say to a body that is none: an error for a client, a page for a person.
const FORMS: [&str; 13] = [
    "/token",
    "/introspect",
    "/revoke",
    "/authorize",
    "/login",
    "/select-account",
    "/consent",
    "/logout",
    "/logout/confirm",
    "/sessions/end",
    "/sessions/end-others",
    "/applications/withdraw",
    "/password",
];

#[tokio::test]
async fn a_body_that_is_no_form_is_refused_everywhere() {
    let stage = Stage::new().await;
    let superuser = stage.db.superuser().await;
    let before = digest(&superuser).await;
    let json = r#"{"grant_type": "client_credentials", "token": "x", "csrf": "x"}"#;
    for path in FORMS {
        let endpoint = stranger("POST", path, &[]);
        for (content_type, body) in [
            (Some("application/json"), json),
            (Some("text/plain"), "grant_type=client_credentials&csrf=x"),
            (
                Some("multipart/form-data; boundary=x"),
                "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nx\r\n--x--\r\n",
            ),
            (Some(""), "grant_type=client_credentials"),
            (None, "grant_type=client_credentials"),
            (None, ""),
        ] {
            let answer = endpoint.exchange(&stage.db, path, content_type, body);
            answer.assert_sound(path);
            assert_eq!(answer.cell(), "400 invalid_request", "{path} with {content_type:?}");
            assert!(answer.body.contains("application/x-www-form-urlencoded"), "{path}: {}", answer.body);
        }
    }
    assert_eq!(digest(&superuser).await, before);
}

#[tokio::test]
async fn a_method_that_an_address_does_not_take_is_told_which_ones_it_does() {
    let stage = Stage::new().await;
    let superuser = stage.db.superuser().await;
    let before = digest(&superuser).await;
    for (path, allow) in [
        ("/authorize", "GET,HEAD,POST"),
        ("/login", "GET,HEAD,POST"),
        ("/select-account", "GET,HEAD,POST"),
        ("/consent", "GET,HEAD,POST"),
        ("/logout", "GET,HEAD,POST"),
        ("/password", "GET,HEAD,POST"),
        ("/", "GET,HEAD"),
        ("/logout/done", "GET,HEAD"),
        ("/logout/elsewhere", "GET,HEAD"),
        ("/session-state", "GET,HEAD"),
        ("/session-state/check", "GET,HEAD"),
        ("/logout/confirm", "POST"),
        ("/sessions/end", "POST"),
        ("/sessions/end-others", "POST"),
        ("/applications/withdraw", "POST"),
        ("/token", "POST"),
        ("/introspect", "POST"),
        ("/revoke", "POST"),
        ("/register", "POST"),
        ("/userinfo", "GET,HEAD,POST"),
        ("/jwks.json", "GET,HEAD"),
        ("/openapi.json", "GET,HEAD"),
        ("/.well-known/openid-configuration", "GET,HEAD"),
    ] {
        for method in ["PUT", "DELETE", "PATCH", "QUERY"] {
            let answer = Endpoint { method, ..stranger("POST", path, &[]) }.send(&stage.db, "");
            answer.assert_sound(path);
            assert_eq!(
                (answer.cell().as_str(), answer.header("allow")),
                ("405 invalid_request", Some(allow)),
                "{method} {path}"
            );
        }
    }
    assert_eq!(digest(&superuser).await, before);
}

/// Chunks announce no length, so that nothing can be refused before the limit is passed.
#[tokio::test]
async fn a_body_without_end_is_cut_off_at_the_limit() {
    let stage = Stage::new().await;
    for path in ["/token", "/login"] {
        let mut stream = dial(&stage.db);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
        // Until it is cut off.
        let _ = (0..64).try_for_each(|_| stream.write_all(chunk.as_bytes()));
        let answer = Answer::read(&read_all(stream));
        answer.assert_sound(path);
        assert!(
            ["400 invalid_request", "413 invalid_request"].contains(&answer.cell().as_str()),
            "{path}: {}",
            answer.cell()
        );
    }
}

/// Cookies and headers are anybody's text.
#[tokio::test]
async fn a_header_of_nobody_proves_nothing() {
    let stage = Stage::new().await;
    let superuser = stage.db.superuser().await;
    let before = digest(&superuser).await;
    let asked = stage.flow.url();
    let authorize = format!("/authorize?{}", asked.query().unwrap());
    let long = "x".repeat(8000);
    let headers = [
        ("Cookie", "identity_session=; identity_browser=; identity_device="),
        ("Cookie", "identity_session=ids_x.y; identity_session=ids_z; identity_browser=\"'--<script>\"; ;=;x"),
        ("Cookie", "identity_session=ids_00000000000000000000000000000000_é\u{1f600}"),
        ("Cookie", &format!("identity_session={long}; identity_device={long}")),
        ("Authorization", "Bearer"),
        ("Authorization", "Bearer \u{fffd}"),
        ("Authorization", "Basic Og=="),
        ("Authorization", &long),
        ("User-Agent", "\u{e9}\u{1f600}<script>alert(1)</script>"),
        ("X-Forwarded-For", "::1, <script>, 999.999.999.999"),
        ("Forwarded", "for=\"[::1\";proto=javascript"),
        ("Accept", "text/html;q=nonsense,,,"),
        ("Origin", "null\u{e9}"),
        ("Sec-Fetch-Site", "elsewhere"),
        ("If-None-Match", "\"\u{e9}"),
    ];
    for (name, value) in headers {
        for (target, cell) in [
            ("/", "303 /login"),
            ("/login", "200 sign-in"),
            ("/consent?resume=x", "400 invalid_request"),
            ("/logout", "200 logged-out"),
            (&authorize, "303 /login"),
            ("/userinfo", "401 invalid_token"),
        ] {
            let endpoint = Endpoint { headers: vec![(name, value.to_owned())], ..stranger("GET", "", &[]) };
            let answer = endpoint.exchange(&stage.db, target, None, "");
            answer.assert_sound(target);
            assert_eq!(answer.cell(), cell, "{target} with {name}: {value:.60}");
        }
    }
    assert_eq!(digest(&superuser).await, before);
}
