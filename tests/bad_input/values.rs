//! Values that no caller should send, by type, as SQL expressions; and good ones for the arguments beside them.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::authorize::{CHALLENGE, VERIFIER, authorize, call, code, decide, session};
use crate::support::{Client, Database, client, user};

/// Expressions of that type; NULL is one of them for all.
pub fn bad(of_type: &str) -> Vec<String> {
    let mut values = vec![format!("null::{of_type}")];
    let more: &[&str] = match of_type {
        "text" => &TEXTS,
        "text[]" => &ARRAYS,
        "json" | "jsonb" => &DOCUMENTS,
        "uuid" => &["'00000000-0000-0000-0000-000000000000'::uuid", "'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid"],
        "timestamp with time zone" => &[
            "timestamptz 'infinity'",
            "timestamptz '-infinity'",
            "timestamptz '4713-01-01 BC'",
            "timestamptz '294276-12-31'",
        ],
        "interval" => {
            &["interval '-1 day'", "interval '0'", "interval '178000000 years'", "interval '-178000000 years'"]
        }
        "integer" => &["-1", "0", "2147483647", "-2147483648"],
        "boolean" => &[],
        "bytea" => &["''::bytea", "'\\x00ff80'::bytea", "convert_to(repeat('x', 1048576), 'utf8')"],
        "regclass" => &["0::oid::regclass", "'pg_catalog.pg_class'::regclass"],
        "name" => &["''::name", "E'a\"\\n'::name"],
        "oid[]" => {
            &["'{}'::oid[]", "'{NULL}'::oid[]", "'{{0},{4294967295}}'::oid[]", "array_fill(1::oid, array[100000])"]
        }
        other => panic!("no bad values of type {other}: add some"),
    };
    values.extend(more.iter().map(|value| value.replace("$type", of_type)));
    // What text cannot hold, json can; jsonb never gets so far.
    if of_type == "json" {
        values.extend(UNTEXTUAL.iter().map(|value| format!("'{value}'::json")));
    }
    values
}

const TEXTS: [&str; 7] = [
    "''",
    "repeat('x', 1048576)",
    // Incompressible, and three bytes a character: what an index row cannot hold.
    "(select string_agg(md5(n::text), '') from generate_series(1, 94) n)",
    "(select string_agg(chr(19968 + (n * 7919) % 20000), '') from generate_series(1, 2040) n)",
    "E'a\\n\\r\\t\\x01\\x7f'",
    "U&'\\202e\\FFFD\\+01F600\\0301'",
    "' %_\\''\";--{}$$'",
];

const ARRAYS: [&str; 9] = [
    "'{}'::text[]",
    "'{NULL}'::text[]",
    "'{\"\"}'::text[]",
    "'{a,a}'::text[]",
    "'{{a,b},{c,d}}'::text[]",
    "array_fill('x'::text, array[100000])",
    "array[repeat('x', 1048576)]",
    "array[(select string_agg(chr(19968 + (n * 7919) % 20000), '') from generate_series(1, 2040) n)]",
    "array[E'a\\n\\x01']",
];

const DOCUMENTS: [&str; 17] = [
    "'null'::$type",
    "'[]'::$type",
    "'1'::$type",
    "'\"x\"'::$type",
    "'{}'::$type",
    "'{\"client_id\": \"x\", \"client_name\": \"x\"}'::$type",
    "'{\"client_id\": [1], \"client_name\": 1, \"scope\": 1, \"sub\": {}}'::$type",
    "'{\"client_id\": [null], \"redirect_uris\": [null]}'::$type",
    "'{\"client_id\": [], \"redirect_uris\": []}'::$type",
    "'{\"client_id\": [[\"x\"]], \"redirect_uris\": [[\"x\"]]}'::$type",
    "'{\"access_token_lifetime\": 1e400, \"exp\": 1e400}'::$type",
    "'{\"keys\": [1, null, {\"kty\": 1, \"kid\": 1}]}'::$type",
    "json_build_object('client_name', repeat('x', 1048576), 'state', json_build_array(repeat('x', 1048576)))::$type",
    "(repeat('[', 6000) || repeat(']', 6000))::$type",
    "('{\"client_id\":' || repeat('[', 10000) || repeat(']', 10000) || '}')::$type",
    "(repeat('{\"client_name\":', 10000) || '1' || repeat('}', 10000))::$type",
    "(select json_object_agg('k' || n, n) from generate_series(1, 20000) n)::$type",
];

