//! `gateway admin keys`: sql/extension/keys.sql.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Admin, output};
use crate::failure::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Lists all keys: next is published, current signs, retired verifies what it signed, revoked verifies nothing
    List,
    /// Makes a signing key and prints its kid
    Create {
        /// ES256, RS256, PS256 or EdDSA
        #[arg(long, default_value = "ES256")]
        algorithm: String,
    },
    /// Moves every key on that is due: next becomes current, current retires, a new next one is made
    Rotate,
    /// Ends a compromised key at once: nothing that it signed is accepted any more
    Revoke {
        /// The key; one in sixty-four begins with a hyphen
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
    /// Seals every key anew under the first key of the master key file
    Rewrap,
}

pub async fn run(admin: &Admin, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => {
            let sql = "select coalesce(json_agg(k), '[]') from identity.signing_key_list() k";
            let keys = admin.ask(sql, &[]).await?;
            admin.print_rows(
                &keys,
                &["kid", "algorithm", "state", "created_at", "activated_at", "retired_at", "revoked_at"],
            );
        }
        Command::Create { algorithm } => {
            let kid = admin.ask("select to_json(identity.create_signing_key($1))", &[&algorithm]).await?;
            admin.print_object(&if admin.json { json!({ "kid": kid }) } else { kid });
        }
        Command::Rotate => {
            let sql = "select coalesce(json_agg(k), '[]') from identity.rotate_signing_keys() k";
            let keys = admin.ask(sql, &[]).await?;
            admin.print_rows(&keys, &["algorithm", "kid", "state", "rotated"]);
            for reason in keys.as_array().into_iter().flatten().filter_map(not_due) {
                admin.print_done(&reason);
            }
        }
        Command::Revoke { kid } => {
            admin.order("select identity.revoke_signing_key($1)", &[&kid]).await?;
            admin.print_done("revoked");
        }
        Command::Rewrap => {
            let count = admin.ask("select to_json(identity.rewrap_keys())", &[]).await?;
            if admin.json {
                admin.print_object(&json!({ "rewrapped": count }));
            } else {
                admin.print_done(&format!("sealed anew: {count}"));
            }
        }
    }
    Ok(())
}

/// Why a next key did not become current. It is published before it signs, because clients keep the key set for a while.
fn not_due(key: &Value) -> Option<String> {
    if key.get("state")? != "next" || key.get("rotated")? != false {
        return None;
    }
    let algorithm = key.get("algorithm")?.as_str()?;
    let due = output::time(key.get("due_at")?);
    Some(format!("{algorithm}: nothing was due; the next key is not published long enough to sign before {due}"))
}
