//! A notes application that keeps no user ids: it signs people in with any OpenID Connect library, here the
//! `openidconnect` crate, and hands their access token to PostgreSQL, which decides what each of them sees.
//!
//! The place to look at first is [`as_person`]: BEGIN, `identity.authenticate($1)`, the query, COMMIT. No query of this
//! program says whose notes it wants. The table is made by `notes.sql` beside this file; `make run` starts both.
//!
//! ISSUER, DEMO_CLIENT_ID, APP_DATABASE_URL and APP_PORT come from the environment (`.run/env`).

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use deadpool_postgres::{Manager, Pool};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreTokenResponse};
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClientId, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl,
    ProviderMetadataWithLogout, RedirectUrl, RefreshToken, Scope, TokenResponse,
};
use serde::Deserialize;
use tokio_postgres::{Row, types::ToSql};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// An OpenID Connect client that knows its provider's endpoints.
type Client = CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

struct App {
    issuer: IssuerUrl,
    client_id: ClientId,
    own_url: String,
    http: Http,
    database: Pool,
    /// By cookie. In memory is enough for an example; tokens never reach the browser.
    sessions: Mutex<HashMap<String, Session>>,
}

enum Session {
    /// On the way to the provider and back: what the answer must match.
    SigningIn { state: CsrfToken, nonce: Nonce, verifier: PkceCodeVerifier, started: Instant },
    SignedIn(Arc<Person>),
}

struct Person {
    name: String,
    tokens: tokio::sync::Mutex<Tokens>,
}

struct Tokens {
    response: CoreTokenResponse,
    /// Asked for again a little early, so that the token does not expire on its way to the database.
    fresh_until: Instant,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let port: u16 = std::env::var("APP_PORT").unwrap_or_else(|_| "8081".to_owned()).parse()?;
    let database = std::env::var("APP_DATABASE_URL")?.parse()?;
    let app = Arc::new(App {
        issuer: IssuerUrl::new(std::env::var("ISSUER")?)?,
        client_id: ClientId::new(std::env::var("DEMO_CLIENT_ID")?),
        // An address, not "localhost": cookies ignore ports, and the provider's are at localhost.
        own_url: format!("http://127.0.0.1:{port}"),
        // Followed redirects would let a provider send our requests anywhere.
        http: Http(reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?),
        database: Pool::builder(Manager::new(database, tokio_postgres::NoTls)).max_size(8).build()?,
        sessions: Mutex::default(),
    });
    println!("notes: {}", app.own_url);
    let routes = axum::Router::new()
        .route("/", get(home))
        .route("/sign-in", get(sign_in))
        .route("/callback", get(callback))
        .route("/notes", post(add))
        .route("/notes/delete", post(delete))
        .route("/sign-out", post(sign_out))
        .with_state(app);
    axum::serve(tokio::net::TcpListener::bind(("127.0.0.1", port)).await?, routes).await?;
    Ok(())
}

// --- The database: nothing here knows who is asking, except the token. -----------------------------------------------

