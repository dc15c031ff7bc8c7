//! What a stranger gains by more than registering: by changes, by renewals, by networks, by names, by what an administrator gave.

use serde_json::{Value, json};

use super::{
    confidential, configure, count, initial_access_token, public, refused, register, register_from, register_with,
    registered, replace, text,
};
use crate::authorize::{Answer, Sql, call};
use crate::bad_input::digest;
use crate::jwt::merged;
use crate::support::Database;

/// What a client sends to have this name.
fn renamed(answer: &Value, name: &str) -> Value {
    merged(confidential(), json!({ "client_id": answer["client_id"], "client_name": name }))
}

async fn rename(sql: &Sql, answer: &Value, name: &str) -> Answer {
    let (id, token) = (text(answer, "client_id"), text(answer, "registration_access_token"));
    replace(sql, id, token, &renamed(answer, name)).await
}

async fn change(db: &Database, answer: &Value, patch: Value) {
    let id = text(answer, "client_id");
    db.admin().await.execute("select identity.client_update($1, $2)", &[&id, &patch]).await.unwrap();
}

/// As if everything had happened so much earlier.
async fn age(db: &Database, interval: &str) {
    let older = format!(
        "update identity_store.client_registrations set renewed_at = renewed_at - interval '{interval}';
         update identity_store.registration_sources set window_since = window_since - interval '{interval}'"
    );
    db.superuser().await.batch_execute(&older).await.unwrap();
}

#[tokio::test]
async fn changes_count_in_the_hour_of_whoever_registered_and_what_changes_nothing_is_a_read() {
    let db = Database::new().await;
    configure(&db, "'open', source_quota => 4").await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let answer = registered(&sql, &confidential()).await;
    let before = digest(&superuser).await;
    let (outcome, same) = rename(&sql, &answer, "A").await;
    assert_eq!((outcome.as_str(), &same["client_name"]), ("ok", &json!("A")));
    assert_eq!(digest(&superuser).await, before);
    for name in ["B", "C", "D"] {
        assert_eq!(rename(&sql, &answer, name).await.0, "ok", "{name}");
    }
    let before = digest(&superuser).await;
    let (outcome, refusal) = rename(&sql, &answer, "E").await;
    let wait = refusal["retry_after"].as_i64().unwrap();
    assert!((3000..=3600).contains(&wait), "{wait}");
    let description = "too many clients were changed from this network, please wait";
    let expected = json!({ "error": "temporarily_unavailable", "error_description": description, "retry_after": wait });
    assert_eq!((outcome.as_str(), refusal), ("slow_down", expected));
    // Nothing is fetched for it either, and what changes nothing still does not.
    let sector = merged(renamed(&answer, "E"), json!({ "sector_identifier_uri": "https://sector.example/" }));
    let (id, token) = (text(&answer, "client_id"), text(&answer, "registration_access_token"));
    assert_eq!(replace(&sql, id, token, &sector).await.0, "slow_down");
    assert_eq!(rename(&sql, &answer, "D").await.0, "ok");
    assert_eq!(register(&sql, &confidential()).await.0, "slow_down");
    assert_eq!(digest(&superuser).await, before);
    assert_eq!(count(&db, "identity_store.audit_events where kind = 'client_updated'").await, 3);
    // The hour ends, and whom somebody vouched for has none.
    age(&db, "1 hour 1 second").await;
    assert_eq!(rename(&sql, &answer, "E").await.0, "ok");
    let (_, vouched) = register_with(&sql, &confidential(), &initial_access_token(&db, 1).await).await;
    for number in 0..6 {
        assert_eq!(rename(&sql, &vouched, &number.to_string()).await.0, "ok", "{number}");
    }
}

#[tokio::test]
async fn of_many_changes_at_once_the_quota_is_let_in() {
    let db = Database::new().await;
    configure(&db, "'open', source_quota => 5").await;
    let answer = registered(&db.gateway_role().await, &confidential()).await;
    let mut changes = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (sql, answer) = (db.gateway_role().await, answer.clone());
        changes.spawn(async move { rename(&sql, &answer, &format!("name {number}")).await.0 });
    }
    let mut outcomes = changes.join_all().await;
    outcomes.sort();
    assert_eq!(outcomes, [vec!["ok"; 4], vec!["slow_down"; 12]].concat());
}

/// Who registers the same again keeps it alive, which is worth as much as a registration.
#[tokio::test]
async fn who_is_over_quota_renews_nothing() {
    let db = Database::new().await;
    configure(&db, "'open', source_quota => 1, unused_limit => 2").await;
    let sql = db.gateway_role().await;
    let program = |name: &str| merged(public(), json!({ "client_name": name }));
    let (_, first) = register_from(&sql, &program("first"), "192.0.2.1").await;
    let (_, second) = register_from(&sql, &program("second"), "192.0.2.2").await;
    age(&db, "2 hours").await;
    // One of them for each of these hours, whichever it registered.
    assert_eq!(register_from(&sql, &program("first"), "192.0.2.1").await, ("registered".into(), first));
    let before = digest(&db.superuser().await).await;
    assert_eq!(register_from(&sql, &program("second"), "192.0.2.1").await, ("registered".into(), second.clone()));
    assert_eq!(digest(&db.superuser().await).await, before);
    // So it makes room for somebody who comes.
    assert_eq!(register_from(&sql, &program("third"), "192.0.2.3").await.0, "registered");
    let gone = format!("identity_store.clients where id = '{}'", text(&second, "client_id"));
    assert_eq!(count(&db, &gone).await, 0);
}

