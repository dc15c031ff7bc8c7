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
pub fn done(db: &Database, arguments: &[&str], input: &str) -> String {
    let (success, out, err) = admin(db, arguments, input);
    assert!(success, "{arguments:?}: {out}{err}");
    out
}

#[track_caller]
pub fn done_json(db: &Database, arguments: &[&str], input: &str) -> Value {
    serde_json::from_str(&done(db, &[&["--json"], arguments].concat(), input)).unwrap()
}

#[track_caller]
pub fn refused(db: &Database, arguments: &[&str], input: &str, reason: &str) {
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
async fn a_profile_is_changed_by_merge_patch() {
    let db = Database::new().await;
    let profile =
        json!({ "preferred_username": "bob", "name": "Bob", "nickname": "b", "birthdate": "1990" }).to_string();
    done(&db, &["users", "create", "--no-password", "--profile", "-"], &profile);
    let patch = json!({ "name": "Robert", "nickname": null }).to_string();
    assert_eq!(done(&db, &["users", "update", "bob", "--profile", "-"], &patch), "updated\n");
    let shown = done_json(&db, &["users", "show", "bob"], "");
    assert_eq!(
        (&shown["name"], shown.get("nickname"), &shown["birthdate"], &shown["preferred_username"]),
        (&json!("Robert"), None, &json!("1990"), &json!("bob"))
    );
    refused(&db, &["users", "update", "bob", "--profile", "-"], "[1]", "is not a JSON object");
    refused(&db, &["users", "update", "bob", "--profile", "-"], "{\"shoe\": 43}", "profile: shoe is not known");
    refused(&db, &["users", "update", "eve", "--profile", "-"], "{}", "there is no user eve");
}

#[tokio::test]
async fn a_person_was_created_at_the_same_time_in_list_and_show() {
    let db = Database::new().await;
    done(&db, &["users", "create", "--no-password", "--username", "alice"], "");
    let seconds = |user: &Value| user["created_at"].as_str().unwrap()[..19].to_owned();
    let listed = seconds(&done_json(&db, &["users", "list"], "")[0]);
    assert_eq!(seconds(&done_json(&db, &["users", "show", "alice"], "")), listed);
    let time = listed.replace('T', " ");
    assert!(done(&db, &["users", "list"], "").contains(&time));
    let shown = done(&db, &["users", "show", "alice"], "");
    for member in ["created_at", "updated_at"] {
        let line = shown.lines().find(|line| line.starts_with(member)).unwrap();
        assert!(
            line.contains(&time[..10]) && line.ends_with(|end: char| end == 'Z' || end.is_ascii_digit()),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_person_without_a_user_name_is_refused_before_the_password() {
    let db = Database::new().await;
    refused(&db, &["users", "create", "--name", "Alice"], "", "the user name is missing");
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
    for (what, function) in [("users", "user_list"), ("keys", "signing_key_list")] {
        let mut command = Gateway::command("admin", &db, &[("GATEWAY_ADMIN_DATABASE_URL", &db.url(Login::Gateway))]);
        let output = command.args([what, "list"]).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        let expected = format!("permission denied for function {function}");
        assert!(!output.status.success() && err.contains(&expected), "{err}");
    }
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
