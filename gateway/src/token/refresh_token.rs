//! RFC 6749 §6: a refresh token for fresh tokens.

use crate::web::client_credentials::ClientCredentials;
use crate::web::database::{Call, Pool};
use crate::web::form::Parameters;
use crate::web::outcome::Reply;
use crate::web::state::AppState;

/// What it reads.
pub const PARAMETERS: &[(&str, &str)] = &[("refresh_token", "RFC 6749 §6."), ("scope", "Less than was granted.")];

/// Its statements.
pub static CALLS: &[&Call] = &[&CALL];

/// Durable: a rotation that was answered must not be forgotten in a crash, or the client's next token looks stolen.
static CALL: Call = Call {
    pool: Pool::Writes,
    sql: "select outcome, detail, answer from identity.token_refresh_token($1, $2, $3, $4, $5, $6, $7)",
};

/// Refreshes.
pub async fn answer(state: &AppState, client: &ClientCredentials, form: &Parameters) -> Result<Reply, Reply> {
    let refresh_token = form.one("refresh_token")?;
    let scope = form.one("scope")?;
    let resources = super::resources(form);
    let method = client.method().name();
    Ok(state
        .db
        .call(
            &CALL,
            &[&client.id(), &client.secret(), &method, &refresh_token, &scope, &resources, &client.certificate()],
        )
        .await
        .into())
}
