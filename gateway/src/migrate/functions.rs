//! The functions of the store: all replaced in one transaction, so that a request meets either the old ones or the new
//! ones. What is in no file any more is dropped, but only if this command made it, and never with what depends on it.

use std::collections::BTreeMap;

use tokio_postgres::{Client, Transaction};

use super::scripts::{FUNCTIONS, store_version};
use crate::failure::Failure;

/// Replaces, checks, drops, records. Returns how many functions there are.
pub async fn replace(client: &mut Client) -> Result<usize, Failure> {
    let transaction = client.transaction().await?;
    // Bodies may name functions of files that come later; they are checked when all are there.
    transaction.batch_execute("set local check_function_bodies = off").await?;
    let mut made = BTreeMap::new();
    for script in FUNCTIONS {
        transaction.batch_execute(script.sql).await.map_err(|error| Failure::from(error).during(script.name))?;
        for row in transaction.query(TOUCHED, &[]).await? {
            made.entry(row.try_get::<_, String>(0)?).or_insert(script.name);
        }
    }
    check_bodies(&transaction, &made).await?;
    drop_disappeared(&transaction, &made).await?;
    for (signature, file) in &made {
        transaction
            .execute(
                "insert into identity_store.functions (signature, file) values ($1, $2)
                 on conflict (signature) do update set file = excluded.file where functions.file <> excluded.file",
                &[signature, file],
            )
            .await?;
    }
    transaction
        .execute(
            "insert into identity_store.store (version) values ($1)
             on conflict (store) do update set version = excluded.version, migrated_at = now() where store.version <> excluded.version",
            &[&store_version()],
        )
        .await?;
    transaction.commit().await?;
    Ok(made.len())
}

/// PostgreSQL's own validators, which `check_function_bodies` postponed: a misspelt column is found now, not by a person
/// who signs in.
async fn check_bodies(transaction: &Transaction<'_>, made: &BTreeMap<String, &str>) -> Result<(), Failure> {
    transaction.batch_execute("set local check_function_bodies = on").await?;
    for (signature, file) in made {
        transaction
            .execute(VALIDATE, &[signature])
            .await
            .map_err(|error| Failure::from(error).during(signature).during(file))?;
    }
    Ok(())
}

async fn drop_disappeared(transaction: &Transaction<'_>, made: &BTreeMap<String, &str>) -> Result<(), Failure> {
    let signatures: Vec<&String> = made.keys().collect();
    let gone = "delete from identity_store.functions where signature <> all ($1) returning signature";
    for row in transaction.query(gone, &[&signatures]).await? {
        let signature: String = row.try_get(0)?;
        println!("dropping {signature}");
        transaction
            .batch_execute(&format!("drop function if exists {signature}"))
            .await
            .map_err(|error| Failure::from(error).during(format!("dropping {signature}")))?;
    }
    Ok(())
}

/// The functions that this transaction has made or replaced: their rows bear its id.
const TOUCHED: &str = "
  select p.oid::regprocedure::text
  from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace
  where n.nspname in ('identity', 'identity_store')
    and p.xmin = pg_current_xact_id()::xid";

const VALIDATE: &str = "
  select case l.lanname
    when 'sql' then fmgr_sql_validator(p.oid)::text
    when 'plpgsql' then plpgsql_validator(p.oid)::text
  end
  from pg_proc p
  join pg_language l on l.oid = p.prolang
  where p.oid = to_regprocedure($1)";
