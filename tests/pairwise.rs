//! Pairwise subjects (OpenID Connect Core §8): a sector knows people and sessions by names of its own, in everything it is
//! told; authenticate, logout and revocation know who is meant.

use serde_json::{Value, json};
use tokio_postgres::Client as Sql;

use crate::authorize::{authorize, call, code, request, session, with};
use crate::clients::refusal;
use crate::jwt::{merged, sqlstate};
use crate::support::{Client, Database, Tokens, User, client, user};
use crate::token::{method, redeem};

/// A client of this sector.
pub async fn registered(db: &Database, host: &str, more: Value) -> Client {
    let metadata = json!({
        "redirect_uris": [format!("https://{host}/cb")], "grant_types": ["authorization_code", "refresh_token"],
        "subject_type": "pairwise", "scope": "openid profile offline_access roles", "refresh_token": "always"
    });
    client(db, merged(metadata, more)).await
}

/// The tokens of a person at a client.
async fn tokens(sql: &Sql, app: &Client, alice: &User) -> Value {
    let cookie = session(sql, alice).await;
    let asked = with(request(app), json!({ "scope": "openid profile roles" }));
    let (outcome, answer) = redeem(sql, app, &code(sql, &asked, &cookie).await).await;
    assert_eq!(outcome, "ok", "{answer}");
    answer
}

pub fn claims(answer: &Value, token: &str) -> Value {
    Tokens::claims(answer[token].as_str().unwrap())
}

async fn introspected(sql: &Sql, app: &Client, token: &Value) -> Value {
    let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&app.id, &app.secret, &method(app), &token.as_str(), &None::<&str>];
    call(sql, "token_introspect", &arguments).await.1
}

#[tokio::test]
async fn a_sector_knows_a_person_by_one_name_everywhere_and_no_other_sector_does() {
    let db = Database::new().await;
    let (sql, alice, bob) = (db.gateway_role().await, user(&db, "alice").await, user(&db, "bob").await);
    let (one, same) = (registered(&db, "a.example", json!({})).await, registered(&db, "a.example", json!({})).await);
    let other = registered(&db, "b.example", json!({})).await;
    let moved = registered(&db, "c.example", json!({ "sector_identifier_uri": "https://A.example:8443/sector" })).await;
    let open = registered(&db, "a.example", json!({ "subject_type": "public" })).await;
    let first = tokens(&sql, &one, &alice).await;
    let (access, id) = (claims(&first, "access_token"), claims(&first, "id_token"));
    let sub = access["sub"].as_str().unwrap().to_owned();
    assert!(sub.starts_with("pw_") && sub.len() == 46 && access["sub"] == id["sub"] && access["sid"] == id["sid"]);
    // Nothing it is told holds the id.
    assert!(!format!("{access}{id}{first}").contains(&alice.id.to_string()));
    let (_, about) = call(&sql, "userinfo_read", &[&first["access_token"].as_str()]).await;
    assert_eq!((&about["sub"], &about["preferred_username"]), (&json!(sub), &json!("alice")));
    for token in ["access_token", "refresh_token"] {
        let known = introspected(&sql, &one, &first[token]).await;
        assert_eq!((&known["active"], &known["sub"]), (&json!(true), &json!(sub)), "{token}");
        assert!(!known.to_string().contains(&alice.id.to_string()));
    }
    let refresh = first["refresh_token"].as_str();
    let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
        [&one.id, &one.secret, &method(&one), &refresh, &None::<&str>, &None::<Vec<&str>>];
    let (_, refreshed) = call(&sql, "token_refresh_token", &arguments).await;
    assert_eq!(claims(&refreshed, "id_token")["sub"], json!(sub));

    let sub_at =
        async |app: &Client, person: &User| claims(&tokens(&sql, app, person).await, "id_token")["sub"].clone();
    assert_eq!(sub_at(&same, &alice).await, json!(sub), "one sector");
    assert_eq!(sub_at(&moved, &alice).await, json!(sub), "the sector it names");
    assert_ne!(sub_at(&other, &alice).await, json!(sub));
    assert_ne!(sub_at(&one, &bob).await, json!(sub));
    assert_eq!(sub_at(&open, &alice).await, json!(alice.id));
    // Also one session has names of its own.
    let cookie = session(&sql, &alice).await;
    let mut sids = Vec::new();
    for app in [&one, &other, &open] {
        let asked = with(request(app), json!({ "scope": "openid" }));
        let (_, answer) = redeem(&sql, app, &code(&sql, &asked, &cookie).await).await;
        sids.push(claims(&answer, "id_token")["sid"].as_str().unwrap().to_owned());
    }
    assert!(sids[0].starts_with("pw_") && sids[1].starts_with("pw_") && !sids[2].starts_with("pw_"));
    assert!(sids[0] != sids[1]);
}

