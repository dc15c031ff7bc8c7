-- The account chooser: prompt=select_account (OpenID Connect Core 1.0 §3.1.2.1).
--
--   identity.select_account_page, select_account    gateway: GET and POST /select-account
--   identity_store.accounts_known                   both: whom this browser may offer
--
-- The choice travels in the sealed request ("selected"). It proves nothing: who is chosen without being signed in signs in.

create or replace function identity.select_account_page(resume text, session_cookie text, browser_cookie text, device_cookie text)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  request jsonb;
  bound text;
  session identity_store.sessions;
  v record;
begin
  select a.request, a.resume into request, bound
  from identity_store.resume_adopt(select_account_page.resume, select_account_page.browser_cookie) a;
  if request is null then
    return query select * from identity_store.resume_refuse();
    return;
  end if;
  session := identity_store.session_read(select_account_page.session_cookie);
  select * into v from identity_store.authorization_verdict(request, session);
  if v.verdict in ('error_page', 'refuse') then
    return query select 'error_page', v.rule, identity_store.locales_answer(request, r.answer)
      from identity_store.refuse(v.error, v.description) r;
    return;
  elsif session.id is null then
    return query select 'sign_in', v.rule, json_build_object('resume', bound);
    return;
  end if;
  return query select 'page', null::text, identity_store.locales_answer(request, json_build_object(
    'resume', bound,
    'client', identity_store.client_display(request -> 'parameters' ->> 'client_id'),
    'accounts', (
      select json_agg(json_build_object('number', k.number, 'username', k.username, 'name', k.name,
        'signed_in', k.user_id = session.user_id) order by k.number)
      from identity_store.accounts_known(session, select_account_page.device_cookie) k)));
end
$$;
comment on function identity.select_account_page(text, text, text, text) is
  'Whom a person may go on as. Evidence: resume, bound to the browser cookie, the session cookie, the device cookie. '
  'Outcomes: page {resume (for the form), client, accounts [{number, username, name, signed_in}], ui_locales?}; sign_in {resume}; error_page {error, error_description, ui_locales?}.';
revoke all on function identity.select_account_page(text, text, text, text) from public;
grant execute on function identity.select_account_page(text, text, text, text) to identity_gateway;

create or replace function identity.select_account(
  resume text, session_cookie text, browser_cookie text, device_cookie text, account integer
)
returns table (outcome text, detail text, answer json)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  request jsonb := identity_store.resume_open(select_account.resume, select_account.browser_cookie);
  session identity_store.sessions;
  chosen record;
begin
  perform set_config('synchronous_commit', 'off', true);
  if request is null then
    return query select * from identity_store.resume_refuse();
    return;
  end if;
  session := identity_store.authorization_session(select_account.session_cookie, request);
  select * into chosen from identity_store.accounts_known(session, select_account.device_cookie) k
  where k.number = select_account.account;
  if chosen.user_id = session.user_id then
    return query select * from identity_store.authorization_continue(
      request || jsonb_build_object('selected', session.user_id), session);
    return;
  end if;
  -- Somebody else signs in. The name is only written into the form, as login_hint would be.
  request := case when chosen.username is null then request #- '{parameters,login_hint}'
    else jsonb_set(request, '{parameters,login_hint}', to_jsonb(chosen.username)) end;
  return query select 'sign_in', 'another account', json_build_object('resume', identity_store.resume_seal(request));
end
$$;
comment on function identity.select_account(text, text, text, text, integer) is
  'Goes on as one of the accounts of select_account_page, by its number; any other number, or NULL, is another account. Evidence as there. '
  'Outcomes as authorization_request.';
revoke all on function identity.select_account(text, text, text, text, integer) from public;
grant execute on function identity.select_account(text, text, text, text, integer) to identity_gateway;

create or replace function identity_store.accounts_known(session identity_store.sessions, device_cookie text)
returns table (number integer, user_id uuid, username text, name text)
language sql volatile parallel unsafe
as $$
  -- Nobody is offered to a browser in which nobody is signed in: who signs out on a shared computer leaves no name behind.
  select row_number() over (order by k.n)::integer, u.id, u.username, coalesce(u.claims ->> 'name', u.username)
  from (
    select session.user_id::text as known, 0 as n
    union all
    select e.known, e.n
    from identity.state_open('device', accounts_known.device_cookie) d,
      jsonb_array_elements_text(d -> 'users') with ordinality e (known, n)
    where e.known <> session.user_id::text
  ) k
  join identity_store.users u on u.id = k.known::uuid and u.state = 'active'
  where session.id is not null
$$;
comment on function identity_store.accounts_known(identity_store.sessions, text) is
  'Who is signed in, and after them, last first, who else has signed in with this browser (the device cookie), numbered from 1. No row when nobody is signed in.';
revoke all on function identity_store.accounts_known(identity_store.sessions, text) from public;
