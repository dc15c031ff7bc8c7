//! Names of keys: a kid is looked up among the keys of the token's issuer, and is nothing else than a name.

use serde_json::json;

use super::signer::{Signer, both_say};
use super::{access_token, authenticate, sqlstate, verify};
use crate::issuers::{API, Foreign};
use crate::support::Database;

#[tokio::test]
async fn a_revoked_key_verifies_nothing_from_now_on() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let token = access_token(&db, json!({})).await;
    assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
    admin
        .execute(
            "select identity.revoke_signing_key(identity.decode_jwt_unverified($1) -> 'header' ->> 'kid')",
            &[&token],
        )
        .await
        .unwrap();
    assert_eq!(sqlstate(authenticate(&app, &token).await), "ID105");
    assert_eq!(sqlstate(verify(&app, &token, None).await), "ID105");
    let fresh = access_token(&db, json!({})).await;
    assert_eq!(sqlstate(authenticate(&app, &fresh).await), "accepted");
}

#[tokio::test]
async fn a_retired_key_still_verifies_what_it_signed() {
    let db = Database::new().await;
    let (app, admin) = (db.app().await, db.admin().await);
    let token = access_token(&db, json!({})).await;
    admin.execute("select identity.rotate_signing_keys(published_for => '0')", &[]).await.unwrap();
    let fresh = access_token(&db, json!({})).await;
    assert_ne!(token.split('.').next(), fresh.split('.').next());
    assert_eq!(sqlstate(authenticate(&app, &token).await), "accepted");
    assert_eq!(sqlstate(authenticate(&app, &fresh).await), "accepted");
}

#[tokio::test]
async fn a_kid_is_a_name_and_nothing_else() {
    let db = Database::new().await;
    let app = db.app().await;
    for signer in Signer::both(&db, "ES256").await {
        let kid = &signer.kid;
        let strange = [
            "",
            "/",
            "..",
            "../../../../etc/passwd",
            "/dev/null",
            "file:///etc/passwd",
            "C:\\windows\\win.ini",
            "https://thief.example/key",
            "//thief.example/key",
            "' or true --",
            "' union select 'x' --",
            "%",
            "_",
            "*",
            "{}",
            "$(id)",
            "`id`",
            "| id",
            "${jndi:ldap://thief.example}",
            "\u{202e}",
            "\u{1f511}",
            "null",
            "undefined",
            "0",
        ];
        let near = [
            kid.to_uppercase(),
            kid[..kid.len() - 1].to_owned(),
            format!("{kid} "),
            format!(" {kid}"),
            format!("{kid}="),
            format!("{kid}\u{200b}"),
            format!("./{kid}"),
            format!("{kid}%"),
            "k".repeat(256),
        ];
        for name in strange.into_iter().map(str::to_owned).chain(near).filter(|name| name != kid) {
            both_say(&app, "ID105", &signer.token(json!({ "kid": name }), json!({}))).await;
        }
        for name in [
            json!("k\0"),
            json!(format!("{kid}\0")),
            json!("k".repeat(257)),
            json!("k".repeat(1_000_000)),
            json!([kid]),
            json!(1),
            json!(null),
            json!({}),
            json!(true),
        ] {
            both_say(&app, "ID101", &signer.token(json!({ "kid": name }), json!({}))).await;
        }
        // Of the only key of a set that name may be left out; ours is always said.
        both_say(&app, if signer.is_ours() { "ID105" } else { "accepted" }, &signer.without("kid")).await;
    }
}

#[tokio::test]
async fn a_key_speaks_for_its_own_issuer_only() {
    let db = Database::new().await;
    let app = db.app().await;
    let [ours, theirs] = Signer::both(&db, "ES256").await;
    let mut third = Foreign::new("ES256");
    third.jwk["kid"] = json!("key-3");
    let trust = "select identity.trust_issuer('https://third.example', $1, $2)";
    db.admin().await.execute(trust, &[&API, &third.jwks()]).await.unwrap();
    for (signer, other) in [(&ours, &theirs), (&theirs, &ours)] {
        let claims = other.claims(json!({})).to_string();
        // The other's issuer, under the signer's key: by its name there is none, and by the other's name it is not that key.
        both_say(&app, "ID105", &signer.key.sign_text(signer.header(json!({})).to_string(), &claims)).await;
        both_say(&app, "ID106", &signer.key.sign_text(other.header(json!({})).to_string(), &claims)).await;
    }
    let claims = theirs.claims(json!({})).to_string();
    both_say(&app, "ID105", &third.sign_text(json!({ "alg": "ES256", "kid": "key-3" }).to_string(), &claims)).await;
    both_say(&app, "ID106", &third.sign_text(json!({ "alg": "ES256", "kid": "key-1" }).to_string(), &claims)).await;
    // Nameless it could be the only key of the issuer, and is not.
    both_say(&app, "ID106", &third.sign_text(json!({ "alg": "ES256" }).to_string(), &claims)).await;
}

#[tokio::test]
async fn the_key_of_that_name_checks_with_its_own_algorithm() {
    for (algorithm, other) in [
        ("RS256", "PS256"),
        ("PS256", "RS256"),
        ("RS256", "RS384"),
        ("RS256", "RS512"),
        ("PS256", "PS512"),
        ("ES256", "ES384"),
        ("EdDSA", "ES256"),
    ] {
        let db = Database::new().await;
        let app = db.app().await;
        for signer in Signer::both(&db, algorithm).await {
            both_say(&app, "ID110", &signer.token(json!({ "alg": other }), json!({}))).await;
            both_say(&app, "accepted", &signer.token(json!({}), json!({}))).await;
        }
    }
}

#[tokio::test]
async fn the_state_of_a_key_decides_at_every_call() {
    let db = Database::new().await;
    let (app, superuser) = (db.app().await, db.superuser().await);
    let signer = Signer::ours(&db, "ES256").await;
    let token = signer.token(json!({}), json!({}));
    for (change, expected) in [
        ("state = 'current'", "accepted"),
        ("state = 'retired', private_sealed = null, retired_at = now()", "accepted"),
        ("state = 'revoked', revoked_at = now()", "ID105"),
        ("state = 'retired', revoked_at = null", "accepted"),
    ] {
        superuser
            .execute(&format!("update identity.signing_keys set {change} where kid = $1"), &[&signer.kid])
            .await
            .unwrap();
        both_say(&app, expected, &token).await;
    }
    superuser.execute("delete from identity.signing_keys where kid = $1", &[&signer.kid]).await.unwrap();
    both_say(&app, "ID105", &token).await;
}
