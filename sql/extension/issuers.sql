-- Trusted issuers: other OpenID providers whose tokens this database believes, and their public keys (RFC 7517).
--
--   trust_issuer(issuer, audience, jwks, …)   administrators; what goes in as claims: issuers_claim_mappings.sql
--   distrust_issuer(issuer)                   administrators
--   trusted_issuer_list()                     identity_sync: `gateway sync-issuers` fetches the keys of issuers that are trusted
--   trusted_keys_replace(issuer, jwks)        identity_sync
--
-- Every key carries the one algorithm that its signatures are checked with; a token only repeats it (RFC 8725 §3.1).

create table identity.trusted_issuers (
  issuer text collate "C" primary key check (length(issuer) between 1 and 2048),
  audience text not null check (audience <> ''),
  typ text check (typ <> ''),
  claims jsonb not null check (jsonb_typeof(claims) = 'object'),
  algorithms text[] not null,
  subject_is_user_id boolean not null,
  trusted_at timestamptz not null,
  keys_written_at timestamptz,
  keys_max_age bigint check (keys_max_age > 0)
);
alter table identity.trusted_issuers owner to identity_owner;
-- Two issuers that both named our people would be two ways to be the same person.
create unique index trusted_issuers_subject_is_user_id on identity.trusted_issuers (subject_is_user_id) where subject_is_user_id;
comment on table identity.trusted_issuers is 'OpenID providers whose tokens authenticate here';
comment on column identity.trusted_issuers.issuer is 'iss of its tokens, byte for byte';
comment on column identity.trusted_issuers.audience is 'The audience that its tokens must name';
comment on column identity.trusted_issuers.typ is 'typ of its access tokens; NULL: JWT, at+jwt or none, and no claim that only ID or logout tokens have';
comment on column identity.trusted_issuers.claims is 'Claim mapping: reader to name of a claim, path, or null';
comment on column identity.trusted_issuers.algorithms is 'Algorithms that its keys may have, first choice first';
comment on column identity.trusted_issuers.subject_is_user_id is 'Its subjects are ids of our users; at most one issuer may say so';
comment on column identity.trusted_issuers.trusted_at is 'When it was first trusted';
comment on column identity.trusted_issuers.keys_written_at is 'When its keys were last written; NULL: not yet';
comment on column identity.trusted_issuers.keys_max_age is 'Seconds after which keys that were not written again are good no more; NULL: no limit';
select pg_catalog.pg_extension_config_dump('identity.trusted_issuers', '');