const UNTEXTUAL: [&str; 4] = [
    "{\"client_id\": [\"a\\u0000\"]}",
    "{\"a\\u0000\": [\"a\"]}",
    "{\"client_id\": [\"\\ud800\"]}",
    "{\"client_id\": [\"a\"], \"client_id\": [\"b\"]}",
];

/// What stands where nothing bad is tried: by function and argument, or by argument alone.
pub struct Good(HashMap<Place, String>);

impl Good {
    /// A person with a session, a client with a secret, a code, tokens and a sealed request of theirs.
    pub async fn new(db: &Database) -> Good {
        let (sql, alice, app) = (db.gateway_role().await, user(db, "alice").await, everything(db).await);
        let cookie = session(&sql, &alice).await;
        let request = json!({
            "client_id": [app.id], "redirect_uri": [app.redirect_uri()], "response_type": ["code"], "scope": ["openid profile"],
            "code_challenge": [CHALLENGE], "code_challenge_method": ["S256"], "prompt": ["consent"],
        });
        let spent = code(&sql, &request, &cookie).await;
        let tokens = tokens(&sql, &app, &spent).await;
        let (_, consent) = authorize(&sql, &request, Some(&cookie)).await;
        let (_, allowed) = decide(&sql, &consent, &cookie, "allow").await;
        let (_, logout) = call(&sql, "logout_request", &[&json!({}), &cookie, &"browser"]).await;
        let kid = "select kid from identity.signing_keys where algorithm = 'ES256' and state = 'current'";
        let kid: String = db.superuser().await.query_one(kid, &[]).await.unwrap().get(0);
        let session_id: String = db
            .admin()
            .await
            .query_one("select session_id::text from identity.user_sessions($1)", &[&alice.id])
            .await
            .unwrap()
            .get(0);
        let receipt = receipt(db, &sql).await;
        let admin = db.admin().await;
        admin
            .execute("select identity.trust_issuer('https://trusted.example', 'here', $1::text::jsonb)", &[&JWKS])
            .await
            .unwrap();
        db.superuser().await.batch_execute("create schema app authorization app_login; create table app.notes (user_id uuid); alter table app.notes owner to app_login; grant usage on schema app to admin_login").await.unwrap();
        admin.batch_execute("select identity.registration_configure('open')").await.unwrap();
        admin
            .execute("select identity.registration_issuer_trust('https://vouch.example', $1::text::jsonb)", &[&JWKS])
            .await
            .unwrap();
        let hash = "select identity.hash_password('correct horse battery')";
        let hash: String = db.superuser().await.query_one(hash, &[]).await.unwrap().get(0);
        let initial: String = admin
            .query_one("select identity.registration_token_create('a partner', max_uses => 1000) ->> 'id'", &[])
            .await
            .unwrap()
            .get(0);
        let metadata = json!({ "redirect_uris": ["https://a.example/cb"] });
        let none = (None::<&str>, None::<Value>);
        let (_, registered) = call(&sql, "registration_create", &[&metadata, &none.0, &"192.0.2.1", &none.1]).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let managed = text(&registered["client_id"]);
        let replaced = json!({ "redirect_uris": ["https://a.example/cb"], "client_id": managed });
        let quoted = [
            (("*", "session_cookie"), cookie),
            (("*", "resume"), text(&consent["resume"])),
            (("logout_confirm", "resume"), text(&logout["resume"])),
            (("*", "client_id"), app.id.clone()),
            (("*", "client_secret"), app.secret.clone().unwrap()),
            (("*", "code"), text(&allowed["parameters"]["code"])),
            (("*", "redirect_uri"), app.redirect_uri().to_owned()),
            (("*", "code_verifier"), VERIFIER.to_owned()),
            (("*", "refresh_token"), text(&tokens["refresh_token"])),
            (("*", "token"), text(&tokens["access_token"])),
            (("*", "receipt"), receipt),
            (("*", "user_id"), alice.id.to_string()),
            (("uuid_v7_time", "id"), alice.id.to_string()),
            (("*", "session_id"), session_id),
            (("*", "parameters"), request.to_string()),
            (("*", "kid"), kid),
            (("*", "jwks"), JWKS.to_owned()),
            (("*", "hash"), hash),
            (("registration_read", "client_id"), managed.clone()),
            (("registration_update", "client_id"), managed.clone()),
            (("registration_delete", "client_id"), managed.clone()),
            (("registration_rotate_token", "client_id"), managed),
            (("registration_update", "metadata"), replaced.to_string()),
            (("*", "registration_access_token"), text(&registered["registration_access_token"])),
            (("registration_token_revoke", "id"), initial),
        ];
        let plain = PLAIN.iter().map(|(place, expression)| (*place, (*expression).to_owned()));
        Good(quoted.into_iter().map(|(place, value)| (place, format!("'{value}'"))).chain(plain).collect())
    }

