//! RFC 6749 §4.1.3 with PKCE (RFC 7636 §4.5): a code for tokens.

use crate::web::client_credentials::ClientCredentials;
use crate::web::database::{Call, Pool};
use crate::web::form::Parameters;
use crate::web::outcome::Reply;
use crate::web::state::AppState;

/// What it reads.
pub const PARAMETERS: &[(&str, &str)] = &[
    ("code", "RFC 6749 §4.1.3."),
    ("redirect_uri", "That of the authorization request."),
    ("code_verifier", "RFC 7636 §4.5."),
];

/// Its statements.
pub static CALLS: &[&Call] = &[&CALL];

/// Durable: a code that was consumed must stay consumed.
static CALL: Call = Call {
    pool: Pool::Writes,
    sql: "select outcome, detail, answer from identity.token_authorization_code($1, $2, $3, $4, $5, $6, $7, $8)",
};

/// Redeems the code.
pub async fn answer(state: &AppState, client: &ClientCredentials, form: &Parameters) -> Result<Reply, Reply> {
    let code = form.one("code")?;
    let redirect_uri = form.one("redirect_uri")?;
    let code_verifier = form.one("code_verifier")?;
    let resources = super::resources(form);
    let method = client.method().name();
    Ok(state
        .db
        .call(
            &CALL,
            &[
                &client.id(),
                &client.secret(),
                &method,
                &code,
                &redirect_uri,
                &code_verifier,
                &resources,
                &client.certificate(),
            ],
        )
        .await
        .into())
}
