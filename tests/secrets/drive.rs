//! The whole protocol through the real gateway, and everything that goes wrong in it: all secrets that were used meanwhile.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use super::clients::{logouts, request_objects, responses, signatures};
use super::keys::keys;
use super::needles::{Needle, Secrets};
use crate::client_assertions::Signer;
use crate::issuers::Foreign;
use crate::sign_in::wait;
use crate::support::{Browser, Client, Database, Flow, Gateway, Tokens, User, service_client, user, web_client};

pub async fn drive(db: &Database, gateway: &Gateway) -> Vec<Needle> {
    let mut secrets = Secrets::default();
    let (alice, app, service) = (user(db, "alice").await, web_client(db).await, service_client(db).await);
    secrets.note("a password", &alice.password);
    for client in [&app, &service] {
        secrets.note("a client secret", client.secret.as_ref().unwrap());
    }
    administration(db, &mut secrets);
    registration(db, gateway, &mut secrets).await;
    signing_in(db, gateway, &app, &alice, &mut secrets).await;
    tokens(db, gateway, &app, &service, &alice, &mut secrets).await;
    let keyed = signatures(db, gateway, &mut secrets).await;
    request_objects(db, gateway, &alice, &mut secrets).await;
    responses(db, gateway, &alice, &mut secrets).await;
    logouts(db, &alice, &mut secrets).await;
    failures(db, &app, &keyed, &alice, &mut secrets).await;
    keys(db, &mut secrets).await;
    secrets.needles
}

fn administration(db: &Database, secrets: &mut Secrets) {
    let bob = "a password for bob alone";
    secrets.note("a password set by an administrator", bob);
    for (arguments, input) in [
        (&["users", "create", "--username", "bob"][..], bob),
        (&["users", "set-password", "bob"], bob),
        (&["users", "create", "--username", "bob"], bob),
        (&["keys", "create", "--algorithm", "EdDSA"], ""),
        (&["keys", "create", "--algorithm", "RS256"], ""),
        (&["keys", "rotate"], ""),
        (&["keys", "rewrap"], ""),
    ] {
        let mut child = Gateway::command("admin", db, &[])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(format!("{input}\n").as_bytes());
        child.wait().unwrap();
    }
}

async fn registration(db: &Database, gateway: &Gateway, secrets: &mut Secrets) {
    let admin = db.admin().await;
    let minted = "select identity.registration_token_create('a partner') ->> 'initial_access_token'";
    let initial: String = admin.query_one(minted, &[]).await.unwrap().get(0);
    secrets.note("an initial access token", &initial);
    admin.batch_execute("select identity.registration_configure('open')").await.unwrap();
    let browser = Browser::new();
    let register = browser.http.post(gateway.url("/register"));
    let metadata = json!({ "redirect_uris": ["https://registered.example/cb"] });
    let answer = browser.send(register.bearer_auth(&initial).json(&metadata)).await.json();
    let (uri, token) =
        (answer["registration_client_uri"].as_str().unwrap(), answer["registration_access_token"].as_str().unwrap());
    secrets.note("a registration access token", token);
    secrets.note("a secret of a client that registered itself", answer["client_secret"].as_str().unwrap());
    browser.send(browser.http.get(uri).bearer_auth(token)).await;
    // What nobody trusted vouches for. A statement that is believed is public: every copy of the software has it (RFC 7591 §2.3).
    let statement =
        Foreign::new("ES256").sign(json!({}), json!({ "iss": "https://vouch.example", "software_id": "x" }));
    secrets.note("a software statement", &statement);
    let stated = json!({ "redirect_uris": ["https://registered.example/cb"], "software_statement": statement });
    let refused = browser.send(browser.http.post(gateway.url("/register")).json(&stated)).await;
    assert_eq!(refused.json()["error"], "unapproved_software_statement");
    // Where it does not belong, and what is not one.
    browser.send(browser.http.post(gateway.url("/register")).bearer_auth(token).json(&metadata)).await;
    let own = json!({ "client_id": answer["client_id"], "client_secret": "a secret that it chose for itself" });
    secrets.note("a secret that a client chose", "a secret that it chose for itself");
    assert_eq!(browser.send(browser.http.put(uri).bearer_auth(token).json(&own)).await.status, 400);
    assert_eq!(browser.send(browser.http.delete(uri).bearer_auth(token)).await.status, 204);
}

async fn signing_in(db: &Database, gateway: &Gateway, app: &Client, alice: &User, secrets: &mut Secrets) {
    let browser = Browser::new();
    let flow = Flow::new(gateway, app);
    let page = browser.open(flow.url()).await;
    let resume = page.form("sign-in").fields.into_iter().find(|(name, _)| name == "resume").unwrap().1;
    secrets.note("a sealed request", &resume);
    for (username, password) in [
        ("alice", "a wrong password of hers"),
        ("nobody", "a password of nobody at all"),
        ("alice", "a password\twith a control"),
        ("a password as a name", "x"),
        ("alice", &"a very long password ".repeat(200)),
    ] {
        if password.len() > 12 {
            secrets.note("a wrong password", &password[..password.len().min(1_000)]);
        }
        // What a person typed into the wrong field is a password too.
        if username.contains(' ') {
            secrets.note("a password in the place of the name", username);
        }
        browser.sign_in(&page, username, password).await;
    }
    // Bytes that are no text.
    let body = "csrf=x&username=alice&password=a%20password%FF%00with%20no%20text";
    let request = browser.http.post(gateway.url("/login")).header("content-type", "application/x-www-form-urlencoded");
    browser.send(request.body(body)).await;
    secrets.note("a password that is no text", "with no text");

    // The cookies are in the answer to the form, before any redirect is followed.
    let mut form = page.form("sign-in");
    form.fields.retain(|(name, _)| name != "username" && name != "password");
    form.fields.extend([("username".into(), "alice".into()), ("password".into(), alice.password.clone())]);
    wait(db, 3600).await;
    let request = browser.http.post(gateway.url("/login")).header("Origin", &gateway.issuer).form(&form.fields);
    let answer = browser.send(request).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    secrets.cookies(&answer);
    let home = browser.open(gateway.url("/")).await;
    let next = "the next password of alice";
    secrets.note("a changed password", next);
    for (old, new) in [("not her old password", next), (&alice.password, next), (next, &alice.password)] {
        secrets.note("an old password", old);
        let changed = [("old_password", old), ("new_password", new), ("new_password_again", new)];
        browser.press(&home, "change-password", &changed).await;
    }
}

