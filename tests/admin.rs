//! `gateway admin`: what an administrator does from a shell.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Browser, Database, Flow, Gateway, Login, public_client, user};

/// Runs `gateway admin ARGUMENTS` with this standard input: whether it succeeded, what it printed, what it complained of.
fn admin(db: &Database, arguments: &[&str], input: &str) -> (bool, String, String) {
    let mut child = Gateway::command("admin", db, &[])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Commands that read nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn done(db: &Database, arguments: &[&str], input: &str) -> String {
    let (success, out, err) = admin(db, arguments, input);
    assert!(success, "{arguments:?}: {out}{err}");
    out
}

#[track_caller]
fn done_json(db: &Database, arguments: &[&str], input: &str) -> Value {
    serde_json::from_str(&done(db, &[&["--json"], arguments].concat(), input)).unwrap()
}

#[track_caller]
fn refused(db: &Database, arguments: &[&str], input: &str, reason: &str) {
    let (success, out, err) = admin(db, arguments, input);
    assert!(!success && err.contains(reason), "{arguments:?}: {out}{err}");
}

#[tokio::test]
async fn a_person_is_made_found_changed_and_deleted() {
    let db = Database::new().await;
    let create = [
        "users",
        "create",
        "--username",
        "alice",
        "--name",
        "Alice Liddell",
        "--email",
        "alice@example.org",
        "--email-verified",
    ];
    let id = done(&db, &[&create[..], &["--role", "editor"]].concat(), "correct horse battery\n").trim().to_owned();
    let shown = done_json(&db, &["users", "show", "alice@example.org"], "");
    assert_eq!(
        (&shown["sub"], &shown["name"], &shown["roles"], &shown["state"], &shown["password"]),
        (&json!(id), &json!("Alice Liddell"), &json!(["editor"]), &json!("active"), &json!(true))
    );
    let listed = done(&db, &["users", "list", "--search", "ali"], "");
    assert!(listed.contains(&id) && listed.contains("alice@example.org") && listed.ends_with("1 row\n"), "{listed}");
    done(&db, &["users", "disable", "alice"], "");
    assert_eq!(done_json(&db, &["users", "show", &id], "")["state"], json!("disabled"));
    done(&db, &["users", "enable", "alice"], "");
    done(&db, &["users", "set-roles", "alice", "admin", "editor"], "");
    assert_eq!(done_json(&db, &["users", "show", "alice"], "")["roles"], json!(["admin", "editor"]));
    done(&db, &["users", "delete", "alice"], "");
    refused(&db, &["users", "show", "alice"], "", "there is no user alice");
    refused(&db, &["users", "show", &id], "", "SQLSTATE ID006");
}

#[tokio::test]
async fn a_profile_comes_from_a_file_or_standard_input() {
    let db = Database::new().await;
    let profile =
        json!({ "preferred_username": "bob", "birthdate": "1990-01-31", "address": { "country": "NO" } }).to_string();
    let made = done_json(&db, &["users", "create", "--no-password", "--profile", "-"], &profile);
    let shown = done_json(&db, &["users", "show", made["user_id"].as_str().unwrap()], "");
    assert_eq!(
        (&shown["birthdate"], &shown["address"], &shown["password"]),
        (&json!("1990-01-31"), &json!({ "country": "NO" }), &json!(false))
    );
    refused(&db, &["users", "create", "--no-password", "--profile", "-"], "[1]", "is not a JSON object");
    refused(&db, &["users", "create", "--no-password", "--username", "BOB"], "", "SQLSTATE ID007");
}

#[tokio::test]
async fn a_password_is_read_and_never_an_argument() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let gateway = Gateway::start(&db).await;
    let app = public_client(&db).await;
    done(&db, &["users", "set-password", "alice"], "another horse battery\n");
    let alice = crate::support::User { password: "another horse battery".into(), ..alice };
    Flow::new(&gateway, &app).tokens(&alice).await;
    refused(&db, &["users", "set-password", "alice"], "\n", "the password is empty");
    refused(&db, &["users", "set-password", "alice", "argument"], "", "unexpected argument 'argument'");
}

