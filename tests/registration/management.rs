//! RFC 7592: a client reads, replaces and deletes what it registered, and nobody else does.

use serde_json::{Value, json};

use super::{
    NO_TOKEN, client_of, confidential, configure, count, delete, initial_access_token, public, read, refused, register,
    register_with, registered, replace, text,
};
use crate::authorize::{Sql, call, code, request, session};
use crate::bad_input::digest;
use crate::jwt::merged;
use crate::support::{Database, client, user};
use crate::token::redeem;

/// A response without what is told only once.
fn without_secret(answer: &Value) -> Value {
    let mut answer = answer.clone();
    for member in ["client_secret", "client_secret_expires_at"] {
        answer.as_object_mut().unwrap().remove(member);
    }
    answer
}

/// What a client sends back of what it was told (RFC 7592 §2.2).
fn sent_back(answer: &Value) -> Value {
    let mut sent = without_secret(answer);
    for member in ["registration_access_token", "registration_client_uri", "client_id_issued_at"] {
        sent.as_object_mut().unwrap().remove(member);
    }
    sent
}

async fn authenticates(sql: &Sql, answer: &Value) -> bool {
    let (id, secret) = (text(answer, "client_id"), text(answer, "client_secret"));
    call(sql, "token_revoke", &[&id, &secret, &"client_secret_basic", &"x", &None::<&str>]).await.0 == "ok"
}

#[tokio::test]
async fn a_client_reads_what_it_registered_as_often_as_it_likes() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let answer = registered(&sql, &merged(confidential(), json!({ "client_name#fr": "Â" }))).await;
    let (id, token) = (text(&answer, "client_id"), text(&answer, "registration_access_token"));
    let before = digest(&superuser).await;
    for _ in 0..2 {
        assert_eq!(read(&sql, id, token).await, ("ok".into(), without_secret(&answer)));
    }
    assert_eq!(digest(&superuser).await, before);
    // It stays readable, and manageable, when nobody else may register any more.
    configure(&db, "'closed'").await;
    assert_eq!(read(&sql, id, token).await.0, "ok");
    assert_eq!(replace(&sql, id, token, &sent_back(&answer)).await.0, "ok");
}

#[tokio::test]
async fn a_change_replaces_everything_and_keeps_secret_token_and_our_settings() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let (sql, admin) = (db.gateway_role().await, db.admin().await);
    let full = merged(
        confidential(),
        json!({ "client_name#fr": "Â", "tos_uri": "https://a.example/tos", "contacts": ["a@a.example"], "default_max_age": 60,
            "response_types": ["code", "code id_token"] }),
    );
    let answer = registered(&sql, &full).await;
    let (id, token) = (text(&answer, "client_id"), text(&answer, "registration_access_token"));
    admin.execute("select identity.client_update($1, '{\"access_token_lifetime\": 60}')", &[&id]).await.unwrap();

    // The same again changes nothing.
    assert_eq!(replace(&sql, id, token, &sent_back(&answer)).await, ("ok".into(), without_secret(&answer)));

    let next = json!({
        "client_id": id, "redirect_uris": ["https://a.example/other"], "client_name": "B", "client_name#de": "C", "tos_uri": null,
        "first_party": true, "access_token_lifetime": 86400
    });
    let (outcome, changed) = replace(&sql, id, token, &next).await;
    assert_eq!(
        (outcome.as_str(), &changed),
        (
            "ok",
            &json!({
                "client_id": id, "client_id_issued_at": answer["client_id_issued_at"], "client_name": "B", "client_name#de": "C",
                "redirect_uris": ["https://a.example/other"], "post_logout_redirect_uris": [], "grant_types": ["authorization_code"],
                "response_types": ["code"], "token_endpoint_auth_method": "client_secret_basic", "application_type": "web",
                "subject_type": "public", "id_token_signed_response_alg": "RS256", "registration_access_token": token,
                "scope": "openid profile email address phone offline_access",
                "registration_client_uri": format!("{}/register/{id}", db.issuer)
            })
        )
    );
    assert_eq!(read(&sql, id, token).await, ("ok".into(), changed));
    let stored: Value = admin.query_one("select identity.client_read($1)", &[&id]).await.unwrap().get(0);
    assert_eq!((&stored["first_party"], &stored["access_token_lifetime"]), (&json!(false), &json!(60)));
    assert!(authenticates(&sql, &answer).await);
    // From grant types to response types that do not follow from them, and back.
    for (grants, responses) in [
        (json!(["implicit"]), json!(["id_token"])),
        (json!(["authorization_code", "implicit"]), json!(["code", "code id_token token"])),
        (json!(["authorization_code", "refresh_token"]), json!(["code"])),
    ] {
        let next = merged(next.clone(), json!({ "grant_types": grants, "response_types": responses }));
        let (_, changed) = replace(&sql, id, token, &next).await;
        assert_eq!((&changed["grant_types"], &changed["response_types"]), (&grants, &responses), "{changed}");
    }
}

