//! `gateway migrate`: brings the store of a database to this gateway's version. It can be run at any time and as often as
//! one likes; two at once wait for each other.

mod functions;
mod scripts;

use tokio_postgres::Client;

use self::scripts::{BOOTSTRAP, MIGRATIONS, Script};
use crate::{
    config::DatabaseUrl,
    failure::Failure,
    web::database::connect::{Limits, Target},
};

use self::scripts::store_version;

/// The command. Prints a line for each thing done.
pub async fn run(url: &DatabaseUrl) -> Result<(), Failure> {
    let target = Target::new("migrate.url", url, "gateway migrate")?.limited(LIMITS);
    let (mut client, _connection) =
        target.connect().await.map_err(|error| Failure::from(error).during("migrate.url"))?;
    become_owner(&client).await?;
    fits(&client).await?;
    one_at_a_time(&client).await?;
    // "already exists, skipping" is not worth a line.
    client.batch_execute("set client_min_messages = warning").await?;
    client.batch_execute(BOOTSTRAP).await.map_err(|error| Failure::from(error).during("bootstrap.sql"))?;
    let applied = migrations(&mut client).await?;
    let changed = functions::replace(&mut client).await?;
    // Partitions of today, before anybody writes: a row on its way to the default partition fails when the right one is
    // attached at that moment.
    client
        .execute("select from identity.maintenance_run()", &[])
        .await
        .map_err(|error| Failure::from(error).during("maintenance_run"))?;
    println!("store {}: {applied} migrations applied, {changed} functions in place", store_version());
    Ok(())
}

/// Everything belongs to identity_owner, whoever logs in.
async fn become_owner(client: &Client) -> Result<(), Failure> {
    let row = client
        .query_one(
            "select session_user::text, (select pg_has_role(session_user, r.oid, 'member') from pg_roles r where r.rolname = 'identity_owner')",
            &[],
        )
        .await?;
    let role: String = row.try_get(0)?;
    match row.try_get(1)? {
        Some(true) => {
            Ok(client.batch_execute("set role identity_owner; set search_path = pg_catalog, pg_temp").await?)
        }
        Some(false) => Err(Failure::new(format!("role {role} is not a member of identity_owner"))
            .hint(format!("as a superuser: grant identity_owner to {role}"))),
        None => Err(Failure::new("role identity_owner does not exist")
            .hint("as a superuser, in this database: create extension pg_identity")),
    }
}

/// The library that is loaded and the SQL that is installed must be of one build; the store stands on both.
async fn fits(client: &Client) -> Result<(), Failure> {
    let there: bool =
        client.query_one("select to_regprocedure('identity.build()') is not null", &[]).await?.try_get(0)?;
    if !there {
        return Err(
            Failure::new("the extension is not in this database").hint("as a superuser: create extension pg_identity")
        );
    }
    let row = client.query_one("select identity.build(), identity.installed_build()", &[]).await?;
    let (library, installed): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    if library == installed {
        return Ok(());
    }
    Err(Failure::new(format!("the extension's library is of build {library}, its SQL in this database of build {installed}"))
        .hint("as a superuser: alter extension pg_identity update; if that changes nothing, install the library that fits and restart PostgreSQL"))
}

/// A session lock, because each migration is a transaction of its own; it goes with the connection.
async fn one_at_a_time(client: &Client) -> Result<(), Failure> {
    let free: bool = client.query_one("select pg_try_advisory_lock($1)", &[&LOCK]).await?.try_get(0)?;
    if !free {
        println!("waiting for another gateway migrate");
        client.batch_execute("set lock_timeout = 0").await?;
        client.execute("select pg_advisory_lock($1)", &[&LOCK]).await?;
        client.batch_execute("reset lock_timeout").await?;
    }
    Ok(())
}