#[tokio::test]
async fn authenticate_knows_who_is_meant_and_revocation_reaches_them() {
    let db = Database::new().await;
    let (sql, app_login, alice) = (db.gateway_role().await, db.app().await, user(&db, "alice").await);
    let app = registered(&db, "a.example", json!({})).await;
    let whoami = async |token: &Value| -> Result<[String; 4], String> {
        app_login.batch_execute("begin").await.unwrap();
        let answer = match app_login.execute("select identity.authenticate($1)", &[&token.as_str()]).await {
            Err(error) => Err(error.code().unwrap().code().to_owned()),
            Ok(_) => {
                let readers =
                    "select identity.user_id()::text, identity.subject(), identity.session_id(), identity.claim('sid')";
                let row = app_login.query_one(readers, &[]).await.unwrap();
                Ok([0, 1, 2, 3].map(|column| row.get(column)))
            }
        };
        app_login.batch_execute("rollback").await.unwrap();
        answer
    };
    let admin = db.admin().await;
    let first = tokens(&sql, &app, &alice).await;
    let access = claims(&first, "access_token");
    let [person, subject, session_id, sid] = whoami(&first["access_token"]).await.unwrap();
    assert_eq!(person, alice.id.to_string());
    assert_eq!((json!(subject), json!(sid)), (access["sub"].clone(), access["sid"].clone()));
    let sessions = "select session_id::text from identity.user_sessions($1)";
    assert_eq!(admin.query_one(sessions, &[&alice.id]).await.unwrap().get::<_, String>(0), session_id);
    // Its end is the end of the token.
    admin.execute("select identity.session_revoke($1::text::uuid)", &[&session_id]).await.unwrap();
    assert_eq!(whoami(&first["access_token"]).await, Err("ID107".into()));
    assert_eq!(introspected(&sql, &app, &first["access_token"]).await, json!({ "active": false }));

    let second = tokens(&sql, &app, &alice).await;
    assert!(whoami(&second["access_token"]).await.is_ok());
    admin.execute("select identity.revoke('user', $1)", &[&alice.id.to_string()]).await.unwrap();
    assert_eq!(whoami(&second["access_token"]).await, Err("ID107".into()));
    // Signing in again works at once.
    let third = tokens(&sql, &app, &alice).await;
    assert!(whoami(&third["access_token"]).await.is_ok());
    admin.execute("select identity.user_disable($1)", &[&alice.id]).await.unwrap();
    assert_eq!(introspected(&sql, &app, &third["access_token"]).await, json!({ "active": false }));
    let (outcome, _) = call(&sql, "userinfo_read", &[&third["access_token"].as_str()]).await;
    assert_eq!(outcome, "invalid_token");
}

#[tokio::test]
async fn a_client_gives_its_token_back_and_hints_at_its_person() {
    let db = Database::new().await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let app = registered(&db, "a.example", json!({})).await;
    let cookie = session(&sql, &alice).await;
    let asked = with(request(&app), json!({ "scope": "openid" }));
    let (_, answer) = redeem(&sql, &app, &code(&sql, &asked, &cookie).await).await;
    let id_token = answer["id_token"].as_str().unwrap();
    let silent = with(asked.clone(), json!({ "prompt": "none", "id_token_hint": id_token }));
    let (outcome, again) = authorize(&sql, &silent, Some(&cookie)).await;
    assert_eq!(outcome, "redirect");
    assert!(again["parameters"]["code"].is_string(), "{again}");
    // OpenID Connect Core §5.5.1: a value of sub that is asked for is the one the client knows.
    let sub = claims(&answer, "id_token")["sub"].clone();
    for (value, known) in [(sub, true), (json!(alice.id), false)] {
        let demand = json!({ "id_token": { "sub": { "value": value } } }).to_string();
        let silent = with(asked.clone(), json!({ "claims": demand, "prompt": "none" }));
        let (_, again) = authorize(&sql, &silent, Some(&cookie)).await;
        assert_eq!(again["parameters"]["code"].is_string(), known, "{again}");
    }
    let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&app.id, &app.secret, &method(&app), &answer["access_token"].as_str(), &None::<&str>];
    assert_eq!(call(&sql, "token_revoke", &arguments).await, ("ok".into(), json!({})));
    assert_eq!(introspected(&sql, &app, &answer["access_token"]).await, json!({ "active": false }));
    let who = "select user_id from identity.audit_list(array['access_token_revoked'])";
    assert_eq!(db.admin().await.query_one(who, &[]).await.unwrap().get::<_, uuid::Uuid>(0), alice.id);
    // Logout without a question: the hint is this person's, of this session.
    let hinted = json!({ "id_token_hint": [id_token] });
    let (outcome, _) = call(&sql, "logout_request", &[&hinted, &cookie, &"browser"]).await;
    assert_eq!(outcome, "signed_out");
}