#[tokio::test]
async fn a_secret_comes_and_goes_with_the_method_and_is_never_chosen() {
    let db = Database::new().await;
    configure(&db, "'token'").await;
    let sql = db.gateway_role().await;
    let initial = initial_access_token(&db, 1).await;
    let (_, answer) = register_with(&sql, &public(), &initial).await;
    let (id, token) = (text(&answer, "client_id"), text(&answer, "registration_access_token"));
    assert!(answer.get("client_secret").is_none());
    let (_, confidential) = replace(
        &sql,
        id,
        token,
        &merged(sent_back(&answer), json!({ "token_endpoint_auth_method": "client_secret_basic" })),
    )
    .await;
    assert_eq!(confidential["client_secret_expires_at"], json!(0));
    assert!(authenticates(&sql, &confidential).await);
    // RFC 7592 §2.2: if it includes its secret, that MUST be the one it has.
    let own = merged(sent_back(&confidential), json!({ "client_secret": confidential["client_secret"] }));
    assert_eq!(replace(&sql, id, token, &own).await.0, "ok");
    let other = text(&confidential, "client_secret");
    let altered = format!("{}{}", &other[..other.len() - 1], if other.ends_with('A') { "B" } else { "A" });
    for secret in [json!("chosen"), json!(altered), json!(""), json!(1), json!([other])] {
        let chosen = merged(sent_back(&confidential), json!({ "client_secret": secret }));
        let refusal = refused("invalid_client_metadata", "client_secret: must be the one that the client has");
        assert_eq!(replace(&sql, id, token, &chosen).await, refusal, "{secret}");
    }
    assert!(authenticates(&sql, &confidential).await);
    let (_, public) = replace(&sql, id, token, &sent_back(&answer)).await;
    assert!(public.get("client_secret").is_none() && public.get("client_secret_expires_at").is_none(), "{public}");
    assert!(!authenticates(&sql, &confidential).await);
}

#[tokio::test]
async fn a_change_that_is_not_allowed_changes_nothing() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let answer = registered(&sql, &merged(confidential(), json!({ "subject_type": "pairwise" }))).await;
    let other = registered(&sql, &confidential()).await;
    let (id, token) = (text(&answer, "client_id"), text(&answer, "registration_access_token"));
    let before = digest(&superuser).await;
    let good = sent_back(&answer);
    for (change, error, description) in [
        (json!({"client_id": null}), "invalid_client_metadata", "client_id: must be that of the client"),
        (json!({"client_id": other["client_id"]}), "invalid_client_metadata", "client_id: must be that of the client"),
        (json!({"client_id": [id]}), "invalid_client_metadata", "client_id: must be that of the client"),
        (
            json!({"registration_access_token": token}),
            "invalid_client_metadata",
            "registration_access_token: must not be sent",
        ),
        (
            json!({"registration_client_uri": "https://a.example"}),
            "invalid_client_metadata",
            "registration_client_uri: must not be sent",
        ),
        (
            json!({"client_secret_expires_at": 0}),
            "invalid_client_metadata",
            "client_secret_expires_at: must not be sent",
        ),
        (json!({"client_id_issued_at": 0}), "invalid_client_metadata", "client_id_issued_at: must not be sent"),
        (
            json!({"redirect_uris": ["http://a.example"]}),
            "invalid_redirect_uri",
            "redirect_uris: must be https, http on loopback or, for native clients, a scheme of reversed domain name; without fragment",
        ),
        (
            json!({"redirect_uris": ["https://b.example/cb"]}),
            "invalid_redirect_uri",
            "redirect_uris: another host would make another sub of everybody",
        ),
        (
            json!({"grant_types": ["authorization_code", "client_credentials"]}),
            "invalid_client_metadata",
            "grant_types: may be registered here: authorization_code, implicit, refresh_token",
        ),
        (
            json!({"client_name": 1}),
            "invalid_client_metadata",
            "client_name: must be a string of 1 to 2000 characters without control characters",
        ),
    ] {
        assert_eq!(
            replace(&sql, id, token, &merged(good.clone(), change.clone())).await,
            refused(error, description),
            "{change}"
        );
    }
    for body in [json!([]), json!("x"), json!(null)] {
        let refusal = refused("invalid_client_metadata", "the body must be a JSON object of at most 64 kB");
        assert_eq!(replace(&sql, id, token, &body).await, refusal, "{body}");
    }
    assert_eq!(digest(&superuser).await, before);
}

