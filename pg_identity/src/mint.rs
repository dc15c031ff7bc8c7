//! Making tokens: claims put together and signed with the current key, from rows as they are at this moment (see rows.rs).
//!
//! Which key signs is in `sql/extension/keys.sql`; what a token says besides is the caller's.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::clock;
use crate::encryption_keys;
use crate::errors::{Code, Error};
use crate::jws;
use crate::jwt;
use crate::keys;
use crate::native::sql_function;
use crate::pairwise;
use crate::rows::{Row, View};
use crate::uuid_v7;

/// Those that sign access tokens; the first one that has a current key does.
const ACCESS: [&str; 4] = ["ES256", "EdDSA", "PS256", "RS256"];
/// Lifetime of what an administrator signs by hand.
const BY_HAND: i64 = 300;
/// Back-Channel Logout §4: "preferably at most two minutes in the future".
const LOGOUT_LIFE: i64 = 120;
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The revocation list forgets after a day by default: what lives longer could outlive its revocation.
const LONGEST_LIFE: i64 = 86_400;

sql_function! {
    /// `sign_jwt(claims, algorithm, typ)`: whatever an administrator likes.
    fn sign_jwt(claims: Option<pgrx::JsonB>, algorithm: Option<&str>, typ: Option<&str>) -> Result<String, Error> {
        let claims = object(claims.map(|pgrx::JsonB(claims)| claims))?;
        let typ = typ.filter(|typ| !typ.is_empty());
        let typ = typ.ok_or_else(|| Error::new(Code::InvalidParameter, "typ is empty"))?;
        // RFC 6838 §4.2: names of media types are restricted to 127 characters.
        if typ.chars().count() > 127 {
            return Err(Error::new(Code::InvalidParameter, "typ is longer than 127 characters"));
        }
        let view = View::latest();
        let dated = dated(issued_by(&view)?, claims, clock::wall_seconds(), BY_HAND);
        match algorithm {
            Some(algorithm) => sign(&view, &[algorithm], typ, dated),
            None => sign(&view, &ACCESS, typ, dated),
        }
    }
}

sql_function! {
    /// `mint_access_token(claims, lifetime)`: RFC 9068.
    fn mint_access_token(claims: Option<pgrx::Json>, lifetime: Option<i32>) -> Result<String, Error> {
        access_token(&View::latest(), present(claims)?, seconds(lifetime)?)
    }
}

sql_function! {
    /// `mint_id_token(claims, lifetime, algorithm)`: OpenID Connect Core §2.
    fn mint_id_token(claims: Option<pgrx::Json>, lifetime: Option<i32>, algorithm: Option<&str>) -> Result<String, Error> {
        id_token(&View::latest(), present(claims)?, seconds(lifetime)?, algorithm.unwrap_or_default())
    }
}

sql_function! {
    /// `client_tokens(client_id, access_lifetime, audience, scope)`: RFC 6749 §4.4.3, §5.1. One call and no JSON on the way, because
    /// PostgreSQL takes 10 µs to write an object.
    fn client_tokens(
        client_id: &str,
        access_lifetime: Option<i32>,
        audience: Option<pgrx::Json>,
        scope: Option<&str>,
    ) -> Result<String, Error> {
        let lifetime = seconds(access_lifetime)?;
        // RFC 9068 §2.2: without a resource owner, sub is an identifier of the client.
        let claims = [
            ("sub", Some(client_id.into())),
            ("client_id", Some(client_id.into())),
            ("aud", audience.map(|pgrx::Json(audience)| audience)),
            ("scope", scope.filter(|scope| !scope.is_empty()).map(Value::from)),
        ];
        let token = access_token(&View::latest(), with(Map::new(), claims.into_iter()), lifetime)?;
        written(&Response { access_token: Some(token), scope, ..Response::with_access(lifetime) })
    }
}