    /// The same for functions that take passwords: a change to the same one, by whom each sign-in leaves signed in.
    pub async fn signing_in(db: &Database) -> Good {
        let mut good = Good::new(db).await;
        let password = "'correct horse battery alice'".to_owned();
        for argument in ["password", "old_password", "new_password"] {
            good.0.insert(("*", argument), password.clone());
        }
        good.0.insert(("*", "username"), "'alice'".into());
        for (function, argument) in
            [("*", "user_agent"), ("*", "device_cookie"), ("sign_in", "session_cookie"), ("sign_in", "resume")]
        {
            good.0.insert((function, argument), "null".into());
        }
        good
    }

    /// The expression for an argument of a function.
    pub fn expression(&self, function: &str, argument: &str) -> &str {
        let place = [function, "*"].into_iter().find_map(|function| {
            self.0.iter().find(|(place, _)| **place == (function, argument)).map(|(_, value)| value)
        });
        place.unwrap_or_else(|| panic!("no good value for {argument} of {function}: add one"))
    }
}

/// That of a logout which somebody delivers just now.
async fn receipt(db: &Database, sql: &tokio_postgres::Client) -> String {
    let queued = "insert into identity_store.backchannel_logouts (id, client_id, user_id, session_id)
      select identity.uuid_v7(), id, gen_random_uuid(), gen_random_uuid() from identity_store.clients";
    let superuser = db.superuser().await;
    superuser
        .batch_execute("update identity_store.clients set backchannel_logout_uri = 'https://notes.example/out'")
        .await
        .unwrap();
    superuser.batch_execute(queued).await.unwrap();
    let (_, taken) = call(sql, "backchannel_logout_take", &[&1]).await;
    taken["logouts"][0]["receipt"].as_str().unwrap().to_owned()
}

/// A client that may do all.
async fn everything(db: &Database) -> Client {
    client(
        db,
        json!({
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"], "refresh_token": "always",
            "redirect_uris": ["https://notes.example/callback"], "post_logout_redirect_uris": ["https://notes.example/"]
        }),
    )
    .await
}

async fn tokens(sql: &tokio_postgres::Client, app: &Client, code: &str) -> Value {
    let arguments: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
        &[&app.id, &app.secret, &"client_secret_basic", &code, &app.redirect_uri(), &VERIFIER, &Vec::<String>::new()];
    let (outcome, answer) = call(sql, "token_authorization_code", arguments).await;
    assert_eq!(outcome, "ok");
    answer
}

/// RFC 8037 appendix A.2.
const JWKS: &str =
    r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "a"}]}"#;

type Place = (&'static str, &'static str);

