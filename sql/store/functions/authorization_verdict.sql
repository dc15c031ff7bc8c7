-- What to do about an authorization request, given who is signed in: the first failed check decides.
-- OpenID Connect Core 1.0 §3.1.2.3, §3.1.2.4, §11; README, decisions 9 and 12.
--
--   identity_store.authorization_verdict          authorization_continue, consent_page, consent_decide
--   identity_store.authorization_person_checks    above

-- Reads only. verdict: error_page, refuse (redirect with error), sign_in, select_account, consent, allowed.
create or replace function identity_store.authorization_verdict(
  request jsonb, session identity_store.sessions,
  out verdict text, out rule text, out error text, out description text, out client identity_store.clients,
  out scope text[], out resources text[], out claims jsonb, out asked text[]
)
language plpgsql stable parallel safe
as $$
#variable_conflict use_variable
declare
  p jsonb := request -> 'parameters';
  hint jsonb;
  failed text[];
begin
  client := identity.row_by_id(null::identity_store.clients, p ->> 'client_id');

  failed := identity_store.authorization_client_checks(request, client);
  if failed is not null then
    verdict := 'error_page'; rule := failed[1]; error := failed[2]; description := failed[3];
    return;
  end if;

  resources := case when p ? 'resource'
    then identity_store.resources_requested(array(select jsonb_array_elements_text(p -> 'resource'))) else '{}' end;
  hint := case when p ? 'id_token_hint' then identity_store.id_token_hint(p ->> 'id_token_hint') end;
  scope := identity_store.scopes_at(identity_store.scopes_requested(
    coalesce(p ->> 'scope', identity_store.scopes_default(client.scope, resources)), client.scope), resources);
  -- OpenID Connect Core §11: offline_access MUST be ignored unless a code is returned; nothing else gives a refresh token.
  if not identity_store.response_gives(p ->> 'response_type', 'code') then
    client.grant_types := array_remove(client.grant_types, 'refresh_token');
  end if;
  if not 'refresh_token' = any (client.grant_types) then
    scope := array_remove(scope, 'offline_access');
  end if;
  failed := identity_store.authorization_request_checks(request, client, resources, hint, scope);
  if failed is not null then
    verdict := 'refuse'; rule := failed[1]; error := failed[2]; description := failed[3];
    return;
  end if;

  asked := scope;
  if p ? 'claims' then
    select a.claims, a.asked into claims, asked from identity_store.claims_allowed(p -> 'claims', client, scope) a;
  end if;
  asked := identity_store.consent_scope(client, asked);
  failed := identity_store.authorization_person_checks(request, client, session, hint, asked, resources);
  if failed is not null then
    verdict := case when p ->> 'prompt' = 'none' then 'refuse' else failed[4] end;
    rule := failed[1]; error := failed[2]; description := failed[3];
    return;
  end if;

  -- Nobody was asked: without a page or a remembered consent that names it, offline_access was not allowed.
  if scope @> array['openid', 'offline_access'] and client.refresh_token <> 'always'
    and not identity_store.consent_covers(session.user_id, client.id, array['offline_access'], resources) then
    scope := array_remove(scope, 'offline_access');
  end if;
  verdict := 'allowed';
end
$$;
comment on function identity_store.authorization_verdict(jsonb, identity_store.sessions) is
  'What to do about a pending authorization with this session: one row; scope, resources and claims are what would be granted, asked what the person allows with it (scopes).';
revoke all on function identity_store.authorization_verdict(jsonb, identity_store.sessions) from public;

create or replace function identity_store.authorization_person_checks(
  request jsonb, client identity_store.clients, session identity_store.sessions, hint jsonb, scope text[], resources text[]
)
returns text[]
language plpgsql stable parallel safe
as $$
declare
  failed constant text[] := case
    when session.id is null then
      array['signed_out', 'login_required', 'the person is not signed in', 'sign_in']
    when request -> 'parameters' ?| array['prompt', 'max_age', 'id_token_hint', 'claims'] or client.default_max_age is not null then
      identity_store.authorization_proof_checks(request, client, session, hint)
  end;
