//! `gateway admin`: the administration functions from a shell. Each command is one call of one SQL function; what it prints
//! is a table for people and, with `--json`, the function's answer for scripts.

mod clients;
mod input;
mod issuer;
mod keys;
mod output;
mod registration;
mod revoke_issued;
mod sessions;
mod users;

use clap::{Args, Subcommand};
use serde_json::Value;
use tokio_postgres::{
    Client,
    types::{Json, ToSql},
};

use crate::{
    config::DatabaseUrl,
    failure::Failure,
    web::database::connect::{Limits, Target},
};

/// What `gateway admin` is asked to do.
#[derive(Args)]
pub struct Arguments {
    /// Print JSON, for scripts
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// People
    #[command(subcommand)]
    Users(users::Command),
    /// OAuth clients
    #[command(subcommand)]
    Clients(clients::Command),
    /// Clients that register themselves
    #[command(subcommand)]
    Registration(registration::Command),
    /// Signing keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Browser sessions; `users sessions` lists those of a person
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Ends everything that was issued between two moments, for when somebody else has been the gateway
    RevokeIssued(revoke_issued::RevokeIssued),
    /// Says who this database is: issuer and audiences; makes what keys are missing
    Configure(issuer::Configure),
}

/// The command.
pub async fn run(url: &DatabaseUrl, arguments: Arguments) -> Result<(), Failure> {
    let target = Target::new("admin.url", url, "gateway admin")?.limited(LIMITS);
    let (client, _connection) = target.connect().await.map_err(|error| Failure::from(error).during("admin.url"))?;
    let admin = Admin { client, json: arguments.json };
    match arguments.command {
        Command::Users(command) => users::run(&admin, command).await,
        Command::Clients(command) => clients::run(&admin, command).await,
        Command::Registration(command) => registration::run(&admin, command).await,
        Command::Keys(command) => keys::run(&admin, command).await,
        Command::Sessions(command) => sessions::run(&admin, command).await,
        Command::RevokeIssued(asked) => revoke_issued::run(&admin, asked).await,
        Command::Configure(command) => issuer::run(&admin, command).await,
    }
}

/// A connection as administrator, and the form of what is printed.
struct Admin {
    client: Client,
    json: bool,
}

impl Admin {
    /// A statement whose one row has one column of type json or jsonb.
    async fn ask(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Value, Failure> {
        let row = self.client.query_one(sql, parameters).await?;
        Ok(row.try_get::<_, Option<Json<Value>>>(0)?.map_or(Value::Null, |Json(value)| value))
    }

    /// A function that returns nothing.
    async fn order(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<(), Failure> {
        self.client.execute(sql, parameters).await?;
        Ok(())
    }

    /// Many rows, as an array of objects.
    fn print_rows(&self, rows: &Value, columns: &[&str]) {
        if self.json { output::json(rows) } else { output::table(rows, columns) }
    }

    /// One object.
    fn print_object(&self, object: &Value) {
        if self.json { output::json(object) } else { output::object(object) }
    }

    /// That something was done: silence is enough for scripts.
    fn print_done(&self, text: &str) {
        if !self.json {
            println!("{text}");
        }
    }
}

const LIMITS: Limits =
    Limits { statement: std::time::Duration::from_secs(60), lock: std::time::Duration::from_secs(10) };
