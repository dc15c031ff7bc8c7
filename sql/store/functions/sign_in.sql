-- Sign-in by password: the page, and the one call that checks a password and makes a session. README, decision 11.
--
-- identity.sign_in_page(), identity.sign_in()    gateway: GET and POST /login
--
-- A refusal must leave its trace, so it is an outcome, never an exception. Wrong password, unknown name, disabled person
-- and no password at all get the same answer after the same time.

create or replace function identity.sign_in_page(resume text, session_cookie text, browser_cookie text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  request jsonb;
  bound text;
  present identity_store.sessions;
begin
  if sign_in_page.resume is not null then
    select a.request, a.resume into request, bound
    from identity_store.resume_adopt(sign_in_page.resume, sign_in_page.browser_cookie) a;
    if request is null then
      return query select * from identity_store.resume_refuse();
      return;
    end if;
  end if;
  present := identity_store.session_read(sign_in_page.session_cookie);
  if present.id is null and identity_store.frontchannel_due(sign_in_page.session_cookie) then
    return query select 'signed_out', 'ended elsewhere', json_strip_nulls(json_build_object(
      'resume', bound, 'ui_locales', request -> 'parameters' ->> 'ui_locales'));
    return;
  end if;
  return query select 'page', null::text, json_strip_nulls(json_build_object(
    'resume', bound,
    'signed_out', case when present.id is null and sign_in_page.session_cookie is not null then true end,
    'client', identity_store.client_display(request -> 'parameters' ->> 'client_id'),
    'login_hint', request -> 'parameters' ->> 'login_hint',
    'ui_locales', request -> 'parameters' ->> 'ui_locales',
    -- OpenID Connect Core §3.1.2.1: to select an account, or to be the person of id_token_hint, is not to be asked again.
    'username', (
      select u.username from identity_store.users u
      where u.id = present.user_id and not coalesce(
        'select_account' = any (string_to_array(request -> 'parameters' ->> 'prompt', ' '))
        or identity_store.id_token_hint(request -> 'parameters' ->> 'id_token_hint') ->> 'sub' <> u.id::text, false))));
end
$$;
comment on function identity.sign_in_page(text, text, text) is
  'What the sign-in page shows. resume: the sealed authorization request, NULL for the account page. Outcomes: page {resume? (for the form), signed_out? (the session of the cookie is over), client?, login_hint?, ui_locales?, username? (who is signed in and is asked again)}, signed_out {resume?, ui_locales?} when frontchannel_logout_take comes first, error_page {error, error_description}.';
revoke all on function identity.sign_in_page(text, text, text) from public;
grant execute on function identity.sign_in_page(text, text, text) to identity_gateway;

create or replace function identity.sign_in(
  resume text, browser_cookie text, username text, password text,
  source text, user_agent text, device_cookie text, session_cookie text
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  request jsonb;
  person record;
  device jsonb := identity.state_open('device', sign_in.device_cookie);
  kind text := 'account';
  key bytea;
  source_key bytea := identity.keyed_hash('sign_in_bucket', 'source:' || identity_store.sign_in_source(sign_in.source));
  seconds integer;
  new_cookie text;
  next json;
  frames json;
  shown json := '{}'; -- a refusal shows the page again, with whom it is for
begin
  if sign_in.resume is not null then
    request := identity_store.resume_open(sign_in.resume, sign_in.browser_cookie);
    if request is null then
      return query select * from identity_store.resume_refuse();
      return;
    end if;
    shown := json_build_object('client', identity_store.client_display(request -> 'parameters' ->> 'client_id'),
      'ui_locales', request -> 'parameters' ->> 'ui_locales');
  end if;

  select * into person from identity_store.sign_in_person(sign_in.username);
  key := identity.keyed_hash('sign_in_bucket', 'account:' || person.name_key);
  -- A browser that this person has signed in with before counts for itself: strangers cannot slow its owner down.
  if device -> 'users' ? person.user_id::text then
    kind := 'device';
    key := identity.keyed_hash('sign_in_bucket', format('device:%s:%s', device ->> 'device', person.user_id));
  end if;

  seconds := identity_store.sign_in_admit(kind, key, source_key);
  if seconds is not null then
    return query select 'slow_down', kind || ' or source bucket',
      json_strip_nulls((shown::jsonb || jsonb_build_object('retry_after', seconds))::json);
    return;
  end if;

  if identity.sign_in_verify(coalesce(sign_in.password, ''), person.phc) then
    new_cookie := identity_store.sign_in_accept(
      person.user_id, person.phc, person.changed_at, sign_in.password,
      sign_in.source, sign_in.user_agent, sign_in.session_cookie, kind, key);
  end if;
  if new_cookie is null then
    -- Losing the last failures in a crash costs nothing worth a flush for every guess.
    perform set_config('synchronous_commit', 'off', true);
    perform identity_store.sign_in_failed(kind, key, person.user_id);
    if source_key is not null then
      perform identity_store.sign_in_failed('source', source_key, null);
    end if;
    return query select 'invalid_credentials', null::text, json_strip_nulls(shown);
    return;
  end if;

  if sign_in.session_cookie is not null then
    -- The session that this browser had before: somebody else's, which ended just now, or one that was ended elsewhere meanwhile.
    frames := identity_store.frontchannel_logouts(sign_in.session_cookie);
  end if;
  if request is not null and frames is null then
    select json_build_object('outcome', c.outcome, 'answer', c.answer) into next
    from identity_store.authorization_continue(request, identity_store.session_read(new_cookie)) c;
  end if;
  return query select 'signed_in', null::text, json_strip_nulls(json_build_object(
    'session_cookie', new_cookie,
    'device_cookie', identity_store.device_remember(device, person.user_id),
    'next', next,
    'frames', frames,
    'resume', case when frames is not null then identity_store.resume_seal(request) end));
  -- Whatever the authorization thought of itself: the session and its audit row are flushed.
  perform set_config('synchronous_commit', 'on', true);
end
$$;
comment on function identity.sign_in(text, text, text, text, text, text, text, text) is
  'Signs a person in by user name or verified address and password, making a session with a new cookie. resume: the sealed authorization request to go on with, NULL for none; source: address of the browser, counted and shown; device_cookie and session_cookie: what the browser sent, NULL if nothing. '
  'Outcomes: signed_in {session_cookie, device_cookie, next? {outcome, answer}}, or, where a session of this browser has ended whose clients are told first, signed_in {session_cookie, device_cookie, frames [{redirect_uri, parameters {iss, sid}}], resume? (for authorization_resume)}; invalid_credentials {client?, ui_locales?}, slow_down {retry_after seconds, client?, ui_locales?}, error_page {error, error_description}. Raises ID004 when hashing is busy.';
revoke all on function identity.sign_in(text, text, text, text, text, text, text, text) from public;
grant execute on function identity.sign_in(text, text, text, text, text, text, text, text) to identity_gateway;

-- One row in any case; without a person who may sign in by password only the name is there.
create or replace function identity_store.sign_in_person(username text)
returns table (name_key text, user_id uuid, phc text, changed_at timestamptz)
language sql stable parallel safe
as $$
  select n.name_key, u.id, p.phc, p.changed_at
  from (select identity.normalize_name(left(coalesce(sign_in_person.username, ''), 320)) as name_key) n
  left join identity_store.sign_in_names s on s.name_key = n.name_key
  left join identity_store.users u on u.id = s.user_id and u.state = 'active'
  left join identity_store.passwords p on p.user_id = u.id
$$;
comment on function identity_store.sign_in_person(text) is 'Whom a name signs in, and the password to check: NULLs for an unknown name and a disabled person.';
revoke all on function identity_store.sign_in_person(text) from public;

-- The password was right when it was read, some 25 ms ago. It counts if it still is, now that the rows are locked:
-- whoever disables the person or changes the password either came first, or comes after us and ends this session.
-- Compared by changed_at, because a rehash by another sign-in changes the string and not the password.
create or replace function identity_store.sign_in_accept(
  user_id uuid, phc text, changed_at timestamptz, password text,
  source text, user_agent text, session_cookie text, kind text, key bytea
)
returns text
language plpgsql volatile parallel unsafe
as $$
declare
  present identity_store.sessions;
  new_cookie text;
  new_phc text;
  renewed boolean;
begin
  if identity.password_needs_rehash(sign_in_accept.phc) then
    new_phc := identity.sign_in_hash(sign_in_accept.password);
  end if;
  -- Not for share: those who share a lock overtake whoever waits to change the row, and disabling would never get its turn.
  perform from identity_store.users u where u.id = sign_in_accept.user_id and u.state = 'active' for no key update;
  if not found then
    return null;
  end if;
  if new_phc is not null then
    update identity_store.passwords p set phc = new_phc
    where p.user_id = sign_in_accept.user_id and p.phc = sign_in_accept.phc;
  end if;
  perform from identity_store.passwords p
  where p.user_id = sign_in_accept.user_id and p.changed_at = sign_in_accept.changed_at for no key update;
  if not found then
    return null;
  end if;

  present := identity_store.session_read(sign_in_accept.session_cookie);
  if present.user_id = sign_in_accept.user_id then
    new_cookie := identity_store.session_renew(present, array['pwd'], sign_in_accept.source, sign_in_accept.user_agent);
  elsif present.id is not null then
    perform identity_store.session_end(present.id, 'replaced');
  end if;
  renewed := new_cookie is not null;
  if not renewed then
    new_cookie := identity_store.session_start(
      sign_in_accept.user_id, array['pwd'], sign_in_accept.source, sign_in_accept.user_agent);
  end if;
  present := identity_store.session_read(new_cookie);
  perform identity_store.audit(
    case when renewed then 'session_renewed' else 'session_started' end, sign_in_accept.user_id, null, present.id,
    jsonb_strip_nulls(jsonb_build_object(
      'amr', present.amr, 'source', present.source, 'user_agent', present.user_agent,
      'failures_before', nullif(identity_store.sign_in_succeeded(sign_in_accept.kind, sign_in_accept.key), 0))));
  return new_cookie;
end
$$;
comment on function identity_store.sign_in_accept(uuid, text, timestamptz, text, text, text, text, text, bytea) is
  'Makes or renews the session after a right password, rehashing it when parameters moved, and forgets the failures counted with kind and key. Returns the session cookie; NULL when person or password changed meanwhile.';
revoke all on function identity_store.sign_in_accept(uuid, text, timestamptz, text, text, text, text, text, bytea) from public;

-- A browser keeps the last five people who signed in with it.
create or replace function identity_store.device_remember(device jsonb, user_id uuid)
returns text
language plpgsql volatile parallel unsafe
as $$
begin
  return identity.state_seal('device', jsonb_build_object(
    'device', coalesce(device ->> 'device', identity.uuid_v7()::text),
    'users', jsonb_path_query_array(
      to_jsonb(user_id) || (coalesce(device -> 'users', '[]') - user_id::text), '$[0 to 4]')
  ), interval '365 days');
end
$$;
comment on function identity_store.device_remember(jsonb, uuid) is
  'The device cookie of a browser in which this person has signed in: sealed, good for 365 days. device: what the cookie held before, NULL if nothing.';
revoke all on function identity_store.device_remember(jsonb, uuid) from public;
