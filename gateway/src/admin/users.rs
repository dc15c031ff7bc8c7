//! `gateway admin users`: sql/store/functions/users*.sql.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::{
    Admin,
    input::{PasswordSource, document},
};
use crate::failure::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Lists people by user name
    List {
        /// Beginning of a user name or verified address
        #[arg(long)]
        search: Option<String>,
        /// Greatest number of rows
        #[arg(long, default_value_t = 100)]
        max_rows: i32,
    },
    /// Creates a person and prints the user id
    Create(Box<Create>),
    /// Shows all of a person
    Show(Person),
    /// Changes the profile; what is not named stays
    Update {
        #[command(flatten)]
        person: Person,
        /// JSON merge patch (RFC 7396) of the profile, null removes a member; - is standard input
        #[arg(long, value_name = "FILE")]
        profile: PathBuf,
    },
    /// Refuses the person's logins and tokens until enabled again
    Disable(Person),
    /// Lets a disabled person in again
    Enable(Person),
    /// Deletes a person for good; the user id is never given to anybody else
    Delete(Person),
    /// Sets a password
    SetPassword {
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Sets the roles of a person, all of them
    SetRoles {
        #[command(flatten)]
        person: Person,
        /// The roles; none takes all away
        roles: Vec<String>,
    },
    /// Lists the browser sessions of a person
    Sessions(Person),
}

#[derive(Args)]
pub struct Person {
    /// User id, user name or verified e-mail address
    user: String,
}

#[derive(Args)]
pub struct Create {
    /// User name
    #[arg(long)]
    username: Option<String>,
    /// Full name
    #[arg(long)]
    name: Option<String>,
    /// E-mail address
    #[arg(long)]
    email: Option<String>,
    /// The address is known to be the person's
    #[arg(long, requires = "email")]
    email_verified: bool,
    /// A role; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// JSON file with the whole profile (OpenID Connect standard claims); - is standard input
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// The person gets no password
    #[arg(long, conflicts_with = "password_file")]
    no_password: bool,
    #[command(flatten)]
    password: PasswordSource,
}

pub async fn run(admin: &Admin, command: Command) -> Result<(), Failure> {
    match command {
        Command::List { search, max_rows } => {
            let sql = "select coalesce(json_agg(u), '[]') from identity.user_list($1, $2) u";
            let users = admin.ask(sql, &[&search, &max_rows]).await?;
            admin.print_rows(
                &users,
                &["user_id", "username", "name", "email", "email_verified", "roles", "state", "created_at"],
            );
        }
        Command::Create(create) => create_user(admin, *create).await?,
        Command::Show(person) => {
            // user_list has a date here.
            let sql = "select jsonb_set(u, '{created_at}', to_jsonb(to_timestamp((u ->> 'created_at')::bigint))) \
                       from identity.user_read($1) u";
            let user = admin.ask(sql, &[&person.id(admin).await?]).await?;
            admin.print_object(&user);
        }
        Command::Update { person, profile } => {
            let patch = Json(Value::Object(document(&profile)?));
            admin.order("select identity.user_update($1, $2)", &[&person.id(admin).await?, &patch]).await?;
            admin.print_done("updated");
        }
        Command::Disable(person) => {
            admin.order("select identity.user_disable($1)", &[&person.id(admin).await?]).await?;
            admin.print_done("disabled");
        }
        Command::Enable(person) => {
            admin.order("select identity.user_enable($1)", &[&person.id(admin).await?]).await?;
            admin.print_done("enabled");
        }
        Command::Delete(person) => {
            admin.order("select identity.user_delete($1)", &[&person.id(admin).await?]).await?;
            admin.print_done("deleted");
        }
        Command::SetPassword { person, password } => {
            let user = person.id(admin).await?;
            let password = password.read()?;
            admin.order("select identity.user_set_password($1, $2)", &[&user, &password.expose_secret()]).await?;
            admin.print_done("password set");
        }
        Command::SetRoles { person, roles } => {
            admin.order("select identity.user_set_roles($1, $2)", &[&person.id(admin).await?, &roles]).await?;
            admin.print_done("roles set");
        }
        Command::Sessions(person) => {
            let sql = "select coalesce(json_agg(s), '[]') from identity.user_sessions($1) s";
            let sessions = admin.ask(sql, &[&person.id(admin).await?]).await?;
            admin.print_rows(
                &sessions,
                &["session_id", "started_at", "last_seen_at", "expires_at", "source", "user_agent"],
            );
        }
    }
    Ok(())
}

async fn create_user(admin: &Admin, create: Create) -> Result<(), Failure> {
    let mut profile = create.profile.as_deref().map(document).transpose()?.unwrap_or_default();
    let mut set = |member: &str, value: Option<Value>| {
        if let Some(value) = value {
            profile.insert(member.to_owned(), value);
        }
    };
    set("preferred_username", create.username.map(Value::from));
    set("name", create.name.map(Value::from));
    set("email", create.email.map(Value::from));
    set("email_verified", create.email_verified.then_some(Value::from(true)));
    set("roles", (!create.roles.is_empty()).then(|| Value::from(create.roles)));
    // Nobody types a password, twice, to hear of this afterwards.
    if profile.get("preferred_username").is_none_or(Value::is_null) {
        return Err(Failure::new("the user name is missing")
            .hint("give --username, or preferred_username in the file of --profile"));
    }
    let password = if create.no_password { None } else { Some(create.password.read()?) };
    let password = password.as_ref().map(SecretString::expose_secret);
    let id =
        admin.ask("select to_json(identity.user_create($1, $2))", &[&Json(Value::Object(profile)), &password]).await?;
    if admin.json {
        admin.print_object(&json!({ "user_id": id }));
    } else {
        admin.print_object(&id);
    }
    Ok(())
}

impl Person {
    async fn id(&self, admin: &Admin) -> Result<Uuid, Failure> {
        if let Ok(id) = self.user.parse() {
            return Ok(id);
        }
        let row = admin.client.query_one("select identity.user_find($1)", &[&self.user]).await?;
        row.try_get::<_, Option<Uuid>>(0)?.ok_or_else(|| Failure::new(format!("there is no user {}", self.user)))
    }
}
