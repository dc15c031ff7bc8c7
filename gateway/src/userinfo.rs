//! `/userinfo` (OpenID Connect Core §5.3): claims about the person, for a token that covers them. The token comes as
//! RFC 6750 §2.1 (header) or §2.2 (form body) says; never in the URL (RFC 9700 §4.3.2).

use axum::Router;
use axum::extract::{FromRequest, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::web::bearer;
use crate::web::database::{Call, Pool};
use crate::web::documents::{self, Errand};
use crate::web::form::{self, Form};
use crate::web::outcome::{Outcome, Reply};
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
        Ok(None) => return bearer::nobody(&state, "an access token is needed"),
        Err(refusal) => refusal,
    };
    let challenge = bearer::challenge(&state, &reply);
    let mut response = reply.into_response();
    if let Some(challenge) = challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The one token of a request. RFC 6750 §2: "Clients MUST NOT use more than one method to transmit the token in each
/// request", §3.1: which is `invalid_request`.
async fn token(request: Request) -> Result<Option<String>, Reply> {
    let mut in_header = bearer::in_header(request.headers())?;
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