/// Runs a statement as the person the access token speaks for. `authenticate` verifies the token inside PostgreSQL; from
/// then on row-level security applies to them, until COMMIT takes the identity away again: the connection goes back to
/// the pool belonging to nobody.
async fn as_person(app: &App, person: &Person, statement: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Failure> {
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
    let Some(person) = signed_in(&app, &headers) else { return Ok(page(WELCOME)) };
    let notes = "select id::text, body, created_at::date::text from notes order by id desc";
    let mut list = String::new();
    for note in as_person(&app, &person, notes, &[]).await? {
        let (id, body, date): (&str, &str, &str) = (note.try_get(0)?, note.try_get(1)?, note.try_get(2)?);
        list += &LIST_ITEM.replace("{id}", id).replace("{date}", date).replace("{body}", &escape(body));
    }
    Ok(page(&NOTES.replace("{list}", &list).replace("{name}", &escape(&person.name))))
}

#[derive(Deserialize)]
struct NewNote {
    body: String,
}

async fn add(State(app): State<Arc<App>>, headers: HeaderMap, Form(note): Form<NewNote>) -> Result<Redirect, Failure> {
    let person = signed_in(&app, &headers).ok_or(Failure::SignedOut)?;
    // Whose note it is says the column's default, identity.user_id().
    as_person(&app, &person, "insert into notes (body) values ($1)", &[&note.body]).await?;
    Ok(Redirect::to("/"))
}

#[derive(Deserialize)]
struct OldNote {
    id: String,
}

async fn delete(State(app): State<Arc<App>>, headers: HeaderMap, Form(note): Form<OldNote>) -> Result<Redirect, Failure> {
    let person = signed_in(&app, &headers).ok_or(Failure::SignedOut)?;
    // Somebody else's id deletes nothing: under row-level security that note is not there.
    as_person(&app, &person, "delete from notes where id::text = $1", &[&note.id]).await?;
    Ok(Redirect::to("/"))
}

// --- Signing in: OpenID Connect, code flow with PKCE, state and nonce. -----------------------------------------------

async fn sign_in(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = provider(&app)
        .await?
        .0
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["profile", "offline_access"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    Ok((start(&app, Session::SigningIn { state, nonce, verifier, started: Instant::now() }), Redirect::to(url.as_str())).into_response())
}

#[derive(Deserialize)]
struct Answer {
    state: String,
    code: Option<String>,
    error: Option<String>,
}

async fn callback(State(app): State<Arc<App>>, headers: HeaderMap, Query(answer): Query<Answer>) -> Result<Response, Failure> {
    // Taken out of the map: an answer counts once, and only in the browser that asked.
    let Some(Session::SigningIn { state, nonce, verifier, .. }) = end(&app, &headers) else { return Err(Failure::SignedOut) };
    if *state.secret() != answer.state {
        return Err(Failure::SignedOut);
    }
    let Some(code) = answer.code else {
        return Ok(page(&REFUSED.replace("{error}", &escape(&answer.error.unwrap_or_default()))));
    };
    let (client, _) = provider(&app).await?;
    let response = client.exchange_code(AuthorizationCode::new(code))?.set_pkce_verifier(verifier).request_async(&app.http).await?;
    let claims = response.id_token().ok_or("the provider sent no ID token")?.claims(&client.id_token_verifier(), &nonce)?;
    let name = claims.name().and_then(|name| name.get(None)).map_or_else(|| claims.subject().to_string(), |name| name.to_string());
    let person = Person { name, tokens: Tokens::of(response).into() };
    // A new cookie: whoever planted the old one does not get in with it.
    Ok((start(&app, Session::SignedIn(person.into())), Redirect::to("/")).into_response())
}

/// The person's access token, refreshed when it is about to expire. Two requests of one person wait for one refresh.
async fn access_token(app: &App, person: &Person) -> Result<String, Failure> {
    let mut tokens = person.tokens.lock().await;
    if Instant::now() >= tokens.fresh_until {
        let refresh = RefreshToken::clone(tokens.response.refresh_token().ok_or(Failure::SignedOut)?);
        let (client, _) = provider(app).await?;
        let answer = client.exchange_refresh_token(&refresh)?.request_async(&app.http).await;
        // The provider's answer is "no" when the session was ended there: sign in again.
        let mut response = answer.inspect_err(|error| eprintln!("refresh: {error}")).map_err(|_| Failure::SignedOut)?;
        if response.refresh_token().is_none() {
            response.set_refresh_token(Some(refresh));
        }
        *tokens = Tokens::of(response);
    }
    Ok(tokens.response.access_token().secret().clone())
}

/// RP-initiated logout: ends our session, and then asks the provider to end its own.
async fn sign_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Redirect, Failure> {
    let Some(Session::SignedIn(person)) = end(&app, &headers) else { return Ok(Redirect::to("/")) };
    let (_, metadata) = provider(&app).await?;
    let Some(endpoint) = metadata.additional_metadata().end_session_endpoint.clone() else { return Ok(Redirect::to("/")) };
    let mut request = LogoutRequest::from(endpoint)
        .set_client_id(app.client_id.clone())
        .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(format!("{}/", app.own_url))?);
    if let Some(id_token) = person.tokens.lock().await.response.id_token() {
        request = request.set_id_token_hint(id_token);
    }
    Ok(Redirect::to(request.http_get_url().as_str()))
}

/// Discovery and keys, each time anew because keys rotate; a busy application keeps the answer for some minutes.
async fn provider(app: &App) -> Result<(Client, ProviderMetadataWithLogout), Error> {
    let metadata = ProviderMetadataWithLogout::discover_async(app.issuer.clone(), &app.http).await?;
    let client = CoreClient::from_provider_metadata(metadata.clone(), app.client_id.clone(), None)
        .set_redirect_uri(RedirectUrl::new(format!("{}/callback", app.own_url))?);
    Ok((client, metadata))
}

/// Lends an HTTP client of ours to the library.
struct Http(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = reqwest::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, reqwest::Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async {
            let answer = self.0.execute(request.try_into()?).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let mut response = HttpResponse::new(answer.bytes().await?.to_vec());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        })
    }
}

