//! A notes application that keeps no user ids: it signs people in with any OpenID Connect library, here the
//! `openidconnect` crate, and hands their access token to PostgreSQL, which decides what each of them sees.
//!
//! The place to look at first is [`as_person`]: BEGIN, `identity.authenticate($1)`, the statement, COMMIT. No statement
//! of this program says whose notes it means. The table is made by `notes.sql` beside this file; `make run` starts both.
//!
//! ISSUER, DEMO_CLIENT_ID, APP_DATABASE_URL and APP_PORT come from the environment (`.run/env`).

#[path = "notes/browser.rs"]
mod browser;
#[path = "notes/provider.rs"]
mod provider;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Form, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use browser::{Failure, Sessions, escape, page, refused, welcome};
use deadpool_postgres::{Manager, Pool};
use openidconnect::core::{CoreAuthenticationFlow, CoreUserInfoClaims};
use openidconnect::{
    AuthorizationCode, ClientId, CsrfToken, IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, PostLogoutRedirectUrl, RedirectUrl, RefreshToken, Scope, TokenResponse,
};
use provider::{Http, Provider, Tokens};
use serde::Deserialize;
use tokio_postgres::{NoTls, Row, types::ToSql};

type Error = Box<dyn std::error::Error + Send + Sync>;

struct App {
    own_url: String,
    provider: Provider,
    database: Pool,
    sessions: Sessions<Session>,
}

enum Session {
    /// On the way to the provider and back.
    SigningIn(Request),
    SignedIn(Arc<Person>),
}

/// What the provider's answer must match.
struct Request {
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    started: Instant,
}

struct Person {
    name: String,
    tokens: tokio::sync::Mutex<Tokens>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let port: u16 = std::env::var("APP_PORT").unwrap_or_else(|_| "8081".to_owned()).parse()?;
    // An address, not "localhost": cookies ignore ports, and the provider's are at localhost.
    let own_url = format!("http://127.0.0.1:{port}");
    let provider = Provider {
        issuer: IssuerUrl::new(std::env::var("ISSUER")?)?,
        client_id: ClientId::new(std::env::var("DEMO_CLIENT_ID")?),
        redirect_uri: RedirectUrl::new(format!("{own_url}/callback"))?,
        http: Http::new()?,
    };
    let database = Pool::builder(Manager::new(std::env::var("APP_DATABASE_URL")?.parse()?, NoTls)).build()?;
    println!("notes: {own_url}");
    let routes = axum::Router::new()
        .route("/", get(home))
        .route("/sign-in", get(sign_in))
        .route("/callback", get(callback))
        .route("/notes", post(add))
        .route("/notes/delete", post(delete))
        .route("/sign-out", post(sign_out))
        .with_state(Arc::new(App { own_url, provider, database, sessions: Sessions::new() }));
    axum::serve(tokio::net::TcpListener::bind(("127.0.0.1", port)).await?, routes).await?;
    Ok(())
}

// --- The database: nothing here knows who is asking, except the token. ----------------------------------------------

