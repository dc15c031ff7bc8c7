//! Every protocol function with every kind of evidence that proves nothing: nobody's page, nobody's token, and never an
//! error that is not one of ours.

use serde_json::{Value, json};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::thief;
use crate::authorize::{authorize, code, request, session, with};
use crate::store::PROTOCOL;
use crate::support::{Client as App, Database, User, public_client, user, web_client};
use crate::token::redeem;

/// A person who is not there, and what she has: nothing of it is what the thief is asked for.
struct Victim {
    alice: User,
    app: App,
    other: App,
    nonsense: Vec<String>,
}

async fn victim(db: &Database, thief: &Client) -> Victim {
    let (alice, app, other) = (user(db, "alice").await, web_client(db).await, public_client(db).await);
    let cookie = session(thief, &alice).await;
    let asked = with(request(&app), json!({ "scope": "openid offline_access" }));
    let (_, tokens) = redeem(thief, &app, &code(thief, &asked, &cookie).await).await;
    let unspent = code(thief, &asked, &cookie).await;
    let (_, pending) = authorize(thief, &request(&app), None).await;
    let superuser = db.superuser().await;
    let stored = superuser
        .query_one(
            "select s.id::text, encode(s.secret_hash, 'hex'), encode(k.code_hash, 'hex'), g.id::text, p.phc,
               encode(f.seed, 'base64'), (select id from identity.sealed_keys where purpose = 'state'),
               (select kid from identity.signing_keys where state = 'current' limit 1)
             from identity_store.sessions s, identity_store.authorization_codes k, identity_store.grants g,
               identity_store.passwords p, identity_store.refresh_families f limit 1",
            &[],
        )
        .await
        .unwrap();
    let mut nonsense: Vec<String> = (0..8).map(|column| stored.get(column)).collect();
    nonsense.extend([
        alice.id.to_string(),
        alice.username.clone(),
        "alice@people.example".into(),
        app.id.clone(),
        other.id.clone(),
    ]);
    let resume = pending["resume"].as_str().unwrap();
    let member = |name: &str| tokens[name].as_str().unwrap().to_owned();
    let (access, id, refresh) = (member("access_token"), member("id_token"), member("refresh_token"));
    for good in [&cookie, &unspent, &refresh, &access, &id, app.secret.as_ref().unwrap()] {
        // Each secret of another prefix, shortened, lengthened, with one bit changed, in other case.
        nonsense.extend([
            good[..good.len() - 1].to_owned(),
            format!("{good}A"),
            format!(" {good}"),
            altered(good),
            good.to_ascii_uppercase(),
            good.chars().rev().collect(),
        ]);
        for (from, to) in [("ids_", "code_"), ("ids", "code"), ("code", "ids"), ("secret", "ids"), ("ids", "secret")] {
            if good.contains(from) {
                nonsense.push(good.replacen(from, to, 1));
            }
        }
    }
    nonsense.extend([altered(resume), resume[..resume.len() / 2].to_owned(), format!("{access}.x"), "e30.e30.".into()]);
    nonsense.extend(
        [
            "",
            " ",
            "null",
            "x",
            "00000000-0000-0000-0000-000000000000",
            "'",
            "''",
            "'; select pg_sleep(9); --",
            "' or '1'='1",
            "$$; drop table identity_store.users; $$",
            "$1",
            "%s %I %L %1$s %n",
            "\\",
            "\\x00",
            "\\u0000",
            "{}",
            "[]",
            "{\"sub\": \"alice\"}",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.",
            "\u{0}x".trim_start_matches('\0'),
            "\u{feff}alice",
            "\u{202e}ecila",
            "\u{1f600}",
            "(.*)*$",
            "_%",
        ]
        .map(String::from),
    );
    nonsense.extend(["x".repeat(100_000), "[".repeat(100_000), "\u{1f600}".repeat(20_000), "a.".repeat(50_000)]);
    Victim { alice, app, other, nonsense }
}

