//! `gateway admin registration`: sql/store/functions/registration*.sql.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::{Admin, input::document};
use crate::failure::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Shows who may register clients
    Show,
    /// Says who may register clients; what is not named stays
    Configure(Configure),
    /// Lists the clients that registered themselves, the newest first
    List {
        /// Greatest number of rows
        #[arg(long, default_value_t = 100)]
        max_rows: i32,
    },
    /// Gives a client another registration access token and prints it once; the old one is worth nothing any more
    RotateToken {
        /// The client
        client_id: String,
    },
    /// Initial access tokens
    #[command(subcommand)]
    Tokens(Tokens),
    /// Whose software statements are believed
    #[command(subcommand)]
    Issuers(Issuers),
}

#[derive(Args)]
pub struct Configure {
    /// Who may register
    policy: Policy,
    /// A grant type that they may register for; may be repeated
    #[arg(long = "grant-type", value_name = "TYPE")]
    grant_types: Vec<String>,
    /// Scopes that they may register for, separated by spaces; empty is every one
    #[arg(long)]
    scope: Option<String>,
    /// optional or required
    #[arg(long, value_name = "WHETHER")]
    software_statement: Option<String>,
    /// How many clients one network may register openly or change in an hour, and have unused
    #[arg(long, value_name = "NUMBER")]
    source_quota: Option<i32>,
    /// How many open registrations may stand unused in all
    #[arg(long, value_name = "NUMBER")]
    unused_limit: Option<i32>,
    /// When unused ones are deleted, as a PostgreSQL interval
    #[arg(long, value_name = "INTERVAL")]
    unused_lifetime: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Policy {
    /// Whoever asks
    Open,
    /// Who shows an initial access token
    Token,
    /// Nobody
    Closed,
}

#[derive(Subcommand)]
pub enum Tokens {
    /// Lists all, also those that are spent, expired or revoked
    List,
    /// Mints one and prints it once
    Create {
        /// For whom it is
        description: String,
        /// How long it is good, as a PostgreSQL interval
        #[arg(long, default_value = "7 days", value_name = "INTERVAL")]
        lifetime: String,
        /// How many clients may be registered with it
        #[arg(long, default_value_t = 1, value_name = "NUMBER")]
        max_uses: i32,
    },
    /// Takes one back; clients registered with it stay
    Revoke {
        /// Its id
        id: Uuid,
    },
}

#[derive(Subcommand)]
pub enum Issuers {
    /// Lists all
    List,
    /// Believes an issuer, or replaces its keys
    Trust {
        /// The claim iss of its statements
        issuer: String,
        /// JSON Web Key Set with its public keys; - is standard input
        #[arg(long, value_name = "FILE")]
        jwks: PathBuf,
    },
    /// Believes an issuer no more; clients registered with its statements stay
    Distrust {
        /// The claim iss of its statements
        issuer: String,
    },
}

pub async fn run(admin: &Admin, command: Command) -> Result<(), Failure> {
    match command {
        Command::Show => {
            let policy = admin.ask("select identity.registration_policy()", &[]).await?;
            admin.print_object(&policy);
        }
        Command::Configure(configure) => configured(admin, configure).await?,
        Command::List { max_rows } => {
            let sql = "select coalesce(json_agg(r), '[]') from identity.registration_list($1) r";
            let clients = admin.ask(sql, &[&max_rows]).await?;
            let columns = ["client_id", "client_name", "open", "shared", "registered_at", "renewed_at", "used_at"];
            admin.print_rows(&clients, &columns);
        }
        Command::RotateToken { client_id } => {
            let token = admin.ask("select identity.registration_rotate_token($1)", &[&client_id]).await?;
            admin.print_object(&token);
        }
        Command::Tokens(command) => tokens(admin, command).await?,
        Command::Issuers(command) => issuers(admin, command).await?,
    }
    Ok(())
}

async fn configured(admin: &Admin, configure: Configure) -> Result<(), Failure> {
    let policy = match configure.policy {
        Policy::Open => "open",
        Policy::Token => "token",
        Policy::Closed => "closed",
    };
    let grant_types = (!configure.grant_types.is_empty()).then_some(configure.grant_types);
    let sql = "select identity.registration_configure($1, $2, $3, $4, $5, $6, $7::text::interval)";
    let policy = admin
        .ask(
            sql,
            &[
                &policy,
                &grant_types,
                &configure.scope,
                &configure.software_statement,
                &configure.source_quota,
                &configure.unused_limit,
                &configure.unused_lifetime,
            ],
        )
        .await?;
    admin.print_object(&policy);
    Ok(())
}

async fn tokens(admin: &Admin, command: Tokens) -> Result<(), Failure> {
    match command {
        Tokens::List => {
            let sql = "select coalesce(json_agg(t), '[]') from identity.registration_token_list() t";
            let tokens = admin.ask(sql, &[]).await?;
            let columns = ["id", "description", "uses", "max_uses", "created_at", "expires_at", "revoked_at"];
            admin.print_rows(&tokens, &columns);
        }
        Tokens::Create { description, lifetime, max_uses } => {
            let sql = "select identity.registration_token_create($1, $2::text::interval, $3)";
            let token = admin.ask(sql, &[&description, &lifetime, &max_uses]).await?;
            admin.print_object(&token);
        }
        Tokens::Revoke { id } => {
            admin.order("select identity.registration_token_revoke($1)", &[&id]).await?;
            admin.print_done("revoked");
        }
    }
    Ok(())
}

async fn issuers(admin: &Admin, command: Issuers) -> Result<(), Failure> {
    match command {
        Issuers::List => {
            let sql = "select coalesce(json_agg(i), '[]') from identity.registration_issuer_list() i";
            let issuers = admin.ask(sql, &[]).await?;
            admin.print_rows(&issuers, &["issuer", "keys", "created_at"]);
        }
        Issuers::Trust { issuer, jwks } => {
            let jwks = Json(Value::Object(document(&jwks)?));
            admin.order("select identity.registration_issuer_trust($1, $2)", &[&issuer, &jwks]).await?;
            admin.print_done("trusted");
        }
        Issuers::Distrust { issuer } => {
            admin.order("select identity.registration_issuer_distrust($1)", &[&issuer]).await?;
            admin.print_done("distrusted");
        }
    }
    Ok(())
}