#[tokio::test]
async fn a_name_survives_new_keys_and_is_nobodys_where_its_key_is_not() {
    let db = Database::new().await;
    let (sql, admin, alice) = (db.gateway_role().await, db.admin().await, user(&db, "alice").await);
    let app = registered(&db, "a.example", json!({})).await;
    let before = tokens(&sql, &app, &alice).await;
    admin.batch_execute("select identity.rotate_signing_keys(published_for => '0')").await.unwrap();
    let after = tokens(&sql, &app, &alice).await;
    assert_eq!(claims(&before, "id_token")["sub"], claims(&after, "id_token")["sub"]);
    let refused = admin.execute("select identity.rotate_sealed_key('pairwise')", &[]).await;
    assert_eq!(sqlstate(refused), "ID005");
    // A database with our signing keys, and not this one.
    let superuser = db.superuser().await;
    superuser.batch_execute("delete from identity.sealed_keys where purpose = 'pairwise'").await.unwrap();
    let app_login = db.app().await;
    app_login.batch_execute("begin").await.unwrap();
    app_login.execute("select identity.authenticate($1)", &[&after["access_token"].as_str()]).await.unwrap();
    let row = app_login.query_one("select identity.user_id(), identity.subject()", &[]).await.unwrap();
    assert_eq!(row.get::<_, Option<uuid::Uuid>>(0), None);
    assert_eq!(json!(row.get::<_, String>(1)), claims(&after, "id_token")["sub"]);
}

#[tokio::test]
async fn a_sector_is_one_host_and_a_native_application_is_a_sector_of_its_own() {
    let db = Database::new().await;
    let (admin, sql, alice) = (db.admin().await, db.gateway_role().await, user(&db, "alice").await);
    let several =
        json!({ "redirect_uris": ["https://a.example/cb", "https://b.example/cb"], "subject_type": "pairwise" });
    let refused = admin.query_one("select identity.client_create($1)", &[&several]).await;
    let message = "redirect_uris: of several hosts need sector_identifier_uri for pairwise subjects";
    assert_eq!(refusal(refused), ("ID005".into(), message.into()));
    let app = client(&db, merged(several, json!({ "sector_identifier_uri": "https://a.example/sector" }))).await;
    let patch = json!({ "sector_identifier_uri": "https://b.example/sector" });
    let moved = admin.query_one("select identity.client_update($1, $2)", &[&app.id, &patch]).await;
    let message = "redirect_uris: another host would make another sub of everybody";
    assert_eq!(refusal(moved), ("ID005".into(), message.into()));
    let patch = json!({ "sector_identifier_uri": "https://A.example:443/other" });
    admin.query_one("select identity.client_update($1, $2)", &[&app.id, &patch]).await.unwrap();

    let mut subs = Vec::new();
    for _ in 0..2 {
        let native = json!({
            "application_type": "native", "token_endpoint_auth_method": "none", "subject_type": "pairwise",
            "redirect_uris": ["http://127.0.0.1:4711/cb"], "scope": "openid"
        });
        let app = client(&db, native).await;
        let cookie = session(&sql, &alice).await;
        let asked = with(request(&app), json!({ "scope": "openid" }));
        let (_, answer) = redeem(&sql, &app, &code(&sql, &asked, &cookie).await).await;
        subs.push(claims(&answer, "id_token")["sub"].clone());
    }
    assert_ne!(subs[0], subs[1]);
}