begin
  return case
    when failed is not null then failed
    -- RFC 8252 §8.6: no redirect without a page where another program may be listening.
    when coalesce(request #>> '{parameters,redirect_uri}', client.redirect_uris[1]) not like 'https://%' then
      array['client_unassured', 'consent_required', 'the person has to be asked', 'consent']
    when identity_store.client_moved_since_consent(client.id, session.user_id, resources) then
      array['client_moved', 'consent_required', 'the client sends people elsewhere since they allowed this', 'consent']
    when not client.first_party and not identity_store.consent_covers(session.user_id, client.id, scope, resources) then
      array['consent', 'consent_required', 'the person has not allowed this yet', 'consent']
  end;
end
$$;
comment on function identity_store.authorization_person_checks(jsonb, identity_store.clients, identity_store.sessions, jsonb, text[], text[]) is
  'Checks of who is signed in and what they allowed of consent_scope: rule, error, description of the first that failed and the verdict it asks for (a page; with prompt=none it is the error), NULL when none did.';
revoke all on function identity_store.authorization_person_checks(jsonb, identity_store.clients, identity_store.sessions, jsonb, text[], text[]) from public;

create or replace function identity_store.authorization_proof_checks(
  request jsonb, client identity_store.clients, session identity_store.sessions, hint jsonb
)
returns text[]
language plpgsql stable parallel safe
as $$
declare
  p constant jsonb := request -> 'parameters';
  prompt constant text[] := string_to_array(coalesce(p ->> 'prompt', ''), ' ');
  -- A proof counts for this request if it was given after the request began: `prompt=login` and `max_age` cannot be met
  -- by an older one, and are not asked for again after it.
  fresh constant boolean := coalesce(session.auth_time >= to_timestamp((request ->> 'started_at')::double precision), false);
  max_age constant integer := coalesce((p ->> 'max_age')::integer, client.default_max_age);
  -- OpenID Connect Core §3.1.2.1, §5.5.1: who it has to be, by id_token_hint or by the claim sub. Nobody else gets an answer.
  somebody_else constant boolean := coalesce(hint ->> 'sub' <> session.user_id::text, false)
    or coalesce(not p #> '{claims,id_token,sub,values}' ? identity_store.subject_for(client, session.user_id), false)
    or coalesce(not p #> '{claims,userinfo,sub,values}' ? identity_store.subject_for(client, session.user_id), false);
  -- §5.5.1.1: an essential acr with values has to be one of them.
  acr constant jsonb := case when p #> '{claims,id_token,acr,essential}' = 'true' then p #> '{claims,id_token,acr,values}' end;
begin
  return case
    -- The chooser first: whoever is chosen may then have to prove it again.
    when not fresh and 'select_account' = any (prompt) and request ->> 'selected' is distinct from session.user_id::text then
      array['select_account', 'account_selection_required', 'the person has to choose an account', 'select_account']
    when not fresh and 'login' = any (prompt) then
      array['prompt_login', 'login_required', 'the person has to sign in again', 'sign_in']
    when not fresh and session.auth_time <= statement_timestamp() - make_interval(secs => max_age) then
      array['max_age', 'login_required', 'the sign-in is older than max_age', 'sign_in']
    when not fresh and somebody_else then
      array['somebody_else', 'login_required', 'another person is signed in', 'sign_in']
    when fresh and somebody_else then
      array['somebody_else_fresh', 'login_required', 'another person signed in', 'refuse']
    -- §5.5.1.1: if the requirement cannot be met, that is a failed authentication attempt. The code is of OpenID Connect Core
    -- Error Code unmet_authentication_requirements 1.0.
    when acr is not null and not acr ?| identity_store.acr_values() then
      array['acr_out_of_reach', 'unmet_authentication_requirements', 'no sign-in here reaches an acr that was asked for', 'refuse']
    when not fresh and acr is not null and not acr ? coalesce(session.acr, '') then
      array['acr', 'login_required', 'the sign-in does not reach the acr that was asked for', 'sign_in']
    when acr is not null and not acr ? coalesce(session.acr, '') then
      array['acr_fresh', 'unmet_authentication_requirements', 'the sign-in does not reach the acr that was asked for', 'refuse']
    when 'consent' = any (prompt) then
      array['prompt_consent', 'consent_required', 'the person has to be asked', 'consent']
  end;
end
$$;
comment on function identity_store.authorization_proof_checks(jsonb, identity_store.clients, identity_store.sessions, jsonb) is
  'Of authorization_person_checks those of requests that say when and by whom the proof has to be, or that a page is shown.';
revoke all on function identity_store.authorization_proof_checks(jsonb, identity_store.clients, identity_store.sessions, jsonb) from public;

create or replace function identity_store.client_moved_since_consent(client_id text, user_id uuid, resources text[])
returns boolean
language plpgsql stable parallel safe
as $$
declare
  registration constant identity_store.client_registrations :=
    identity.row_by_id(null::identity_store.client_registrations, client_moved_since_consent.client_id);
begin
  -- Of a client that an administrator made there is no registration.
  if registration.moved_at is null then
    return false;
  end if;
  return exists (
    select from identity_store.consents k
    where k.client_id = client_moved_since_consent.client_id and k.user_id = client_moved_since_consent.user_id
      and k.granted_at <= registration.moved_at
      and k.resource = any (case when cardinality(resources) = 0 then array[''] else resources end));
end
$$;
comment on function identity_store.client_moved_since_consent(text, uuid, text[]) is
  'Whether a client that registered itself has got another redirect URI since this person allowed it one of these resources.';
revoke all on function identity_store.client_moved_since_consent(text, uuid, text[]) from public;