const PLAIN: [(Place, &str); 104] = [
    (("*", "initial_access_token"), "null"),
    (("*", "policy"), "'open'"),
    (("*", "grant_types"), "'{authorization_code}'"),
    (("*", "software_statement"), "'optional'"),
    (("*", "source_quota"), "100"),
    (("*", "unused_limit"), "100"),
    (("*", "unused_lifetime"), "'1 day'"),
    (("*", "lifetime"), "'1 day'"),
    (("*", "max_uses"), "1"),
    (("registration_issuer_distrust", "issuer"), "'https://vouch.example'"),
    (("*", "places"), "1"),
    (("*", "status"), "200"),
    (("protect", "organization"), "null"),
    (("protect", "scope_read"), "null"),
    (("protect", "scope_write"), "null"),
    (("protect", "role"), "null"),
    (("protect", "members"), "null"),
    (("protect", "members_row"), "null"),
    (("protect", "members_key"), "null"),
    (("protect", "members_user"), "null"),
    (("protect", "members_write"), "null"),
    (("protect", "members_writers"), "null"),
    (("protect", "agents"), "null"),
    (("protect", "replace"), "false"),
    (("*", "allowed"), "false"),
    (("*", "device_cookie"), "null"),
    (("*", "account"), "1"),
    (("*", "browser_cookie"), "'browser'"),
    (("*", "method"), "'client_secret_basic'"),
    (("*", "client_certificate"), "null"),
    (("*", "jwks_uri"), "'https://a.example/jwks'"),
    (("*", "document"), "'{\"keys\": []}'"),
    (("*", "failure"), "null"),
    (("*", "documents"), "null"),
    (("*", "resource"), "'{}'::text[]"),
    (("*", "scope"), "'openid'"),
    (("token_client_credentials", "scope"), "null"),
    (("*", "token_type_hint"), "'access_token'"),
    (("*", "source"), "'192.0.2.1'"),
    (("*", "decision"), "'allow'"),
    (("logout_request", "parameters"), "'{}'"),
    (("*", "profile"), "'{\"preferred_username\": \"carol\"}'"),
    (("*", "password"), "'correct horse battery'"),
    (("*", "roles"), "'{reader}'"),
    (("*", "metadata"), "'{\"redirect_uris\": [\"https://a.example/cb\"]}'"),
    (("*", "overlap"), "'1 day'"),
    (("*", "name"), "'notes'"),
    (("*", "description"), "'Read notes'"),
    (("*", "claims"), "'{}'"),
    (("*", "identifier"), "'https://api.example'"),
    (("*", "scopes"), "'{}'"),
    (("*", "algorithm"), "'EdDSA'"),
    (("create_encryption_key", "algorithm"), "'ECDH-ES'"),
    (("sign_jwt", "algorithm"), "'ES256'"),
    (("*", "rsa_bits"), "null"),
    (("*", "issuer"), "'https://other.example'"),
    (("distrust_issuer", "issuer"), "'https://trusted.example'"),
    (("trusted_keys_replace", "issuer"), "'https://trusted.example'"),
    (("impersonate", "issuer"), "'https://trusted.example'"),
    (("can_see", "issuer"), "'https://trusted.example'"),
    (("*", "audience"), "'https://a.example'"),
    (("verify_jwt", "audience"), "null"),
    (("*", "audiences"), "'{https://a.example}'"),
    (("*", "typ"), "'JWT'"),
    (("*", "algorithms"), "'{EdDSA}'"),
    (("*", "subject_is_user_id"), "false"),
    (("*", "kind"), "'token'"),
    (("*", "id"), "'x'"),
    (("*", "until"), "now() + interval '1 hour'"),
    (("*", "issued_before"), "now()"),
    (("*", "issued_after"), "now() - interval '1 hour'"),
    (("*", "used"), "false"),
    (("*", "dry_run"), "false"),
    (("revoke_issued_between", "issuer"), "null"),
    (("*", "data"), "'eA'"),
    (("*", "signables"), "'x'"),
    (("*", "secret"), "'secret'"),
    (("*", "payload"), "'{}'::json"),
    (("algorithm_sign", "algorithm"), "'HS256'"),
    (("sign", "algorithm"), "'HS256'"),
    (("verify", "algorithm"), "'HS256'"),
    (("verify_valid", "algorithm"), "'HS256'"),
    (("jwt_session_init", "jwt"), "'x'"),
    (("*", "purpose"), "'state'"),
    (("*", "search"), "'a'"),
    (("*", "max_rows"), "10"),
    (("*", "kinds"), "null"),
    (("*", "of_user"), "null"),
    (("*", "of_client"), "null"),
    (("*", "since"), "null"),
    (("*", "at"), "now()"),
    (("*", "target"), "'app.notes'::regclass"),
    (("*", "owner"), "'user_id'"),
    (("*", "older_than"), "'1 day'"),
    (("*", "published_for"), "'1 hour'"),
    (("*", "role"), "'reader'"),
    (("can_see", "role"), "null"),
    (("*", "subject"), "'00000000-0000-0000-0000-000000000001'"),
    (("*", "provider"), "'keycloak'"),
    (("*", "client"), "'api'"),
    (("*", "keys_max_age"), "'1 day'"),
    (("*", "permission"), "'read'"),
    (("claim", "name"), "'sub'"),
    (("user_find", "name"), "'alice'"),
];
