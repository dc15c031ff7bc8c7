-- Rows: what spares a statement where every token passes. The reasons are in pg_identity/src/row_by_id.rs and jsonb.rs.
--
-- For our own functions: row_by_id, jsonb_members.

create function identity.row_by_id(of anyelement, id uuid) returns anyelement
language c stable parallel safe as 'MODULE_PATHNAME', 'row_by_id_wrapper';
comment on function identity.row_by_id(anyelement, uuid) is
  'The row of a table, or of its partition, with this primary key: row_by_id(null::table, id) is (select t from table t where t.id = id), without a plan. NULL when there is none. Raises XX000 for what is no table with such a key, or a table of somebody else.';
revoke all on function identity.row_by_id(anyelement, uuid) from public;
grant execute on function identity.row_by_id(anyelement, uuid) to identity_owner;

create function identity.row_by_id(of anyelement, id text) returns anyelement
language c stable parallel safe as 'MODULE_PATHNAME', 'row_by_id_wrapper';
comment on function identity.row_by_id(anyelement, text) is
  'The same where the primary key is a text. NULL when there is none. Raises XX000 as the other one.';
revoke all on function identity.row_by_id(anyelement, text) from public;
grant execute on function identity.row_by_id(anyelement, text) to identity_owner;

create function identity.jsonb_members(document jsonb, names text[], more jsonb default '{}') returns jsonb
language c immutable strict parallel safe as 'MODULE_PATHNAME', 'jsonb_members_wrapper';
comment on function identity.jsonb_members(jsonb, text[], jsonb) is
  'The members of an object that have one of these names, and all of more, which has its way where both have one. Raises ID005 when one is not an object.';
revoke all on function identity.jsonb_members(jsonb, text[], jsonb) from public;
grant execute on function identity.jsonb_members(jsonb, text[], jsonb) to identity_owner;
