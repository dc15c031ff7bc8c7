-- Pairwise identifiers (OpenID Connect Core §8.1): what a sector sees instead of the id of a person or a session.
-- The format is pg_identity/src/pairwise.rs; the key is that of identity.sealed_keys with purpose pairwise, and never changes.
--
--   pairwise_identifier, pairwise_id    the store; authenticate and the like do it by themselves

create function identity.pairwise_identifier(kind text, id uuid, sector text) returns text
language c volatile strict parallel unsafe cost 1000 as 'MODULE_PATHNAME', 'pairwise_identifier_wrapper';
comment on function identity.pairwise_identifier(text, uuid, text) is
  'What a sector sees of this id (kind user: its sub; session: its sid): 46 letters, always the same ones, and others for every other sector. Raises ID001, ID002, ID003.';
revoke all on function identity.pairwise_identifier(text, uuid, text) from public;
grant execute on function identity.pairwise_identifier(text, uuid, text) to identity_owner;

create function identity.pairwise_id(kind text, identifier text) returns uuid
language c volatile strict parallel unsafe cost 1000 as 'MODULE_PATHNAME', 'pairwise_id_wrapper';
comment on function identity.pairwise_id(text, text) is
  'The id behind an identifier of that kind in a token of ours; NULL when it is none, or where the key is not known. Proves nothing without the token. Raises ID001, ID003.';
revoke all on function identity.pairwise_id(text, text) from public;
grant execute on function identity.pairwise_id(text, text) to identity_owner;
