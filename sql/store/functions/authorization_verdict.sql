-- What to do about an authorization request, given who is signed in: the first failed check decides.
-- OpenID Connect Core 1.0 §3.1.2.3, §3.1.2.4, §11; README, decisions 9 and 12.
--
--   identity_store.authorization_verdict          authorization_continue, consent_page, consent_decide
--   identity_store.authorization_person_checks    above

-- Reads only. verdict: error_page, refuse (redirect with error), sign_in, select_account, consent, allowed.
create or replace function identity_store.authorization_verdict(request jsonb, session identity_store.sessions)
returns table (
  verdict text, rule text, error text, description text, client identity_store.clients, scope text[], resources text[],
  claims jsonb, asked text[]
)
language plpgsql stable parallel safe
as $$
#variable_conflict use_variable
declare
  p jsonb := request -> 'parameters';
  hint jsonb;
begin
  client := identity.row_by_id(null::identity_store.clients, p ->> 'client_id');

  select 'error_page', k.rule, k.error, k.description into verdict, rule, error, description
  from identity_store.authorization_client_checks(request, client) k where k.failed limit 1;
  if found then return next; return; end if;

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
  select 'refuse', k.rule, k.error, k.description into verdict, rule, error, description
  from identity_store.authorization_request_checks(request, client, resources, hint, scope) k where k.failed limit 1;
  if found then return next; return; end if;

  select a.claims, identity_store.consent_scope(client, a.asked) into claims, asked
  from identity_store.claims_allowed(p -> 'claims', client, scope) a;
  select case when k.answer = 'refuse' or p ->> 'prompt' = 'none' then 'refuse' else k.answer end, k.rule, k.error, k.description
  into verdict, rule, error, description
  from identity_store.authorization_person_checks(request, client, session, hint, asked, resources) k
  where k.failed limit 1;
  if found then return next; return; end if;

  -- Nobody was asked: without a page or a remembered consent that names it, offline_access was not allowed.
  if scope @> array['openid', 'offline_access'] and client.refresh_token <> 'always'
    and not identity_store.consent_covers(session.user_id, client.id, array['offline_access'], resources) then
    scope := array_remove(scope, 'offline_access');
  end if;
  verdict := 'allowed';
  return next;
end
$$;
comment on function identity_store.authorization_verdict(jsonb, identity_store.sessions) is
  'What to do about a pending authorization with this session: one row; scope, resources and claims are what would be granted, asked what the person allows with it (scopes).';
revoke all on function identity_store.authorization_verdict(jsonb, identity_store.sessions) from public;

create or replace function identity_store.authorization_person_checks(
  request jsonb, client identity_store.clients, session identity_store.sessions, hint jsonb, scope text[], resources text[]
)
returns table (rule text, answer text, error text, description text, failed boolean)
language sql stable parallel safe
as $$
  -- A proof counts for this request if it was given after the request began: `prompt=login` and `max_age` cannot be met
  -- by an older one, and are not asked for again after it.
  select c.* from (
    select request -> 'parameters' as p,
      string_to_array(coalesce(request -> 'parameters' ->> 'prompt', ''), ' ') as prompt,
      coalesce(session.auth_time >= to_timestamp((request ->> 'started_at')::double precision), false) as fresh,
      coalesce((request -> 'parameters' ->> 'max_age')::integer, client.default_max_age) as max_age,
      -- OpenID Connect Core §3.1.2.1, §5.5.1: who it has to be, by id_token_hint or by the claim sub. Nobody else gets an answer.
      coalesce(hint ->> 'sub' <> session.user_id::text, false)
        or coalesce(not request #> '{parameters,claims,id_token,sub,values}' ? identity_store.subject_for(client, session.user_id), false)
        or coalesce(not request #> '{parameters,claims,userinfo,sub,values}' ? identity_store.subject_for(client, session.user_id), false) as somebody_else,
      -- §5.5.1.1: an essential acr with values has to be one of them.
      case when request #> '{parameters,claims,id_token,acr,essential}' = 'true'
        then request #> '{parameters,claims,id_token,acr,values}' end as acr
  ) r, lateral (values
    ('signed_out', 'sign_in', 'login_required', 'the person is not signed in', session.id is null),
    -- The chooser first: whoever is chosen may then have to prove it again.
    ('select_account', 'select_account', 'account_selection_required', 'the person has to choose an account',
      not fresh and 'select_account' = any (prompt) and request ->> 'selected' is distinct from session.user_id::text),
    ('prompt_login', 'sign_in', 'login_required', 'the person has to sign in again', not fresh and 'login' = any (prompt)),
    ('max_age', 'sign_in', 'login_required', 'the sign-in is older than max_age',
      not fresh and session.auth_time <= statement_timestamp() - make_interval(secs => max_age)),
    ('somebody_else', 'sign_in', 'login_required', 'another person is signed in', not fresh and somebody_else),
    ('somebody_else_fresh', 'refuse', 'login_required', 'another person signed in', fresh and somebody_else),
    -- §5.5.1.1: if the requirement cannot be met, that is a failed authentication attempt. The code is of OpenID Connect Core
    -- Error Code unmet_authentication_requirements 1.0.
    ('acr_out_of_reach', 'refuse', 'unmet_authentication_requirements', 'no sign-in here reaches an acr that was asked for',
      acr is not null and not acr ?| identity_store.acr_values()),
    ('acr', 'sign_in', 'login_required', 'the sign-in does not reach the acr that was asked for',
      not fresh and acr is not null and not acr ? coalesce(session.acr, '')),
    ('acr_fresh', 'refuse', 'unmet_authentication_requirements', 'the sign-in does not reach the acr that was asked for',
      acr is not null and not acr ? coalesce(session.acr, '')),
    ('prompt_consent', 'consent', 'consent_required', 'the person has to be asked', 'consent' = any (prompt)),
    -- RFC 8252 §8.6: no redirect without a page where another program may be listening.
    ('client_unassured', 'consent', 'consent_required', 'the person has to be asked',
      coalesce(p ->> 'redirect_uri', client.redirect_uris[1]) not like 'https://%'),
    ('client_moved', 'consent', 'consent_required', 'the client sends people elsewhere since they allowed this', exists (
      select from identity_store.client_registrations g
      join identity_store.consents k on k.client_id = g.client_id and k.granted_at <= g.moved_at
      where g.client_id = client.id and k.user_id = session.user_id
        and k.resource = any (case when cardinality(resources) = 0 then array[''] else resources end))),
    ('consent', 'consent', 'consent_required', 'the person has not allowed this yet',
      not client.first_party and not identity_store.consent_covers(session.user_id, client.id, scope, resources))
  ) c (rule, answer, error, description, failed)
$$;
comment on function identity_store.authorization_person_checks(jsonb, identity_store.clients, identity_store.sessions, jsonb, text[], text[]) is
  'Checks of who is signed in and what they allowed of consent_scope, in order; a failed one asks for a page, or with prompt=none is the error.';
revoke all on function identity_store.authorization_person_checks(jsonb, identity_store.clients, identity_store.sessions, jsonb, text[], text[]) from public;
