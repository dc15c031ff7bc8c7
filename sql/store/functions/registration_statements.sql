-- Software statements: what somebody we trust says about a piece of software (RFC 7591 §2.3).
--
--   identity.registration_issuer_trust, registration_issuer_distrust, registration_issuer_list    identity_admin
--   identity_store.software_statement_read    registration_metadata.sql

create or replace function identity.registration_issuer_trust(issuer text, jwks jsonb)
returns void
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  keys constant jsonb := identity.client_jwks_read(jwks::text);
begin
  perform set_config('synchronous_commit', 'on', true);
  if coalesce(registration_issuer_trust.issuer !~ '^[\x21-\x7e]+$' or length(registration_issuer_trust.issuer) > 2000, true) then
    raise exception using errcode = 'ID005', message = 'issuer: must be 1 to 2000 visible ASCII characters';
  elsif coalesce(jsonb_array_length(keys -> 'keys'), 0) = 0 then
    raise exception using errcode = 'ID005', message = 'jwks: must be a JSON Web Key Set of public keys';
  end if;
  insert into identity_store.software_statement_issuers as i (issuer, jwks)
  values (registration_issuer_trust.issuer, keys)
  on conflict on constraint software_statement_issuers_pkey do update set jwks = excluded.jwks;
  perform identity_store.audit('software_statement_issuer_trusted', null, null, null,
    jsonb_build_object('issuer', registration_issuer_trust.issuer));
end
$$;
comment on function identity.registration_issuer_trust(text, jsonb) is
  'Believes software statements of this issuer (their claim iss) that are signed with one of these keys, in place of those it had. Returns nothing; raises ID005 naming the argument.';
revoke all on function identity.registration_issuer_trust(text, jsonb) from public;
grant execute on function identity.registration_issuer_trust(text, jsonb) to identity_admin;

create or replace function identity.registration_issuer_distrust(issuer text)
returns void
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('synchronous_commit', 'on', true);
  delete from identity_store.software_statement_issuers i where i.issuer = registration_issuer_distrust.issuer;
  if not found then
    raise exception using errcode = 'ID006', message = 'issuer: there is no such issuer of software statements';
  end if;
  perform identity_store.audit('software_statement_issuer_distrusted', null, null, null,
    jsonb_build_object('issuer', registration_issuer_distrust.issuer));
end
$$;
comment on function identity.registration_issuer_distrust(text) is
  'Believes software statements of this issuer no more; clients that were registered with them stay. Returns nothing; raises ID006 when it was not trusted.';
revoke all on function identity.registration_issuer_distrust(text) from public;
grant execute on function identity.registration_issuer_distrust(text) to identity_admin;

create or replace function identity.registration_issuer_list()
returns table (issuer text, keys bigint, created_at timestamptz)
language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp
as $$
  select i.issuer, jsonb_array_length(i.jwks -> 'keys')::bigint, i.created_at
  from identity_store.software_statement_issuers i
  order by i.issuer
$$;
comment on function identity.registration_issuer_list() is
  'Whose software statements are believed, by name, with the number of their keys. Raises nothing; no row before the first registration_issuer_trust.';
revoke all on function identity.registration_issuer_list() from public;
grant execute on function identity.registration_issuer_list() to identity_admin;

create or replace function identity_store.software_statement_read(
  statement text, registered text, out error text, out description text, out claims jsonb
)
language plpgsql stable parallel safe
as $$
declare
  jws constant jsonb := identity.client_jws_read(statement);
  stated_by constant text := jws -> 'claims' ->> 'iss';
  keys jsonb;
  ours constant text := identity.configured_issuer();
  second constant bigint := floor(extract(epoch from statement_timestamp()));
begin
  error := 'invalid_software_statement';
  description := 'software_statement: ' || case
    when jws is null then 'is not a signed JWT'
    -- RFC 8725 §3.11: what is signed for another purpose is no statement.
    when lower(jws -> 'header' ->> 'typ') <> 'jwt' then 'its typ is that of another kind of token'
    -- RFC 7591 §2.3: MUST contain an iss claim.
    when jsonb_typeof(jws -> 'claims' -> 'iss') is distinct from 'string' then 'its iss is missing'
  end;
  if description is not null then
    return;
  end if;
  select i.jwks into keys from identity_store.software_statement_issuers i where i.issuer = stated_by;
  if keys is null then
    error := 'unapproved_software_statement';
    description := 'software_statement: its issuer is not trusted here';
    return;
  end if;
  description := 'software_statement: ' || case
    when identity.client_key_signed(statement, keys, null) <> 'signed' then 'its signature is not that of its issuer'
    -- RFC 7519 §4.1.3: whoever does not identify itself with a value in the audience MUST reject the token.
    when jws -> 'aud' <> '[]' and not exists (
      select from jsonb_array_elements_text(jws -> 'aud') a
      where identity_store.url_normalized(a) in (identity_store.url_normalized(ours), identity_store.url_normalized(ours || '/register'))
    ) then 'its aud is not this issuer'
    -- A client repeats what it was registered with at every change (RFC 7592 §2.2).
    when statement is distinct from registered and (jws ->> 'exp')::bigint + 60 <= second then 'it has expired'
    when (jws ->> 'nbf')::bigint > second + 60 or (jws ->> 'iat')::bigint > second + 60 then 'it is not yet valid'
  end;
  if description is null then
    error := null;
    claims := jws -> 'claims';
  end if;
end
$$;
comment on function identity_store.software_statement_read(text, text) is
  'The claims of a software statement of a trusted issuer; or error (invalid_software_statement, unapproved_software_statement) and description. registered: the one that the client has already, which may have expired.';
revoke all on function identity_store.software_statement_read(text, text) from public;