sql_function! {
    /// `person_tokens(…)`: RFC 6749 §5.1 with OpenID Connect Core §3.1.3.3. One call, as above.
    fn person_tokens(
        subject: &str,
        client_id: &str,
        grant_id: pgrx::Uuid,
        session_id: Option<&str>,
        auth_time: Option<pgrx::datum::TimestampWithTimeZone>,
        acr: Option<&str>,
        amr: Option<Vec<Option<String>>>,
        access_lifetime: Option<i32>,
        audience: Option<pgrx::Json>,
        scope: Option<&str>,
        session_alive: bool,
        access_more: Option<pgrx::Json>,
        id_lifetime: Option<i32>,
        id_algorithm: Option<&str>,
        nonce: Option<&str>,
        id_more: Option<pgrx::Json>,
        id_recipient: Option<pgrx::Json>,
        refresh_token: Option<&str>,
    ) -> Result<String, Error> {
        let view = View::latest();
        let auth_time = auth_time.map(|at| i64::from(at).saturating_add(clock::POSTGRES_EPOCH).div_euclid(1_000_000));
        let amr = amr.map(|methods| Value::from(methods.into_iter().flatten().collect::<Vec<_>>()));
        let event = [("auth_time", auth_time.map(Value::from)), ("acr", acr.map(Value::from)), ("amr", amr)];
        let mut response = Response::default();
        if access_lifetime.is_some() {
            let lifetime = seconds(access_lifetime)?;
            // RFC 9068 §2.2.
            let claims = [
                ("sub", Some(subject.into())),
                ("client_id", Some(client_id.into())),
                ("aud", audience.map(|pgrx::Json(audience)| audience)),
                ("grant_id", Some(uuid::Uuid::from_bytes(*grant_id.as_bytes()).to_string().into())),
                ("sid", session_id.filter(|_| session_alive).map(Value::from)),
                ("scope", scope.filter(|scope| !scope.is_empty()).map(Value::from)),
            ];
            let claims = with(more(access_more)?, claims.into_iter().chain(event.iter().cloned()));
            let token = access_token(&view, claims, lifetime)?;
            response = Response { access_token: Some(token), refresh_token, scope, ..Response::with_access(lifetime) };
        }
        if id_lifetime.is_some() {
            let algorithm = id_algorithm.unwrap_or_default();
            let hash = match &response.access_token {
                // OpenID Connect Core §3.1.3.6. Without a signature there is no hash to take.
                Some(token) if algorithm != "none" => Some(jwt::half_hash(token, algorithm)?),
                Some(_) | None => None,
            };
            // OpenID Connect Core §2.
            let claims = [
                ("sub", Some(subject.into())),
                ("aud", Some(client_id.into())),
                ("nonce", nonce.map(Value::from)),
                ("sid", session_id.map(Value::from)),
                ("at_hash", hash.map(Value::from)),
            ];
            let claims = with(more(id_more)?, claims.into_iter().chain(event));
            let signed = id_token(&view, claims, seconds(id_lifetime)?, algorithm)?;
            response.id_token = Some(match id_recipient {
                None => signed,
                Some(recipient) => encryption_keys::seal_token(&recipient.0, &signed)?,
            });
        }
        written(&response)
    }
}

/// Claims beside those that have a place of their own.
fn more(claims: Option<pgrx::Json>) -> Result<Map<String, Value>, Error> {
    claims.map_or_else(|| Ok(Map::new()), |claims| present(Some(claims)))
}

/// What has a place of its own is said there or nowhere.
fn with(
    mut claims: Map<String, Value>,
    own: impl Iterator<Item = (&'static str, Option<Value>)>,
) -> Map<String, Value> {
    for (name, value) in own {
        match value {
            Some(value) => drop(claims.insert(name.to_owned(), value)),
            None => drop(claims.remove(name)),
        }
    }
    claims
}

#[derive(Default, serde::Serialize)]
struct Response<'call> {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'call str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'call str>,
}