fn altered(secret: &str) -> String {
    let middle = secret.len() / 2;
    let replacement = if &secret[middle..=middle] == "A" { "B" } else { "A" };
    format!("{}{replacement}{}", &secret[..middle], &secret[middle + 1..])
}

/// The types of the arguments of a function, as the catalog has them.
async fn arguments(superuser: &Client, function: &str) -> Vec<(String, String)> {
    superuser
        .query(
            "select a.name, format_type(a.type, null) from pg_proc p, unnest(p.proargnames[:p.pronargs], p.proargtypes::oid[]) a (name, type)
             where p.pronamespace = 'identity'::regnamespace and p.proname = $1",
            &[&function],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect()
}

/// What a function may answer to somebody who has proved nothing. Everything else that it can say stands for a person.
const REFUSALS: [&str; 15] = [
    // Of registration, which is closed.
    "access_denied",
    "deferred",
    "error_page",
    "invalid_client",
    "invalid_credentials",
    "invalid_grant",
    "invalid_password",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "invalid_token",
    "sign_in",
    "signed_out",
    "slow_down",
    "unauthorized_client",
];

async fn refused(thief: &Client, victim: &Victim, call: &str, texts: &[Option<String>], value: &str) {
    let arguments: Vec<&(dyn ToSql + Sync)> = texts.iter().map(|text| text as _).collect();
    let what = format!("{call} {value:.80}");
    match thief.query(call, &arguments).await {
        Ok(rows) => {
            for row in rows {
                let (outcome, answer): (String, Value) = (row.get(0), row.get(1));
                // The page for nobody: without a session it says nothing about anybody.
                let nobody = outcome == "page" && answer.get("username").is_none() && answer.get("user").is_none()
                    || outcome == "redirect" && answer["parameters"].get("code").is_none()
                    || outcome == "ok" && (answer == json!({ "active": false }) || answer == json!({}));
                assert!(nobody || REFUSALS.contains(&outcome.as_str()), "{what}: {outcome} {answer}");
                // What it sent itself comes back: `state`.
                let text = answer.to_string().replace(value, "");
                assert!(!text.contains(&victim.alice.id.to_string()) && !text.contains("Liddell"), "{what}: {text}");
            }
        }
        Err(error) => {
            let state = error.code().unwrap_or_else(|| panic!("{what}: {error}")).code();
            // Ours, or a value that is none of its type (a JSON \u0000, text that is too deep).
            assert!(state.starts_with("ID") || ["22P02", "22P05", "54001"].contains(&state), "{what}: {error:?}");
        }
    }
}

#[tokio::test]
async fn nonsense_in_the_place_of_evidence_is_nobody() {
    let db = Database::new().await;
    let thief = thief(&db).await;
    let victim = victim(&db, &thief).await;
    let superuser = db.superuser().await;
    let before = written(&superuser).await;
    for (function, _) in PROTOCOL {
        let parameters = arguments(&superuser, function).await;
        if parameters.is_empty() {
            continue;
        }
        let places: Vec<String> =
            (1..=parameters.len()).map(|n| format!("${n}::text::{}", parameters[n - 1].1)).collect();
        let call = format!("select outcome, answer from identity.{function}({})", places.join(", "));
        for (index, value) in victim.nonsense.iter().enumerate() {
            // A hash for each would take minutes; sign-in has a test of its own.
            if function == "sign_in" && index % 16 != 0 {
                continue;
            }
            let texts: Vec<Option<String>> =
                parameters.iter().map(|(name, kind)| argument(&victim, name, kind, value)).collect();
            refused(&thief, &victim, &call, &texts, value).await;
        }
    }
    // Nothing was written but the failures of sign-in, and nothing was taken from her.
    assert_eq!(written(&superuser).await, before);
}

/// The value where evidence is asked for; elsewhere what a request would have, so that it is the evidence that fails.
fn argument(victim: &Victim, name: &str, kind: &str, value: &str) -> Option<String> {
    match (name, kind) {
        ("client_id", _) => Some(victim.app.id.clone()),
        ("method", _) => Some("client_secret_basic".into()),
        ("decision", _) => Some("allow".into()),
        ("redirect_uri", _) => Some(victim.app.redirect_uri().into()),
        ("username", _) => Some(victim.alice.username.clone()),
        ("source", _) => None,
        (_, "uuid") => Some(victim.alice.id.to_string()),
        ("parameters", _) => {
            let asked = with(
                request(&victim.app),
                json!({ "id_token_hint": value, "login_hint": value, "state": value, "prompt": "none" }),
            );
            Some(asked.to_string())
        }
        (_, "text[]") => Some("{}".into()),
        _ => Some(value.into()),
    }
}

async fn written(superuser: &Client) -> Vec<String> {
    let rows = "
      select 'sessions ' || count(*) || ' ' || count(ended_at) from identity_store.sessions
      union all select 'grants ' || count(*) || ' ' || count(ended_at) from identity_store.grants
      union all select 'codes ' || count(*) || ' ' || count(used_at) from identity_store.authorization_codes
      union all select 'families ' || count(*) || ' ' || count(ended_at) || ' ' || max(generation) from identity_store.refresh_families
      union all select 'passwords ' || min(phc) || max(changed_at) from identity_store.passwords
      union all select 'consents ' || count(*) || max(granted_at) from identity_store.consents
      union all select 'clients ' || count(*) from identity_store.clients
      union all select 'revocations ' || count(*) from identity.revocations
      union all select kind || ' ' || count(*) from identity_store.audit_events
        where kind not in ('sign_in_failed', 'sign_in_threshold_crossed') group by kind
      order by 1";
    superuser.query(rows, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// The evidence of one client or browser is none for another one.
#[tokio::test]
async fn what_belongs_to_another_client_or_browser_is_nothing() {
    let db = Database::new().await;
    let thief = thief(&db).await;
    let victim = victim(&db, &thief).await;
    let cookie = session(&thief, &victim.alice).await;
    let asked = with(request(&victim.app), json!({ "scope": "openid offline_access" }));
    let code = code(&thief, &asked, &cookie).await;
    // A public client has no secret to show, so it is the first that a thief would name.
    let (id, secret) = (&victim.other.id, None::<String>);
    let none = None::<&str>;
    let verifier = crate::authorize::VERIFIER;
    let (_, tokens) = redeem(&thief, &victim.app, &crate::authorize::code(&thief, &asked, &cookie).await).await;
    let (refresh, access) = (tokens["refresh_token"].as_str(), tokens["access_token"].as_str());
    let no_resource = Vec::<String>::new();
    for (function, arguments, outcome) in [
        (
            "token_authorization_code($1, $2, 'none', $3, $4, $5, $6)",
            vec![
                id as &(dyn ToSql + Sync),
                &secret,
                &code,
                &victim.app.metadata["redirect_uris"],
                &verifier,
                &no_resource,
            ],
            "invalid_grant",
        ),
        (
            "token_refresh_token($1, $2, 'none', $3, $4, $5)",
            vec![id, &secret, &refresh, &none, &no_resource],
            "invalid_grant",
        ),
        ("token_introspect($1, $2, 'none', $3, $4)", vec![id, &secret, &access, &none], "invalid_client"),
    ] {
        // The redirect URI as text.
        let call = format!(
            "select outcome, answer from identity.{}",
            function.replace("$4, $5, $6", "$4::jsonb ->> 0, $5, $6")
        );
        let row = thief.query_one(&call, &arguments).await.unwrap();
        assert_eq!(row.get::<_, String>(0), outcome, "{function}");
    }
    // The right client still has all of it.
    assert_eq!(redeem(&thief, &victim.app, &code).await.0, "ok");
}