-- No foreign key: rows of an extension's tables are restored in any order, in parallel ones at once. A key without its issuer
-- opens nothing, because the issuer is looked up first.
create table identity.trusted_keys (
  issuer text collate "C" not null,
  kid text collate "C" not null,
  algorithm text not null check (algorithm in ('ES256', 'ES384', 'ES512', 'EdDSA', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512')),
  public_jwk jsonb not null,
  primary key (issuer, kid)
);
alter table identity.trusted_keys owner to identity_owner;
comment on table identity.trusted_keys is 'Public signing keys of trusted issuers';
comment on column identity.trusted_keys.issuer is 'Whose key it is';
comment on column identity.trusted_keys.kid is 'Its name in tokens; empty where a set has one key without a name';
comment on column identity.trusted_keys.algorithm is 'The only algorithm that its signatures are checked with';
comment on column identity.trusted_keys.public_jwk is 'The public key (RFC 7517), without anything that is not the key';
select pg_catalog.pg_extension_config_dump('identity.trusted_keys', '');

create function identity.jwks_read(jwks jsonb, algorithms jsonb)
returns jsonb
language c immutable strict parallel safe cost 10000
as 'MODULE_PATHNAME', 'jwks_read_wrapper';
comment on function identity.jwks_read(jsonb, jsonb) is
  'The signing keys of a JWK set, each pinned to one algorithm, as [{"kid", "algorithm", "jwk"}]; internal. Keys for other purposes, of unknown kinds and unsound ones are left out. Raises ID005 for private or symmetric keys, repeated kids, unknown algorithms, or when no key is left.';
revoke all on function identity.jwks_read(jsonb, jsonb) from public;
grant execute on function identity.jwks_read(jsonb, jsonb) to identity_owner;

create function identity.claim_mapping_check(claims jsonb)
returns boolean
language c immutable strict parallel safe cost 100
as 'MODULE_PATHNAME', 'claim_mapping_check_wrapper';
comment on function identity.claim_mapping_check(jsonb) is
  'True for a sound claim mapping; internal. Raises ID005 for anything else.';
revoke all on function identity.claim_mapping_check(jsonb) from public;
grant execute on function identity.claim_mapping_check(jsonb) to identity_owner;

create function identity.trust_issuer(
  issuer text,
  audience text,
  jwks jsonb default null,
  claims jsonb default '{}',
  typ text default null,
  algorithms text[] default '{ES256,EdDSA,RS256,PS256,ES384,ES512,RS384,RS512,PS384,PS512}',
  subject_is_user_id boolean default false,
  keys_max_age interval default null
) returns void
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if issuer is null or octet_length(issuer) not between 1 and 2048 or issuer ~ '[[:cntrl:]]' then
    raise exception using errcode = 'ID005', message = 'issuer is not a text of 1 to 2048 bytes without control characters';
  end if;
  if exists (select from identity.configuration c where c.issuer = trust_issuer.issuer) then
    raise exception using errcode = 'ID005',
      message = 'issuer is this database''s own issuer',
      hint = 'Its tokens are verified with its own keys already.';
  end if;
  if audience is null or audience = '' then
    raise exception using errcode = 'ID005',
      message = 'audience is empty',
      hint = 'Name the audience that the issuer puts into tokens for this database: without one, tokens for other services would be good here.';
  end if;
  if length(audience) > 2048 or length(typ) > 127 then
    raise exception using errcode = 'ID005', message = 'audience is longer than 2048 characters, or typ than 127';
  end if;
  if claims is null or algorithms is null or subject_is_user_id is null or typ = '' then
    raise exception using errcode = 'ID005', message = 'claims, algorithms or subject_is_user_id is null, or typ is empty';
  end if;
  if cardinality(algorithms) = 0 or array_ndims(algorithms) > 1
    or not algorithms <@ '{ES256,ES384,ES512,EdDSA,RS256,RS384,RS512,PS256,PS384,PS512}' then
    raise exception using errcode = 'ID005',
      message = 'algorithms is empty or names one that is unknown or not asymmetric',
      hint = 'Known are ES256, ES384, ES512, EdDSA, RS256, RS384, RS512, PS256, PS384, PS512.';
  end if;
  if keys_max_age not between interval '1 minute' and interval '10 years' then
    raise exception using errcode = 'ID005', message = 'keys_max_age is not between 1 minute and 10 years';
  end if;
  perform identity.claim_mapping_check(claims);
  if subject_is_user_id then
    -- Of two at once the second waits, and sees the first.
    lock table identity.trusted_issuers in share row exclusive mode;
    if exists (select from identity.trusted_issuers t where t.subject_is_user_id and t.issuer <> trust_issuer.issuer) then
      raise exception using errcode = 'ID005',
        message = 'subject_is_user_id is true for another issuer already',
        hint = 'At most one trusted issuer may name our users.';
    end if;
  end if;
  begin
    insert into identity.trusted_issuers as t (issuer, audience, typ, claims, algorithms, subject_is_user_id, trusted_at, keys_max_age)
    values (trust_issuer.issuer, trust_issuer.audience, trust_issuer.typ, trust_issuer.claims, trust_issuer.algorithms,
      trust_issuer.subject_is_user_id, now(), extract(epoch from trust_issuer.keys_max_age))
    on conflict on constraint trusted_issuers_pkey do update
      set audience = excluded.audience, typ = excluded.typ, claims = excluded.claims, algorithms = excluded.algorithms,
          subject_is_user_id = excluded.subject_is_user_id, keys_max_age = excluded.keys_max_age;
  exception when unique_violation then
    -- Said by a transaction that the snapshot of this one does not show.
    raise exception using errcode = 'ID005',
      message = 'subject_is_user_id is true for another issuer already',
      hint = 'At most one trusted issuer may name our users.';
  end;
  if jwks is not null then
    perform identity.trusted_keys_replace(trust_issuer.issuer, trust_issuer.jwks);
    return;
  end if;
  delete from identity.trusted_keys k where k.issuer = trust_issuer.issuer and k.algorithm <> all (algorithms);
end
$$;
alter function identity.trust_issuer(text, text, jsonb, jsonb, text, text[], boolean, interval) owner to identity_owner;
comment on function identity.trust_issuer(text, text, jsonb, jsonb, text, text[], boolean, interval) is
  'Believes the tokens of an issuer for one audience, or replaces what was said about it. jwks: its public keys; NULL keeps those there are, at first none, until `gateway sync-issuers` fetches them. claims (identity.claim_mapping has those of well-known providers) maps readers (audience, session_id, client_id, grant_id, organization_id, token_id, acr, auth_time, amr, scopes, roles, permissions, actor) to the name of a claim, to a path as a list of names, to a list of such paths (all for lists, the first for texts), or to null; roles, permissions, organization_id and grant_id are taken only where mapped. typ: that of its access tokens. algorithms: which are allowed; a key without alg gets the first that fits. subject_is_user_id: user_id() answers with its subjects. keys_max_age: keys that were not written again for so long are good no more; NULL: no limit. Raises ID005, changing nothing.';
revoke all on function identity.trust_issuer(text, text, jsonb, jsonb, text, text[], boolean, interval) from public;
grant execute on function identity.trust_issuer(text, text, jsonb, jsonb, text, text[], boolean, interval)
  to identity_owner, identity_admin;

create function identity.trusted_issuer_list()
returns table (issuer text, keys_written_at timestamptz)
language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp
as $$
  select t.issuer, t.keys_written_at from identity.trusted_issuers t order by t.issuer
$$;
alter function identity.trusted_issuer_list() owner to identity_owner;
comment on function identity.trusted_issuer_list() is
  'Every trusted issuer and when its keys were last written, NULL when not yet. Raises nothing.';
revoke all on function identity.trusted_issuer_list() from public;
grant execute on function identity.trusted_issuer_list() to identity_owner, identity_admin, identity_sync;

-- For whoever fetches keys: whom to trust, and for what, is an administrator's decision.
create function identity.trusted_keys_replace(issuer text, jwks jsonb)
returns void
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  keys jsonb;
  allowed text[];
begin
  update identity.trusted_issuers t set keys_written_at = now()
  where t.issuer = trusted_keys_replace.issuer returning t.algorithms into allowed;
  if not found then
    raise exception using errcode = 'ID006',
      message = 'issuer is not trusted',
      hint = 'An administrator trusts it first, with identity.trust_issuer().';
  end if;
  if jwks is null then
    raise exception using errcode = 'ID005', message = 'jwks is null';
  end if;
  keys := identity.jwks_read(jwks, to_jsonb(allowed));
  delete from identity.trusted_keys k where k.issuer = trusted_keys_replace.issuer;
  insert into identity.trusted_keys (issuer, kid, algorithm, public_jwk)
  select trusted_keys_replace.issuer, key ->> 'kid', key ->> 'algorithm', key -> 'jwk'
  from jsonb_array_elements(keys) as key;
end
$$;
alter function identity.trusted_keys_replace(text, jsonb) owner to identity_owner;
comment on function identity.trusted_keys_replace(text, jsonb) is
  'Replaces the keys of an issuer that is trusted already; nothing else about it changes. Raises ID005 for a set that cannot be used, ID006 when the issuer is not trusted, changing nothing.';
revoke all on function identity.trusted_keys_replace(text, jsonb) from public;
grant execute on function identity.trusted_keys_replace(text, jsonb) to identity_owner, identity_admin, identity_sync;

create function identity.distrust_issuer(issuer text)
returns void
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- The issuer first: its row is what new keys wait for, so that none come in behind.
  delete from identity.trusted_issuers t where t.issuer = distrust_issuer.issuer;
  if not found then
    raise exception using errcode = 'ID006', message = 'issuer is not trusted';
  end if;
  delete from identity.trusted_keys k where k.issuer = distrust_issuer.issuer;
end
$$;
alter function identity.distrust_issuer(text) owner to identity_owner;
comment on function identity.distrust_issuer(text) is
  'Believes no token of this issuer any more, from the next authenticate on, and forgets its keys. Raises ID006 when it is not trusted.';
revoke all on function identity.distrust_issuer(text) from public;
grant execute on function identity.distrust_issuer(text) to identity_owner, identity_admin;