async fn tokens(db: &Database, gateway: &Gateway, app: &Client, service: &Client, alice: &User, secrets: &mut Secrets) {
    let flow = Flow::new(gateway, app);
    secrets.note("a code verifier", &flow.code_verifier);
    let code = flow.code(alice).await;
    secrets.note("a code", &code);
    let answer = flow.redeem(&code).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let first = Tokens { body: answer.json() };
    let refreshed = Tokens { body: flow.refresh(first.refresh()).await.json() };
    secrets.tokens(&first);
    secrets.tokens(&refreshed);
    let (access, refresh) = (refreshed.access().to_owned(), refreshed.refresh().to_owned());
    let browser = &flow.browser;
    browser.send(browser.http.get(gateway.url("/userinfo")).bearer_auth(&access)).await;
    browser.send(browser.http.get(gateway.url("/userinfo")).bearer_auth(format!("{access}x"))).await;
    browser.send(browser.http.get(gateway.url(&format!("/userinfo?access_token={access}")))).await;
    for token in [&access, &refresh, &format!("{refresh}x")] {
        let basic = browser.http.post(gateway.url("/introspect")).basic_auth(&service.id, service.secret.as_ref());
        browser.send(basic.form(&[("token", token)])).await;
        // In a URL, where it does not belong, and with a secret that is wrong.
        browser
            .send(
                browser
                    .http
                    .post(gateway.url(&format!("/introspect?token={token}")))
                    .basic_auth(&service.id, Some(token)),
            )
            .await;
        let wrong =
            [("client_id", service.id.as_str()), ("client_secret", token), ("grant_type", "client_credentials")];
        browser.post(gateway.url("/token"), &wrong).await;
    }
    let rotated: serde_json::Value = db
        .admin()
        .await
        .query_one("select to_jsonb(r) from identity.client_rotate_secret($1) r", &[&app.id])
        .await
        .unwrap()
        .get(0);
    secrets.note("a new client secret", rotated["client_secret"].as_str().unwrap_or_else(|| panic!("{rotated}")));
    // A second redemption, an old refresh token, an end.
    flow.redeem(&code).await;
    flow.refresh(first.refresh()).await;
    flow.refresh(&refresh).await;
    flow.call("/revoke", &[("token", &access)]).await;
    flow.call("/revoke", &[("token", &refresh)]).await;
    browser.open(gateway.url(&format!("/logout?id_token_hint={}", refreshed.id()))).await;
}

/// What fails inside the database: timed out, ended, read-only, with broken values, against a constraint.
async fn failures(db: &Database, app: &Client, keyed: &Signer, alice: &User, secrets: &mut Secrets) {
    let sign_in = "select identity.sign_in(null, 'b', 'alice', $1, null, null, null, null)";
    for set in [
        "set statement_timeout = 1",
        "set default_transaction_read_only = on",
        "set default_transaction_isolation = 'serializable'",
        "set debug_print_plan = on",
        "set client_min_messages = debug5",
        "set work_mem = '64kB'; set temp_file_limit = 0",
    ] {
        let gateway = db.gateway_role().await;
        let _ = gateway.batch_execute(set).await;
        let _ = gateway.query(sign_in, &[&alice.password]).await;
        let token = "select identity.token_client_credentials($1, $2, 'client_secret_basic', null, null)";
        let _ = gateway.query(token, &[&app.id, &app.secret]).await;
        let assertion = keyed.assertion(db, json!({}));
        secrets.note("an assertion amid a failure", &assertion);
        let token = "select identity.token_client_credentials(null, $1, 'client_assertion', null, null)";
        let _ = gateway.query(token, &[&assertion]).await;
    }
    let ended = db.gateway_role().await;
    let process: i32 = ended.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let superuser = db.superuser().await;
    let (password, end) = ([&alice.password as _], [&process as _]);
    let _ = tokio::join!(ended.query(sign_in, &password), superuser.execute("select pg_terminate_backend($1)", &end));
    let admin = db.admin().await;
    let long = format!("a password that is too long {}", "x".repeat(1_100));
    secrets.note("a password that is too long", &long[..60]);
    let profile = json!({ "preferred_username": "alice" });
    let _ = admin.query("select identity.user_create($1, $2)", &[&profile, &alice.password]).await;
    let _ = admin.query("select identity.user_set_password($1, $2)", &[&alice.id, &long]).await;
    let _ = admin.query("select identity.user_set_password($1, $2)", &[&uuid::Uuid::nil(), &alice.password]).await;
    let _ = admin.query("select identity.verify_password($1, 'no hash')", &[&alice.password]).await;
    let _ = admin.query("select identity.verify_password($1, identity.hash_password($1))", &[&alice.password]).await;
}
