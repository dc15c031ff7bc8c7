//! `/userinfo` (OpenID Connect Core §5.3): claims about the person, for a token that covers them. The token comes as
//! RFC 6750 §2.1 (header) or §2.2 (form body) says; never in the URL (RFC 9700 §4.3.2).

use axum::Router;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::web::database::{Call, Pool};
use crate::web::documents::{self, Errand};
use crate::web::form::{self, Form};
use crate::web::outcome::{Outcome, Refusal, Reply};
use crate::web::state::AppState;

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new().route("/userinfo", get(userinfo).post(userinfo))
}

/// The statements of this feature.
pub static CALLS: &[&Call] = &[&CALL];

static CALL: Call = Call { pool: Pool::Reads, sql: "select outcome, detail, answer from identity.userinfo_read($1)" };

async fn userinfo(State(state): State<AppState>, request: Request) -> Response {
    let reply = match token(request).await {
        Ok(Some(token)) => {
            let mut errand = Errand::new(&state);
            let mut reply = state.db.call(&CALL, &[&token]).await.into();
            while errand.brought(&reply).await {
                reply = state.db.call(&CALL, &[&token]).await.into();
            }
            documents::settled(reply)
        }
        Ok(None) => return nobody(&state),
        Err(refusal) => refusal,
    };
    let challenge = challenge(&state, &reply);
    let mut response = reply.into_response();
    if let Some(challenge) = challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The one token of a request. RFC 6750 §2: "Clients MUST NOT use more than one method to transmit the token in each
/// request", §3.1: which is `invalid_request`.
async fn token(request: Request) -> Result<Option<String>, Reply> {
    let mut in_header = in_header(request.headers())?;
    let in_body = if form::is_form(request.headers()) {
        let Form(form) = Form::from_request(request, &()).await?;
        form.one("access_token")?.map(str::to_owned)
    } else {
        None
    };
    match (in_header.take(), in_body) {
        (Some(_), Some(_)) => Err(Reply::refusal(Outcome::InvalidRequest, "the token is given twice")),
        (token, None) | (None, token) => Ok(token),
    }
}

/// A header of another scheme is no token, and not an error either: RFC 6750 §3.1 has none for it.
fn in_header(headers: &HeaderMap) -> Result<Option<String>, Reply> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(Reply::refusal(Outcome::InvalidRequest, "more than one Authorization header"));
    }
    let (scheme, token) =
        value.and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' ')).unwrap_or_default();
    Ok(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned()).filter(|token| !token.is_empty()))
}

/// RFC 6750 §3.1: "If the request lacks any authentication information … the resource server SHOULD NOT include an
/// error code or other error information."
fn nobody(state: &AppState) -> Response {
    let challenge = bearer(&[("realm", state.issuer.as_str())]);
    let body = Reply::refusal(Outcome::InvalidToken, "an access token is needed").into_response();
    ([(header::WWW_AUTHENTICATE, challenge)], body).into_response()
}

/// RFC 6750 §3: every refusal of a token carries a challenge that says why.
fn challenge(state: &AppState, reply: &Reply) -> Option<HeaderValue> {
    if !matches!(reply.outcome, Outcome::InvalidToken | Outcome::InsufficientScope | Outcome::InvalidRequest) {
        return None;
    }
    let refusal: Refusal = serde_json::from_str(&reply.body).ok()?;
    let mut attributes = vec![
        ("realm", state.issuer.as_str()),
        ("error", reply.outcome.label()),
        ("error_description", refusal.error_description.as_str()),
    ];
    if reply.outcome == Outcome::InsufficientScope {
        attributes.push(("scope", refusal.scope.as_deref().unwrap_or("openid")));
    }
    Some(bearer(&attributes))
}

fn bearer(attributes: &[(&str, &str)]) -> HeaderValue {
    let attributes: Vec<String> = attributes
        .iter()
        // RFC 6750 §3: these values "MUST NOT include characters outside the set %x20-21 / %x23-5B / %x5D-7E".
        .map(|(name, value)| (name, value.replace(|c: char| !matches!(c, ' '..='~') || matches!(c, '"' | '\\'), "'")))
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    let challenge = format!("Bearer {}", attributes.join(", "));
    HeaderValue::try_from(challenge).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
}
