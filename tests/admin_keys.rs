//! `gateway admin keys` (gateway/src/admin/keys.rs).

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::admin::{done, done_json, refused};
use crate::support::{Cluster, Database};

/// The keys of `keys list` or `keys rotate` with this algorithm, as kid and state.
fn states<'a>(keys: &'a Value, algorithm: &str) -> Vec<(&'a str, &'a str)> {
    let of_it = keys.as_array().unwrap().iter().filter(|key| key["algorithm"] == algorithm);
    of_it.map(|key| (key["kid"].as_str().unwrap(), key["state"].as_str().unwrap())).collect()
}

fn in_state<'a>(keys: &'a Value, algorithm: &str, state: &str) -> &'a str {
    states(keys, algorithm).iter().find(|key| key.1 == state).unwrap().0
}

#[tokio::test]
async fn keys_are_made_and_listed_with_their_states() {
    let db = Database::new().await;
    let current = done_json(&db, &["keys", "create", "--algorithm", "EdDSA"], "")["kid"].as_str().unwrap().to_owned();
    let next = done(&db, &["keys", "create", "--algorithm", "EdDSA"], "").trim().to_owned();
    let listed = done_json(&db, &["keys", "list"], "");
    assert_eq!(states(&listed, "EdDSA"), [(current.as_str(), "current"), (next.as_str(), "next")]);
    let table = done(&db, &["keys", "list"], "");
    for (kid, state) in [(&current, "current"), (&next, "next")] {
        assert!(table.lines().any(|line| line.starts_with(&format!("{kid}  EdDSA      {state} "))), "{table}");
    }
    refused(&db, &["keys", "create", "--algorithm", "none"], "", "SQLSTATE ID008");
}

#[tokio::test]
async fn a_rotation_says_what_moved_on_and_what_was_not_due() {
    let db = Database::new().await;
    let superuser = db.superuser().await;
    superuser.batch_execute("update identity.signing_keys set created_at = now()").await.unwrap();
    let before = done_json(&db, &["keys", "list"], "");
    let (current, next) = (in_state(&before, "ES256", "current"), in_state(&before, "ES256", "next"));

    let answer = done_json(&db, &["keys", "rotate"], "");
    assert_eq!(states(&answer, "ES256"), [(current, "current"), (next, "next")]);
    assert!(answer.as_array().unwrap().iter().all(|key| key["rotated"] == json!(false)), "{answer}");
    let text = done(&db, &["keys", "rotate"], "");
    let due: String = superuser
        .query_one(
            "select to_char(created_at + interval '1 hour', 'YYYY-MM-DD HH24:MI:SS') from identity.signing_keys \
             where kid = $1",
            &[&next],
        )
        .await
        .unwrap()
        .get(0);
    let reason = format!("ES256: nothing was due; the next key is not published long enough to sign before {due}");
    assert!(text.contains(&reason), "{reason}\n{text}");
    assert_eq!(done_json(&db, &["keys", "list"], ""), before);

    superuser
        .batch_execute(
            "update identity.signing_keys set created_at = now() - interval '61 minutes' where algorithm = 'ES256'",
        )
        .await
        .unwrap();
    let answer = done_json(&db, &["keys", "rotate"], "");
    let rotated = |algorithm: &str| {
        answer.as_array().unwrap().iter().filter(|key| key["algorithm"] == algorithm).all(|key| key["rotated"] == true)
    };
    assert!(rotated("ES256") && !rotated("RS256"), "{answer}");
    assert_eq!(in_state(&answer, "ES256", "current"), next);
    let after = done_json(&db, &["keys", "list"], "");
    assert_eq!((in_state(&after, "ES256", "retired"), in_state(&after, "ES256", "current")), (current, next));
    assert_eq!(in_state(&after, "ES256", "next"), in_state(&answer, "ES256", "next"));
    assert_eq!(states(&after, "RS256"), states(&before, "RS256"));
}

#[tokio::test]
async fn a_revoked_key_is_succeeded_at_once() {
    let db = Database::new().await;
    let before = done_json(&db, &["keys", "list"], "");
    let (current, next) = (in_state(&before, "ES256", "current"), in_state(&before, "ES256", "next"));
    assert_eq!(done(&db, &["keys", "revoke", current], ""), "revoked\n");
    let after = done_json(&db, &["keys", "list"], "");
    let mut found = states(&after, "ES256");
    found.sort_unstable();
    let mut expected = [(current, "revoked"), (next, "current")];
    expected.sort_unstable();
    assert_eq!(found, expected);
    refused(&db, &["keys", "revoke", "nobody"], "", "SQLSTATE ID006");
}

#[tokio::test]
async fn keys_are_sealed_anew_under_the_first_master_key() {
    let db = Database::on(Cluster::start()).await;
    assert_eq!(done(&db, &["keys", "rewrap"], ""), "sealed anew: 0\n");
    let file = db.cluster.dir.join("master.key");
    let old = std::fs::read_to_string(&file).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&file, format!("2 {}\n{old}", "0123456789abcdef".repeat(4))).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
    let sealed = "select (select count(*) from identity.sealed_keys) + (select count(private_sealed) from identity.encryption_keys) + count(private_sealed) from identity.signing_keys";
    let count: i64 = db.superuser().await.query_one(sealed, &[]).await.unwrap().get(0);
    assert_eq!(done_json(&db, &["keys", "rewrap"], ""), json!({ "rewrapped": count }));
    assert_eq!(done_json(&db, &["keys", "rewrap"], ""), json!({ "rewrapped": 0 }));
}
