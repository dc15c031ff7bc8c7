//! `gateway admin clients`: sql/store/functions/clients.sql.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use tokio_postgres::types::Json;

use super::{Admin, input::document};
use crate::failure::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Lists all clients
    List,
    /// Registers a client; prints its client_id and, once, its client_secret
    Create(Metadata),
    /// Shows what is registered
    Show {
        /// The client
        client_id: String,
    },
    /// Changes what is registered; what is not named stays
    Update {
        /// The client
        client_id: String,
        #[command(flatten)]
        metadata: Metadata,
    },
    /// Makes a new secret and prints it once; the old one stays good for a while
    RotateSecret {
        /// The client
        client_id: String,
        /// How long the old secret stays good, as a PostgreSQL interval
        #[arg(long, default_value = "1 day", value_name = "INTERVAL")]
        overlap: String,
    },
    /// Deletes a client; its tokens and grants end
    Delete {
        /// The client
        client_id: String,
    },
}

/// RFC 7591 metadata: the members that are often needed as options, all of them as a file.
#[derive(Args)]
pub struct Metadata {
    /// JSON file with RFC 7591 metadata; - is standard input. Options below win
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,
    /// client_name: what people see
    #[arg(long)]
    name: Option<String>,
    /// A redirect URI; may be repeated
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// A URI to return to after logout; may be repeated
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// A grant type; may be repeated
    #[arg(long = "grant-type", value_name = "TYPE")]
    grant_types: Vec<String>,
    /// Scopes that it may ask for, separated by spaces
    #[arg(long)]
    scope: Option<String>,
    /// web or native
    #[arg(long, value_name = "TYPE")]
    application_type: Option<String>,
    /// It has no secret: an application on people's devices
    #[arg(long)]
    public: bool,
    /// It is ours: people are not asked for consent
    #[arg(long)]
    first_party: bool,
}

pub async fn run(admin: &Admin, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => {
            let clients = admin.ask("select coalesce(json_agg(c), '[]') from identity.client_list() c", &[]).await?;
            admin.print_rows(
                &clients,
                &["client_id", "client_name", "token_endpoint_auth_method", "grant_types", "redirect_uris"],
            );
        }
        Command::Create(metadata) => {
            let client = admin.ask("select identity.client_create($1)", &[&metadata.read()?]).await?;
            admin.print_object(&client);
        }
        Command::Show { client_id } => {
            let client = admin.ask("select identity.client_read($1)", &[&client_id]).await?;
            admin.print_object(&client);
        }
        Command::Update { client_id, metadata } => {
            let client = admin.ask("select identity.client_update($1, $2)", &[&client_id, &metadata.read()?]).await?;
            admin.print_object(&client);
        }
        Command::RotateSecret { client_id, overlap } => {
            let sql = "select identity.client_rotate_secret($1, $2::text::interval)";
            let client = admin.ask(sql, &[&client_id, &overlap]).await?;
            admin.print_object(&client);
        }
        Command::Delete { client_id } => {
            admin.order("select identity.client_delete($1)", &[&client_id]).await?;
            admin.print_done("deleted");
        }
    }
    Ok(())
}

impl Metadata {
    fn read(self) -> Result<Json<Map<String, Value>>, Failure> {
        let mut metadata = self.metadata.as_deref().map(document).transpose()?.unwrap_or_default();
        let mut set = |member: &str, value: Option<Value>| {
            if let Some(value) = value {
                metadata.insert(member.to_owned(), value);
            }
        };
        let list = |values: Vec<String>| (!values.is_empty()).then(|| Value::from(values));
        set("client_name", self.name.map(Value::from));
        set("redirect_uris", list(self.redirect_uris));
        set("post_logout_redirect_uris", list(self.post_logout_redirect_uris));
        set("grant_types", list(self.grant_types));
        set("scope", self.scope.map(Value::from));
        set("application_type", self.application_type.map(Value::from));
        set("token_endpoint_auth_method", self.public.then(|| Value::from("none")));
        set("first_party", self.first_party.then_some(Value::from(true)));
        Ok(Json(metadata))
    }
}
