//! What nobody honest sends: to every function that a role of ours executes (bad_input/sql.rs), to every endpoint
//! (bad_input/http.rs, forms.rs, bodies.rs, tokens.rs), and what is left of a person or a proof whose time is over (bad_input/lives.rs, ids.rs).

mod bodies;
mod forms;
mod http;
mod ids;
mod lives;
mod mangled;
mod sql;
mod stage;
mod tokens;
pub mod values;

use tokio_postgres::Client;

/// A digest of every row of the store and of the extension, as the superuser sees them: what a request left there, or that
/// it left nothing. That a session was used is noted once a minute.
pub async fn digest(superuser: &Client) -> String {
    let tables = "select string_agg(format('select %L || (to_jsonb(t) - ''last_seen_at'')::text as row from %s t', c.oid::regclass, c.oid::regclass), ' union all ')
         from pg_class c
         where c.relnamespace in ('identity'::regnamespace, 'identity_store'::regnamespace) and c.relkind = 'r'";
    let rows: String = superuser.query_one(tables, &[]).await.unwrap().get(0);
    let digest = format!("select md5(coalesce(string_agg(md5(row), '' order by md5(row)), '')) from ({rows}) all_rows");
    superuser.query_one(&digest, &[]).await.unwrap().get(0)
}
