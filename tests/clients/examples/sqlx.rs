// sqlx: a transaction that begins with the token. (Not run by the tests.)

use sqlx::{PgPool, Postgres, Transaction};

async fn signed_in<'pool>(pool: &'pool PgPool, token: &str) -> sqlx::Result<Transaction<'pool, Postgres>> {
    let mut transaction = pool.begin().await?;
    sqlx::query("select identity.authenticate($1)").bind(token).execute(&mut *transaction).await?;
    Ok(transaction)
}

async fn notes_of(pool: &PgPool, token: &str) -> sqlx::Result<Vec<String>> {
    let mut transaction = signed_in(pool, token).await?;
    let notes = sqlx::query_scalar("select body from notes order by body").fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(notes)
}
