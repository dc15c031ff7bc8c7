//! RFC 6749 §4.4: a token for the client itself, without a person.

use crate::web::client_credentials::ClientCredentials;
use crate::web::database::{Call, Pool};
use crate::web::form::Parameters;
use crate::web::outcome::Reply;
use crate::web::state::AppState;

/// Writes its audit row, without waiting for the flush: nothing stands on it.
pub static CALL: Call = Call {
    pool: Pool::Unflushed,
    sql: "select outcome, detail, answer from identity.token_client_credentials($1, $2, $3, $4, $5)",
};

/// Issues the token.
pub async fn answer(state: &AppState, client: &ClientCredentials, form: &Parameters) -> Result<Reply, Reply> {
    let scope = form.one("scope")?;
    let resources = super::resources(form);
    let method = client.method().name();
    Ok(state.db.call(&CALL, &[&client.id(), &client.secret(), &method, &scope, &resources]).await.into())
}
