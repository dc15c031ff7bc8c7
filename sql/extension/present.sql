-- Present: what a transaction may be that calls a protocol function. The reasons are in pg_identity/src/present.rs.
--
-- For our own functions: require_present.

create function identity.require_present(seconds integer) returns boolean
language c stable strict parallel safe as 'MODULE_PATHNAME', 'require_present_wrapper';
comment on function identity.require_present(integer) is
  'Raises ID005 in a transaction that may see the past (another isolation level than read committed, or begun more than 30 s ago) and while plans are printed (debug_print_plan). Terminates the connection when the transaction still goes on that many seconds later (of several calls the nearest moment counts), whatever the session''s own settings say; such a transaction cannot be prepared either. Returns true.';
revoke all on function identity.require_present(integer) from public;
grant execute on function identity.require_present(integer) to identity_owner;