#[tokio::test]
async fn every_wrong_token_gets_one_answer_whether_there_is_a_client_or_not() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let (sql, superuser) = (db.gateway_role().await, db.superuser().await);
    let (answer, other, shared) = (
        registered(&sql, &confidential()).await,
        registered(&sql, &confidential()).await,
        registered(&sql, &public()).await,
    );
    let ours = client(&db, json!({ "redirect_uris": ["https://a.example/cb"] })).await;
    let id = text(&answer, "client_id");
    let token = text(&answer, "registration_access_token");
    let before = digest(&superuser).await;
    let secret = text(&answer, "client_secret").to_owned();
    let hash: String = superuser
        .query_one(
            "select encode(token_hash, 'hex') from identity_store.client_registrations where client_id = $1",
            &[&id],
        )
        .await
        .unwrap()
        .get(0);
    let wrong = [
        String::new(),
        "x".into(),
        token[..token.len() - 1].into(),
        format!("{token}A"),
        format!(" {token}"),
        token.to_uppercase(),
        token.replacen("registration", "initial", 1),
        text(&other, "registration_access_token").into(),
        secret.clone(),
        secret.replacen("secret", "registration", 1),
        hash,
    ];
    let refusal = refused("invalid_token", NO_TOKEN);
    for token in &wrong {
        for client_id in [id, &ours.id, text(&shared, "client_id"), "nobody", ""] {
            if client_id == text(&other, "client_id") {
                continue;
            }
            assert_eq!(read(&sql, client_id, token).await, refusal, "{client_id} {token}");
            let body = merged(confidential(), json!({ "client_id": client_id }));
            assert_eq!(replace(&sql, client_id, token, &body).await, refusal, "{client_id} {token}");
            assert_eq!(delete(&sql, client_id, token).await, refusal, "{client_id} {token}");
        }
    }
    // The right token for another client: of an administrator, of everybody, of nobody.
    for client_id in [&ours.id, text(&shared, "client_id"), text(&other, "client_id"), "nobody"] {
        assert_eq!(read(&sql, client_id, token).await, refusal, "{client_id}");
        assert_eq!(replace(&sql, client_id, token, &json!({ "client_id": client_id })).await, refusal, "{client_id}");
        assert_eq!(delete(&sql, client_id, token).await, refusal, "{client_id}");
    }
    assert_eq!(digest(&superuser).await, before);
}