impl Response<'_> {
    fn with_access(expires_in: i64) -> Self {
        Self { token_type: Some("Bearer"), expires_in: Some(expires_in), ..Self::default() }
    }
}

/// PostgreSQL keeps a json as its text.
fn written(response: &Response<'_>) -> Result<String, Error> {
    serde_json::to_string(response).map_err(|_| Error::internal("an answer cannot be written"))
}

fn access_token(view: &View, claims: Map<String, Value>, lifetime: i64) -> Result<String, Error> {
    let issuer = issued_by(view)?;
    let issued_at = issue_second(view, &issuer, &claims, clock::wall_seconds())?;
    let mut claims = dated(issuer, claims, issued_at, lifetime);
    // RFC 9068 §2.2: aud and jti are REQUIRED. §3: without a resource in the request, a default one: the issuer.
    if let Some(issuer) = claims.get("iss").filter(|_| !claims.contains_key("aud")).cloned() {
        claims.insert("aud".to_owned(), issuer);
    }
    if !claims.contains_key("jti") {
        claims.insert("jti".to_owned(), uuid_v7::next()?.to_string().into());
    }
    sign(view, &ACCESS, "at+jwt", claims)
}

fn id_token(view: &View, claims: Map<String, Value>, lifetime: i64, algorithm: &str) -> Result<String, Error> {
    let claims = dated(issued_by(view)?, claims, clock::wall_seconds(), lifetime);
    if algorithm == "none" { unsecured(claims) } else { sign(view, &[algorithm], "JWT", claims) }
}

/// RFC 7519 §6: an unsecured token, for a client that registered `none` and gets it over TLS from the token endpoint (OpenID Connect
/// Core §2). Nothing here believes one.
fn unsecured(claims: Map<String, Value>) -> Result<String, Error> {
    bounded(format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(&Value::Object(claims).to_string())))
}