/// Runs a statement as the person the access token speaks for. `authenticate` verifies the token inside PostgreSQL;
/// from then on row-level security applies to them, until COMMIT takes the identity away again: the connection goes
/// back to the pool belonging to nobody.
async fn as_person(
    app: &App,
    person: &Person,
    statement: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Failure> {
    let token = access_token(app, person).await?;
    let mut connection = app.database.get().await?;
    let transaction = connection.transaction().await?;
    let verified = transaction.execute("select identity.authenticate($1)", &[&token]).await;
    verified.map_err(|error| match error.code() {
        // Expired, revoked, signed out elsewhere: one SQLSTATE for each reason, and one answer to all of them.
        Some(code) if code.code().starts_with("ID1") => Failure::SignedOut,
        _ => error.into(),
    })?;
    let rows = transaction.query(statement, values).await?;
    transaction.commit().await?;
    Ok(rows)
}

async fn home(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    let Some(person) = signed_in(&app, &headers) else {
        return Ok(welcome());
    };
    let notes = "select id::text, body, created_at::date::text from notes order by id desc";
    let mut list = String::new();
    for note in as_person(&app, &person, notes, &[]).await? {
        let (id, body, date): (&str, &str, &str) = (note.try_get(0)?, note.try_get(1)?, note.try_get(2)?);
        list += &format!(
            "<li><p>{}</p><form method=post action=/notes/delete><time>{date}</time>
             <button class=quiet name=id value={id} aria-label='Delete this note'>Delete</button></form></li>",
            escape(body)
        );
    }
    Ok(page(&format!(
        "<header><h1>Notes of <span id=name>{}</span></h1>
         <form method=post action=/sign-out><button class=quiet id=sign-out>Sign out</button></form></header>
         <form class=add method=post action=/notes>
         <input name=body id=body required maxlength=1000 placeholder='A new note' aria-label='A new note'>
         <button id=add>Add</button></form><ul id=notes>{list}</ul>",
        escape(&person.name)
    )))
}

#[derive(Deserialize)]
struct New {
    body: String,
}

async fn add(State(app): State<Arc<App>>, headers: HeaderMap, Form(new): Form<New>) -> Result<Redirect, Failure> {
    let person = signed_in(&app, &headers).ok_or(Failure::SignedOut)?;
    // Whose note it is, the column's default says: identity.user_id().
    as_person(&app, &person, "insert into notes (body) values ($1)", &[&new.body]).await?;
    Ok(Redirect::to("/"))
}

#[derive(Deserialize)]
struct Old {
    id: String,
}

async fn delete(State(app): State<Arc<App>>, headers: HeaderMap, Form(old): Form<Old>) -> Result<Redirect, Failure> {
    let person = signed_in(&app, &headers).ok_or(Failure::SignedOut)?;
    // Somebody else's id deletes nothing: under row-level security that note is not there.
    as_person(&app, &person, "delete from notes where id::text = $1", &[&old.id]).await?;
    Ok(Redirect::to("/"))
}

// --- Signing in and out: OpenID Connect, code flow with PKCE, state and nonce. --------------------------------------

async fn sign_in(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (client, _) = app.provider.discover().await?;
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let (url, state, nonce) = client
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["profile", "offline_access"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    app.sessions.retain(|session| !matches!(session, Session::SigningIn(old) if old.started.elapsed() > PATIENCE));
    let request = Request { state, nonce, verifier, started: Instant::now() };
    Ok((app.sessions.start(Session::SigningIn(request)), Redirect::to(url.as_str())).into_response())
}

#[derive(Deserialize)]
struct Answer {
    state: String,
    code: Option<String>,
    error: Option<String>,
}

async fn callback(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, Failure> {
    // Taken out: an answer counts once, and only in the browser that asked.
    let Some(Session::SigningIn(request)) = app.sessions.end(&headers) else {
        return Err(Failure::SignedOut);
    };
    if *request.state.secret() != answer.state {
        return Err(Failure::SignedOut);
    }
    let Some(code) = answer.code else {
        return Ok(refused(&answer.error.unwrap_or_default()));
    };
    let (client, _) = app.provider.discover().await?;
    let exchange = client.exchange_code(AuthorizationCode::new(code))?.set_pkce_verifier(request.verifier);
    let response = exchange.request_async(&app.provider.http).await?;
    let id_token = response.id_token().ok_or("the provider sent no ID token")?;
    let claims = id_token.claims(&client.id_token_verifier(), &request.nonce)?;
    let subject = claims.subject().clone();
    let profile = client.user_info(response.access_token().clone(), Some(subject.clone()))?;
    let profile: CoreUserInfoClaims = profile.request_async(&app.provider.http).await?;
    let name = profile.name().and_then(|name| name.get(None)).map(|name| name.to_string());
    let person = Person { name: name.unwrap_or_else(|| subject.to_string()), tokens: Tokens::of(response).into() };
    // A new cookie: whoever planted the old one does not get in with it.
    Ok((app.sessions.start(Session::SignedIn(person.into())), Redirect::to("/")).into_response())
}

fn signed_in(app: &App, headers: &HeaderMap) -> Option<Arc<Person>> {
    app.sessions.find(headers, |session| match session {
        Session::SignedIn(person) => Some(Arc::clone(person)),
        Session::SigningIn(_) => None,
    })
}

/// The person's access token, refreshed when it is about to expire. Two requests of one person wait for one refresh.
async fn access_token(app: &App, person: &Person) -> Result<String, Failure> {
    let mut tokens = person.tokens.lock().await;
    if Instant::now() >= tokens.fresh_until {
        let refresh = RefreshToken::clone(tokens.response.refresh_token().ok_or(Failure::SignedOut)?);
        let (client, _) = app.provider.discover().await?;
        let answer = client.exchange_refresh_token(&refresh)?.request_async(&app.provider.http).await;
        // The answer is "no" when the person signed out, or was signed out, over there.
        let mut response = answer.map_err(|_| Failure::SignedOut)?;
        if response.refresh_token().is_none() {
            response.set_refresh_token(Some(refresh));
        }
        *tokens = Tokens::of(response);
    }
    Ok(tokens.response.access_token().secret().clone())
}

/// Ends our session, and then asks the provider to end its own (OpenID Connect RP-Initiated Logout).
async fn sign_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Redirect, Failure> {
    let Some(Session::SignedIn(person)) = app.sessions.end(&headers) else {
        return Err(Failure::SignedOut);
    };
    let (_, metadata) = app.provider.discover().await?;
    let Some(endpoint) = metadata.additional_metadata().end_session_endpoint.clone() else {
        return Err(Failure::SignedOut);
    };
    let mut request = LogoutRequest::from(endpoint)
        .set_client_id(app.provider.client_id.clone())
        .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(format!("{}/", app.own_url))?);
    if let Some(id_token) = person.tokens.lock().await.response.id_token() {
        request = request.set_id_token_hint(id_token);
    }
    Ok(Redirect::to(request.http_get_url().as_str()))
}

/// How long signing in may take.
const PATIENCE: Duration = Duration::from_secs(600);
