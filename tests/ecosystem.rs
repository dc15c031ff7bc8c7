//! What other people's software does, done exactly as it does it: PostgREST's statements, functions of Supabase, pg_session_jwt and pgjwt.

mod auth;
mod examples;
mod pgjwt;
mod postgrest;

use crate::support::Database;

/// Makes roles; they belong to the whole cluster, which other tests share.
async fn roles(db: &Database, statements: &[&str]) {
    let superuser = db.superuser().await;
    for statement in statements {
        let guarded = format!("do $$ begin {statement}; exception when duplicate_object then null; end $$");
        superuser.batch_execute(&guarded).await.unwrap();
    }
}
