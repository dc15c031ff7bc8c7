//! The role of `serve` must be able to execute the protocol functions and nothing else: whoever takes over a gateway
//! leaves with what passes through it, not with the tables (README, decision 2).

use tokio_postgres::{Client, Error};

use super::Finding;
use crate::failure::Failure;

/// What the login role of this connection may do.
pub async fn examine(client: &Client) -> Result<Vec<Finding>, Error> {
    let role: String = client.query_one("select session_user::text", &[]).await?.try_get(0)?;
    let excess: Vec<String> =
        client.query(EXCESS, &[]).await?.iter().map(|row| row.try_get(0)).collect::<Result<_, Error>>()?;
    if !excess.is_empty() {
        return Ok(vec![Finding::Fault(
            Failure::new(format!("role {role} can do more than serve needs: {}", excess.join("; ")))
                .hint("use a login role that is a member of identity_gateway and of nothing else"),
        )]);
    }
    let member: Option<bool> = client.query_one(MEMBER, &[]).await?.try_get(0)?;
    Ok(vec![match member {
        Some(true) => Finding::Good(format!("role {role} is a member of identity_gateway and can do nothing else")),
        Some(false) => Finding::Fault(
            Failure::new(format!("role {role} is not a member of identity_gateway"))
                .hint(format!("as a superuser: grant identity_gateway to {role}")),
        ),
        None => Finding::Fault(
            Failure::new("role identity_gateway does not exist")
                .hint("as a superuser, in this database: create extension pg_identity"),
        ),
    }])
}

const MEMBER: &str = "
  select (select pg_catalog.pg_has_role(session_user, r.oid, 'usage') from pg_catalog.pg_roles r where r.rolname = 'identity_gateway')";

/// One row for each kind of excess, in words. Attributes, memberships, tables, functions, schemas, in this order.
const EXCESS: &str = "
  with role as (
    select * from pg_catalog.pg_roles where rolname = session_user
  ),
  excess (place, what) as (
    select 1, 'it is a superuser' from role where rolsuper
    union all
    select 2, 'it has the attribute ' || attribute
    from role, lateral (values ('bypassrls', rolbypassrls), ('createrole', rolcreaterole), ('createdb', rolcreatedb),
      ('replication', rolreplication)) attributes (attribute, has)
    where has
    union all
    select 3, 'it is a member of ' || r.rolname
    from pg_catalog.pg_roles r
    where r.rolname not in (session_user, 'identity_gateway')
      and pg_catalog.pg_has_role(session_user, r.oid, 'member')
    union all
    select 4, 'it has privileges on ' || pg_catalog.string_agg(c.oid::pg_catalog.regclass::text, ', ')
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('identity', 'identity_store')
      and case when c.relkind in ('r', 'p', 'v', 'm', 'f')
            then pg_catalog.has_table_privilege(session_user, c.oid, 'select, insert, update, delete, truncate, references, trigger')
              or pg_catalog.has_any_column_privilege(session_user, c.oid, 'select, insert, update, references')
            when c.relkind = 'S' then pg_catalog.has_sequence_privilege(session_user, c.oid, 'usage, select, update')
            else false end
    having count(*) > 0
    union all
    select 5, 'it may execute ' || pg_catalog.string_agg(p.oid::pg_catalog.regprocedure::text, ', ')
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_roles g on g.rolname = 'identity_gateway'
    where n.nspname in ('identity', 'identity_store')
      and pg_catalog.has_function_privilege(session_user, p.oid, 'execute')
      and not pg_catalog.has_function_privilege(g.oid, p.oid, 'execute')
    having count(*) > 0
    union all
    select 6, 'it may create objects in schema ' || n.nspname
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_(temp|toast)' and pg_catalog.has_schema_privilege(session_user, n.oid, 'create')
    union all
    select 7, 'it may create schemas in database ' || pg_catalog.current_database()
    where pg_catalog.has_database_privilege(session_user, pg_catalog.current_database(), 'create')
  )
  select what from excess where what is not null
    -- A superuser has everything else as well: one line says it.
    and (place = 1 or not exists (select from excess where place = 1))
  order by place, what";