#[tokio::test]
async fn a_deleted_client_leaves_nothing_that_works() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let (sql, alice) = (db.gateway_role().await, user(&db, "alice").await);
    let answer =
        registered(&sql, &merged(confidential(), json!({ "grant_types": ["authorization_code", "refresh_token"] })))
            .await;
    let (id, token) = (text(&answer, "client_id"), text(&answer, "registration_access_token"));
    let app = client_of(&answer);
    let cookie = session(&sql, &alice).await;
    let asked = crate::authorize::with(request(&app), json!({ "scope": "openid offline_access" }));
    let (_, tokens) = redeem(&sql, &app, &code(&sql, &asked, &cookie).await).await;
    let unspent = code(&sql, &asked, &cookie).await;
    let access = tokens["access_token"].as_str().unwrap();
    crate::jwt::authenticate(&db.app().await, access).await.unwrap();

    assert_eq!(delete(&sql, id, token).await, ("deleted".into(), json!({})));
    let refusal = refused("invalid_token", NO_TOKEN);
    assert_eq!(read(&sql, id, token).await, refusal);
    assert_eq!(replace(&sql, id, token, &sent_back(&answer)).await, refusal);
    assert_eq!(delete(&sql, id, token).await, refusal);
    assert_eq!(crate::jwt::sqlstate(crate::jwt::authenticate(&db.app().await, access).await), "ID107");
    assert_eq!(redeem(&sql, &app, &unspent).await.0, "invalid_client");
    let live = "(select ended_at from identity_store.grants union all select ended_at from identity_store.refresh_families) l where ended_at is null";
    assert_eq!(count(&db, live).await, 0);
    for table in ["client_registrations", "client_secrets", "consents"] {
        assert_eq!(count(&db, &format!("identity_store.{table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn an_administrator_replaces_a_stolen_token() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let (sql, admin) = (db.gateway_role().await, db.admin().await);
    let answer = registered(&sql, &confidential()).await;
    let (id, stolen) = (text(&answer, "client_id"), text(&answer, "registration_access_token"));
    let rotate = "select identity.registration_rotate_token($1)";
    let fresh: Value = admin.query_one(rotate, &[&id]).await.unwrap().get(0);
    let token = text(&fresh, "registration_access_token");
    assert_eq!(
        fresh,
        json!({ "client_id": id, "registration_access_token": token, "registration_client_uri": answer["registration_client_uri"] })
    );
    assert_eq!(read(&sql, id, stolen).await, refused("invalid_token", NO_TOKEN));
    assert_eq!(read(&sql, id, token).await.0, "ok");
    let shared = registered(&sql, &public()).await;
    let ours = client(&db, json!({ "redirect_uris": ["https://a.example/cb"] })).await;
    for (id, code, message) in [
        (text(&shared, "client_id"), "ID005", "client_id: no registrant may manage this client"),
        (&ours.id, "ID005", "client_id: no registrant may manage this client"),
        ("nobody", "ID006", "client_id: there is no such client"),
    ] {
        assert_eq!(crate::clients::refusal(admin.query_one(rotate, &[&id]).await), (code.into(), message.into()));
    }
    // Nobody got a token by that.
    assert_eq!(count(&db, "identity_store.client_registrations where token_id is not null").await, 1);
    let (_, again) = register(&sql, &public()).await;
    assert_eq!(again, shared);
}

/// Two changes, or a change and the end, at once: one after the other, and none of it half.
#[tokio::test]
async fn changes_of_one_client_at_once_end_with_one_of_them() {
    let db = Database::new().await;
    configure(&db, "'open'").await;
    let sql = db.gateway_role().await;
    let answer = registered(&sql, &confidential()).await;
    let (id, token) = (text(&answer, "client_id").to_owned(), text(&answer, "registration_access_token").to_owned());
    let mut changes = tokio::task::JoinSet::new();
    for number in 0..12 {
        let (sql, id, token) = (db.gateway_role().await, id.clone(), token.clone());
        let (name, uri) = (format!("name {number}"), format!("https://a.example/{number}"));
        let next = json!({ "client_id": id, "client_name": name, "redirect_uris": [uri], "software_id": name });
        changes.spawn(async move { replace(&sql, &id, &token, &next).await.0 });
    }
    assert!(changes.join_all().await.iter().all(|outcome| outcome == "ok"));
    let (_, now) = read(&sql, &id, &token).await;
    let number = text(&now, "client_name").strip_prefix("name ").unwrap().to_owned();
    assert_eq!(
        (&now["software_id"], &now["redirect_uris"]),
        (&now["client_name"], &json!([format!("https://a.example/{number}")]))
    );
    let mut ends = tokio::task::JoinSet::new();
    for number in 0..12 {
        let (sql, id, token) = (db.gateway_role().await, id.clone(), token.clone());
        ends.spawn(async move {
            if number % 2 == 0 {
                delete(&sql, &id, &token).await.0
            } else {
                replace(&sql, &id, &token, &merged(confidential(), json!({ "client_id": id }))).await.0
            }
        });
    }
    let outcomes = ends.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "deleted").count(), 1, "{outcomes:?}");
    assert!(
        outcomes.iter().all(|outcome| ["deleted", "ok", "invalid_token"].contains(&outcome.as_str())),
        "{outcomes:?}"
    );
    assert_eq!(count(&db, "identity_store.clients").await, 0);
}