#[tokio::test]
async fn who_has_many_networks_of_ipv6_has_ten_quotas() {
    let db = Database::new().await;
    configure(&db, "'open', source_quota => 2").await;
    let sql = db.gateway_role().await;
    let named = |number: usize| merged(confidential(), json!({ "client_name": format!("client {number}") }));
    let mut outcomes = Vec::new();
    for number in 0..24 {
        outcomes.push(register_from(&sql, &named(number), &format!("2001:db8:1:{number:x}::1")).await.0);
    }
    assert_eq!(outcomes, [vec!["registered"; 20], vec!["slow_down"; 4]].concat());
    assert_eq!(register_from(&sql, &named(24), "2001:db8:2::1").await.0, "registered");
    assert_eq!(register_from(&sql, &named(25), "192.0.2.1").await.0, "registered");
    // The next hour they are still unused.
    age(&db, "1 hour 1 second").await;
    assert_eq!(register_from(&sql, &named(26), "2001:db8:1:ff::1").await.0, "slow_down");
    assert_eq!(register_from(&sql, &named(27), "2001:db8:2::1").await.0, "registered");
}

/// It would be given the sub that the host's own clients know.
#[tokio::test]
async fn a_scheme_beside_a_host_is_another_sector() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let sql = db.gateway_role().await;
    let native = json!({ "application_type": "native", "subject_type": "pairwise" });
    let refusal = refused(
        "invalid_redirect_uri",
        "redirect_uris: of several hosts need sector_identifier_uri for pairwise subjects",
    );
    for uris in [
        json!(["https://victim.example/cb", "com.evil.app:/cb"]),
        json!(["com.evil.app:/cb", "https://victim.example/cb"]),
        json!(["https://victim.example/cb", "http://127.0.0.1/cb"]),
    ] {
        let metadata = merged(native.clone(), json!({ "redirect_uris": uris }));
        assert_eq!(register(&sql, &metadata).await, refusal, "{uris}");
    }
    for uris in
        [json!(["com.good.app:/cb", "COM.good.app:/two"]), json!(["https://a.example/cb", "https://A.example/2"])]
    {
        registered(&sql, &merged(native.clone(), json!({ "redirect_uris": uris }))).await;
    }
}

#[tokio::test]
async fn what_an_administrator_changed_is_not_reaped() {
    let db = Database::new().await;
    configure(&db, "'open', unused_limit => 2").await;
    let sql = db.gateway_role().await;
    let (upgraded, other) = (registered(&sql, &confidential()).await, registered(&sql, &confidential()).await);
    change(&db, &upgraded, json!({ "grant_types": ["authorization_code", "client_credentials"] })).await;
    // Its own change is nobody's word.
    assert_eq!(rename(&sql, &other, "B").await.0, "ok");
    age(&db, "8 days").await;
    let row = db.gateway_role().await.query_one("select answer from identity.maintenance_run()", &[]).await.unwrap();
    assert_eq!(row.get::<_, Value>(0)["registrations_reaped"], json!(1));
    let left = db.superuser().await.query_one("select array_agg(id) from identity_store.clients", &[]).await.unwrap();
    assert_eq!(left.get::<_, Vec<String>>(0), [text(&upgraded, "client_id")]);
    let (id, secret) = (text(&upgraded, "client_id"), text(&upgraded, "client_secret"));
    assert_eq!(call(&sql, "token_revoke", &[&id, &secret, &"client_secret_basic", &"x", &None::<&str>]).await.0, "ok");
}

#[tokio::test]
async fn scopes_of_ours_are_for_whom_an_administrator_says() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let sql = db.gateway_role().await;
    let standard = "openid profile email address phone offline_access";
    let answer = registered(&sql, &confidential()).await;
    assert_eq!(answer["scope"], json!(standard));
    let refusal = refused("invalid_client_metadata", &format!("scope: may be registered here: {standard}"));
    assert_eq!(register(&sql, &merged(confidential(), json!({ "scope": "openid roles" }))).await, refusal);
    // Narrower for one of them: what it leaves out of a change is not given back.
    change(&db, &answer, json!({ "scope": "openid" })).await;
    let (outcome, changed) = rename(&sql, &answer, "B").await;
    assert_eq!((outcome.as_str(), &changed["scope"]), ("ok", &json!("openid")));
    change(&db, &answer, json!({ "scope": "openid roles" })).await;
    assert_eq!(rename(&sql, &answer, "C").await.1["scope"], json!("openid roles"));
}

#[tokio::test]
async fn a_name_is_no_sentence_and_turns_no_words_around() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let answer = registered(&sql, &merged(confidential(), json!({ "client_name": "é".repeat(100) }))).await;
    let before = digest(&superuser).await;
    let refusal =
        refused("invalid_client_metadata", "client_name: must have 1 to 100 characters, none of them invisible");
    let long = "x".repeat(101);
    for name in ["a\u{202e}b", "a\u{200b}", "\u{2066}a", "a\u{61c}", "a\u{2028}b", "\u{feff}", " ", &long] {
        for member in ["client_name", "client_name#fr"] {
            let named = json!({ member: name });
            assert_eq!(register(&sql, &merged(confidential(), named.clone())).await, refusal, "{named}");
            let next = merged(renamed(&answer, "B"), named.clone());
            let (id, token) = (text(&answer, "client_id"), text(&answer, "registration_access_token"));
            assert_eq!(replace(&sql, id, token, &next).await, refusal, "{named}");
        }
    }
    assert_eq!(digest(&superuser).await, before);
}
