//! `gateway admin sessions`: sql/store/functions/sessions.sql. A person's sessions are listed by `users sessions`.

use clap::Subcommand;
use uuid::Uuid;

use super::Admin;
use crate::failure::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Ends a browser session and what was issued in it; `users sessions` lists those of a person
    Revoke {
        /// The session
        session_id: Uuid,
    },
}

pub async fn run(admin: &Admin, command: Command) -> Result<(), Failure> {
    match command {
        Command::Revoke { session_id } => {
            admin.order("select identity.session_revoke($1)", &[&session_id]).await?;
            admin.print_done("revoked");
        }
    }
    Ok(())
}