impl Tokens {
    fn of(response: CoreTokenResponse) -> Self {
        let lifetime = response.expires_in().unwrap_or_default();
        Self { response, fresh_until: Instant::now() + lifetime.saturating_sub(Duration::from_secs(10)) }
    }
}

// --- Sessions and pages ----------------------------------------------------------------------------------------------

/// SameSite=Lax: other sites can link here, but not post a form in a person's name.
fn start(app: &App, session: Session) -> AppendHeaders<[(header::HeaderName, String); 1]> {
    let cookie = CsrfToken::new_random_len(32).into_secret();
    let mut sessions = app.sessions.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.retain(|_, session| !matches!(session, Session::SigningIn { started, .. } if started.elapsed().as_secs() > 600));
    sessions.insert(cookie.clone(), session);
    AppendHeaders([(header::SET_COOKIE, format!("notes={cookie}; Path=/; HttpOnly; SameSite=Lax"))])
}

fn end(app: &App, headers: &HeaderMap) -> Option<Session> {
    app.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(cookie(headers)?)
}

fn signed_in(app: &App, headers: &HeaderMap) -> Option<Arc<Person>> {
    match app.sessions.lock().unwrap_or_else(PoisonError::into_inner).get(cookie(headers)?)? {
        Session::SignedIn(person) => Some(Arc::clone(person)),
        Session::SigningIn { .. } => None,
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split("; ")).find_map(|pair| pair.strip_prefix("notes="))
}

enum Failure {
    /// Nobody is signed in, or no longer: back to the start.
    SignedOut,
    Other(Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::SignedOut => ([(header::SET_COOKIE, "notes=; Path=/; Max-Age=0")], Redirect::to("/")).into_response(),
            Self::Other(error) => {
                eprintln!("notes: {error:?}");
                (StatusCode::BAD_GATEWAY, page(&REFUSED.replace("{error}", "please try again"))).into_response()
            }
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn page(content: &str) -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_SECURITY_POLICY, policy)];
    (headers, Html(include_str!("notes.html").replace("{content}", content))).into_response()
}

const WELCOME: &str = "<h1>Notes</h1><p>Everybody sees their own.</p>
<p><a class=button id=sign-in href=/sign-in>Sign in</a></p>";

const REFUSED: &str = "<h1>Not signed in</h1><p id=error>{error}</p><p><a class=button href=/>Back</a></p>";

const NOTES: &str = "<header><h1>Notes of <span id=name>{name}</span></h1>
<form method=post action=/sign-out><button class=quiet id=sign-out>Sign out</button></form></header>
<form class=add method=post action=/notes>
<input name=body id=body required maxlength=1000 placeholder='A new note' aria-label='A new note'>
<button id=add>Add</button></form><ul id=notes>{list}</ul>";

const LIST_ITEM: &str = "<li><p>{body}</p><form method=post action=/notes/delete><time>{date}</time>
<button class=quiet name=id value={id} aria-label='Delete this note'>Delete</button></form></li>";
