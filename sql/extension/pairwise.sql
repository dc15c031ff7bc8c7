-- Pairwise identifiers (OpenID Connect Core §8.1): what a sector sees instead of the id of a person or a session.
-- The format is pg_identity/src/pairwise.rs; the key is that of identity.sealed_keys with purpose pairwise, and never changes.
--
--   pairwise_identifier, subject_id    the store; authenticate and the like do it by themselves

create function identity.pairwise_identifier(kind text, id uuid, sector text) returns text
language c volatile strict parallel unsafe cost 1000 as 'MODULE_PATHNAME', 'pairwise_identifier_wrapper';
comment on function identity.pairwise_identifier(text, uuid, text) is
  'What a sector sees of this id (kind user: its sub; session: its sid): 46 letters, always the same ones, and others for every other sector. Raises ID001, ID002, ID003.';
revoke all on function identity.pairwise_identifier(text, uuid, text) from public;
grant execute on function identity.pairwise_identifier(text, uuid, text) to identity_owner;

create function identity.subject_id(kind text, identifier text) returns uuid
language c volatile strict parallel unsafe cost 1000 as 'MODULE_PATHNAME', 'subject_id_wrapper';
comment on function identity.subject_id(text, text) is
  'The id that a sub (kind user) or sid (session) in a token of ours means: the one behind a pairwise identifier, or itself as a UUID in small letters; NULL when it is neither, or where the key is not known. Proves nothing without the token. Raises ID001, ID003.';
revoke all on function identity.subject_id(text, text) from public;
grant execute on function identity.subject_id(text, text) to identity_owner;
