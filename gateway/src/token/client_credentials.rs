//! RFC 6749 §4.4: a token for the client itself, without a person.

use crate::web::client_credentials::{Calls, ClientCredentials};
use crate::web::database::{Call, Pool};
use crate::web::form::Parameters;
use crate::web::outcome::Reply;
use crate::web::state::AppState;

/// What it reads.
pub const PARAMETERS: &[(&str, &str)] = &[("scope", "Less than is registered.")];

/// Its statements.
pub static CALLS: &[&Call] = &[&CALL, &ASSERTED];

/// Writes its audit row, without waiting for the flush: nothing stands on it.
static CALL: Call = Call { pool: Pool::Unflushed, sql: SQL };

/// Spends an assertion.
static ASSERTED: Call = Call { pool: Pool::Writes, sql: SQL };

const SQL: &str = "select outcome, detail, answer from identity.token_client_credentials($1, $2, $3, $4, $5, $6)";

/// Issues the token.
pub async fn answer(state: &AppState, client: &ClientCredentials, form: &Parameters) -> Result<Reply, Reply> {
    let scope = form.one("scope")?;
    let resources = super::resources(form);
    let method = client.method().name();
    let call = client.call(&Calls { usual: &CALL, asserted: &ASSERTED });
    Ok(state
        .db
        .call(call, &[&client.id(), &client.secret(), &method, &scope, &resources, &client.certificate()])
        .await
        .into())
}