#[tokio::test]
async fn sessions_are_listed_and_revoked() {
    let db = Database::new().await;
    let alice = user(&db, "alice").await;
    let gateway = Gateway::start(&db).await;
    let browser = Browser::new();
    let page = browser.open(gateway.url("/login")).await;
    browser.sign_in(&page, &alice.username, &alice.password).await;
    let sessions = done_json(&db, &["users", "sessions", "alice"], "");
    let id = sessions[0]["session_id"].as_str().unwrap();
    assert!(done(&db, &["users", "sessions", "alice"], "").contains(id));
    done(&db, &["sessions", "revoke", id], "");
    assert_eq!(done_json(&db, &["users", "sessions", "alice"], ""), json!([]));
}

#[tokio::test]
async fn a_client_is_registered_changed_and_deleted() {
    let db = Database::new().await;
    let uri = "https://app.example/cb";
    let made = done_json(&db, &["clients", "create", "--name", "App", "--redirect-uri", uri, "--scope", "openid"], "");
    let (id, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
    let shown = done_json(&db, &["clients", "show", id], "");
    assert_eq!(
        (&shown["client_name"], &shown["redirect_uris"], shown.get("client_secret")),
        (&json!("App"), &json!([uri]), None)
    );
    assert!(done(&db, &["clients", "list"], "").contains(id));
    let changed = done_json(
        &db,
        &["clients", "update", id, "--metadata", "-"],
        "{\"client_name\": null, \"access_token_lifetime\": 60}",
    );
    assert_eq!((changed.get("client_name"), &changed["access_token_lifetime"]), (None, &json!(60)));
    let rotated = done_json(&db, &["clients", "rotate-secret", id, "--overlap", "5 minutes"], "");
    assert_ne!(rotated["client_secret"], json!(secret));
    done(&db, &["clients", "delete", id], "");
    refused(&db, &["clients", "show", id], "", "SQLSTATE ID006");
    refused(&db, &["clients", "create", "--redirect-uri", "javascript:alert(1)"], "", "SQLSTATE ID005");
}

#[tokio::test]
async fn keys_are_listed_made_and_rotated() {
    let db = Database::new().await;
    let kid = done_json(&db, &["keys", "create", "--algorithm", "EdDSA"], "")["kid"].as_str().unwrap().to_owned();
    assert!(done(&db, &["keys", "list"], "").contains(&kid));
    let kids = |keys: Value| keys.as_array().unwrap().iter().map(|key| key["kid"].to_string()).collect::<Vec<_>>();
    let before = kids(done_json(&db, &["keys", "list"], ""));
    done(&db, &["keys", "rotate"], "");
    let after = kids(done_json(&db, &["keys", "list"], ""));
    assert!(before.iter().any(|kid| after.contains(kid)), "{before:?} {after:?}");
    refused(&db, &["keys", "create", "--algorithm", "none"], "", "SQLSTATE ID0");
}

#[tokio::test]
async fn the_issuer_is_configured() {
    let db = Database::new().await;
    done(&db, &["configure", "--issuer", "https://id.example.com", "--audience", "https://api.example.com"], "");
    let issuer: String = db.admin().await.query_one("select identity.configured_issuer()", &[]).await.unwrap().get(0);
    assert_eq!(issuer, "https://id.example.com");
    refused(&db, &["configure", "--issuer", "https://id.example.com/"], "", "must not end with a slash");
}

#[tokio::test]
async fn the_role_of_serve_administers_nothing() {
    let db = Database::new().await;
    let mut command = Gateway::command("admin", &db, &[("GATEWAY_ADMIN_DATABASE_URL", &db.url(Login::Gateway))]);
    let output = command.args(["users", "list"]).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && err.contains("permission denied for function user_list"), "{err}");
}

#[tokio::test]
async fn a_name_cannot_rewrite_the_terminal() {
    let db = Database::new().await;
    let profile = json!({ "preferred_username": "mallory", "name": "Mallory\u{1b}[2J\nroot" }).to_string();
    let (success, _, _) = admin(&db, &["users", "create", "--no-password", "--profile", "-"], &profile);
    // Refused at the door or made harmless in the table, both will do.
    let listed = done(&db, &["users", "list"], "");
    assert!(!listed.contains('\u{1b}') && (!success || listed.contains("Mallory\u{fffd}")), "{listed:?}");
}