fn encode(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

sql_function! {
    /// `mint_userinfo(claims, algorithm)`: OpenID Connect Core §5.3.2. Without `exp`: it is no ID token, and no hint.
    fn mint_userinfo(claims: Option<pgrx::Json>, algorithm: Option<&str>) -> Result<String, Error> {
        let view = View::latest();
        let mut claims = dated(issued_by(&view)?, present(claims)?, clock::wall_seconds(), BY_HAND);
        claims.remove("exp");
        match algorithm.unwrap_or_default() {
            "none" => unsecured(claims),
            algorithm => sign(&view, &[algorithm], "JWT", claims),
        }
    }
}

sql_function! {
    /// `mint_logout_token(claims, algorithm)`: OpenID Connect Back-Channel Logout §2.4. Never unsecured: §2.6 forbids it.
    fn mint_logout_token(claims: Option<pgrx::Json>, algorithm: Option<&str>) -> Result<String, Error> {
        let view = View::latest();
        let mut claims = dated(issued_by(&view)?, present(claims)?, clock::wall_seconds(), LOGOUT_LIFE);
        claims.insert("events".to_owned(), serde_json::json!({ LOGOUT_EVENT: {} }));
        sign(&view, &[algorithm.unwrap_or_default()], "logout+jwt", claims)
    }
}

sql_function! {
    /// `configured_issuer()`: the issuer of this database.
    fn configured_issuer() -> Result<Option<String>, Error> {
        issuer(&View::of_statement())
    }
}

/// The members that are there: a null one would only say that there is none.
fn present(claims: Option<pgrx::Json>) -> Result<Map<String, Value>, Error> {
    let mut claims = object(claims.map(|pgrx::Json(claims)| claims))?;
    claims.retain(|_, value| !value.is_null());
    Ok(claims)
}

fn object(claims: Option<Value>) -> Result<Map<String, Value>, Error> {
    match claims {
        Some(Value::Object(claims)) => Ok(claims),
        Some(_) | None => Err(Error::new(Code::InvalidParameter, "claims is not a JSON object")),
    }
}

fn seconds(lifetime: Option<i32>) -> Result<i64, Error> {
    lifetime
        .map(i64::from)
        .filter(|lifetime| (1..=LONGEST_LIFE).contains(lifetime))
        .ok_or_else(|| Error::new(Code::InvalidParameter, "lifetime is not between 1 second and 1 day"))
}

/// iss, iat and exp, where absent.
fn dated(issuer: String, mut claims: Map<String, Value>, issued_at: i64, life: i64) -> Map<String, Value> {
    for (name, value) in
        [("iss", Value::from(issuer)), ("iat", issued_at.into()), ("exp", issued_at.saturating_add(life).into())]
    {
        claims.entry(name).or_insert(value);
    }
    claims
}

fn issued_by(view: &View) -> Result<String, Error> {
    issuer(view)?.ok_or_else(|| {
        Error::new(Code::NotConfigured, "this database has no issuer").with_hint("Run identity.configure(issuer).")
    })
}

fn issuer(view: &View) -> Result<Option<String>, Error> {
    match view.table(c"configuration")?.find(&[]) {
        Some(row) => row.column(c"issuer"),
        None => Ok(None),
    }
}

/// README, decision 10: a token minted in the very second of a revocation is dated one second on, or it would be born dead. Never
/// more than one: iat in the future is refused elsewhere. The next revocation of that second knows it by the moment in its jti.
fn issue_second(view: &View, issuer: &str, claims: &Map<String, Value>, moment: i64) -> Result<i64, Error> {
    let actor = claims.get("act");
    let of_actor = |name| actor.and_then(|actor| actor.get(name));
    let grounds = [
        ("user", claims.get("sub")),
        ("client", claims.get("client_id")),
        ("agent", of_actor("sub")),
        ("user", of_actor("sub")),
        ("client", of_actor("client_id")),
    ];
    let mut revocations = view.table(c"revocations")?;
    let of_this_second = |row: Row<'_>| -> Result<bool, Error> {
        Ok(row.microseconds(c"issued_before")?.map(|revoked| revoked.div_euclid(1_000_000)) == Some(moment))
    };
    for (kind, id) in grounds {
        let Some(id) = id.and_then(Value::as_str) else { continue };
        let person = if kind == "user" { pairwise::person(view, id)? } else { None };
        if let Some(row) = revocations.find(&[kind, person.as_deref().unwrap_or(id)])
            && of_this_second(row)?
        {
            return Ok(moment + 1);
        }
    }
    let mut interval = revocations.find(&["issuer", issuer]);
    while let Some(row) = interval {
        if of_this_second(row)? {
            return Ok(moment + 1);
        }
        interval = revocations.next();
    }
    Ok(moment)
}

fn bounded(token: String) -> Result<String, Error> {
    if token.len() > jws::LONGEST_TOKEN {
        return Err(Error::new(Code::InvalidParameter, "claims makes a token of more than 16 KiB"));
    }
    Ok(token)
}

/// With the current key of the first of these algorithms that has one.
fn sign(view: &View, algorithms: &[&str], typ: &str, claims: Map<String, Value>) -> Result<String, Error> {
    let mut current = view.table_by(c"signing_keys", c"signing_keys_current")?;
    for name in algorithms {
        let Some(key) = current.find(&[name]) else { continue };
        let kid: &str = key.column(c"kid")?.unwrap_or_default();
        let payload = serde_json::to_vec(&claims).map_err(|_| Error::internal("claims cannot be written"))?;
        let token = keys::sign(keys::algorithm(name)?, kid, key.stored(c"private_sealed")?, typ, &payload)?;
        return bounded(token);
    }
    Err(Error::new(Code::NotConfigured, "there is no current signing key of this algorithm").with_hint(
        "Run identity.configure(issuer), or identity.create_signing_key(algorithm) and identity.rotate_signing_keys().",
    ))
}