async fn migrations(client: &mut Client) -> Result<usize, Failure> {
    let recorded: Vec<(i32, String, String)> = client
        .query("select version, name, checksum from identity_store.migrations order by version", &[])
        .await?
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
        .collect::<Result<_, tokio_postgres::Error>>()?;
    compare(MIGRATIONS, &recorded)?;
    let pending = MIGRATIONS.get(recorded.len()..).unwrap_or_default();
    for script in pending {
        println!("applying {}", script.name);
        apply(client, script).await.map_err(|failure| failure.during(format!("migration {}", script.name)))?;
    }
    Ok(pending.len())
}

async fn apply(client: &mut Client, script: &Script) -> Result<(), Failure> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(script.sql).await?;
    transaction
        .execute(
            "insert into identity_store.migrations (version, name, checksum) values ($1, $2, $3)",
            &[&script.version()?, &script.name, &script.checksum()],
        )
        .await?;
    Ok(transaction.commit().await?)
}

/// What was applied must be the beginning of what this gateway knows, unchanged.
fn compare(known: &[Script], recorded: &[(i32, String, String)]) -> Result<(), Failure> {
    for (expected, script) in (1..).zip(known) {
        if script.version()? != expected {
            return Err(Failure::new(format!(
                "migration {} should have number {expected}: numbers have no gaps",
                script.name
            )));
        }
    }
    for (expected, (version, name, checksum)) in (1..).zip(recorded) {
        if *version != expected {
            return Err(Failure::new(format!("migration {expected} is missing in this database, which has {name}"))
                .hint("restore identity_store.migrations from a backup: it was changed by hand"));
        }
        let Some(script) = usize::try_from(expected - 1).ok().and_then(|index| known.get(index)) else {
            return Err(Failure::new(format!(
                "the store of this database is newer than this gateway: it has migration {name}"
            ))
            .hint("use the gateway that migrated it, or a later one"));
        };
        if script.checksum() != *checksum {
            return Err(Failure::new(format!("migration {} was changed after it was applied", script.name)).hint(
                format!(
                    "applied migrations never change: put the change into a new file; applied {checksum}, now {}",
                    script.checksum()
                ),
            ));
        }
    }
    Ok(())
}

// A migration may read whole tables; one that has to wait for a lock makes everybody behind it wait too.
const LIMITS: Limits = Limits { statement: std::time::Duration::ZERO, lock: std::time::Duration::from_secs(10) };
/// "identity" in ASCII: the advisory lock of `migrate`.
const LOCK: i64 = 0x6964_656e_7469_7479;

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Script] = &[Script { name: "0001_a.sql", sql: "a" }, Script { name: "0002_b.sql", sql: "b" }];

    fn recorded(scripts: &[(i32, &Script)]) -> Vec<(i32, String, String)> {
        scripts.iter().map(|(version, script)| (*version, script.name.to_owned(), script.checksum())).collect()
    }

    #[test]
    fn a_beginning_is_accepted() {
        let [a, b] = KNOWN else { panic!() };
        assert!(compare(KNOWN, &[]).is_ok());
        assert!(compare(KNOWN, &recorded(&[(1, a)])).is_ok());
        assert!(compare(KNOWN, &recorded(&[(1, a), (2, b)])).is_ok());
    }

    #[test]
    fn a_changed_file_a_gap_and_a_newer_store_are_refused() {
        let [a, b] = KNOWN else { panic!() };
        let changed = Script { name: "0001_a.sql", sql: "other" };
        let newer = Script { name: "0003_c.sql", sql: "c" };
        let message = |scripts: &[(i32, &Script)]| compare(KNOWN, &recorded(scripts)).unwrap_err().to_string();
        assert!(message(&[(1, &changed)]).starts_with("migration 0001_a.sql was changed after it was applied"));
        assert!(message(&[(2, b)]).starts_with("migration 1 is missing"));
        assert!(message(&[(1, a), (2, b), (3, &newer)]).starts_with("the store of this database is newer"));
        assert!(compare(&[Script { name: "0002_b.sql", sql: "b" }], &[]).is_err());
    }

    #[test]
    fn the_files_that_are_built_in_have_no_gaps() {
        assert!(compare(MIGRATIONS, &[]).is_ok());
    }
}
