-- The state of a pending authorization: sealed, never stored (README, decision 7: an unauthenticated request writes nothing).
--
--   identity_store.resume_seal     authorization
--   identity_store.resume_oversized    authorization, logout: before anything is sealed
--   identity_store.resume_open     sign-in, consent: what a form brings back
--   identity_store.resume_adopt    sign-in page, consent page, authorization_resume: what a link brings
--   identity_store.resume_refuse   the same and logout_confirm: what they answer when it cannot be opened
--   identity_store.browser_hash    what binds it to the browser
--
-- State: {"browser": hash of the browser cookie, "parameters": {name: value, "resource": [value, …]}, "started_at": seconds,
-- "selected": who was chosen in the account chooser}.
-- It holds the request only, never who has proved what: a proof makes a row (a session, a consent).

create or replace function identity_store.resume_seal(request jsonb)
returns text
language sql volatile parallel unsafe
as $$
  select identity.state_seal('authorization', request, interval '10 minutes')
$$;
comment on function identity_store.resume_seal(jsonb) is 'Seals a pending authorization for ten minutes.';
revoke all on function identity_store.resume_seal(jsonb) from public;

-- README, decision 7: 6 kB of URL. Sealing and the rest of the state add at most 200 bytes, base64 a third.
create or replace function identity_store.resume_oversized(parameters jsonb)
returns boolean
language sql immutable parallel safe
as $$ select octet_length(parameters::text) > 4400 $$;
comment on function identity_store.resume_oversized(jsonb) is 'Whether a request is too large to travel sealed in a URL.';
revoke all on function identity_store.resume_oversized(jsonb) from public;

create or replace function identity_store.resume_open(resume text, browser_cookie text)
returns jsonb
language sql stable parallel safe
as $$
  -- The link of one browser does nothing in another: what a stranger started, nobody finishes by following a link.
  select s.state
  from identity.state_open('authorization', resume_open.resume) as s (state)
  where s.state ->> 'browser' = identity_store.browser_hash(resume_open.browser_cookie)
$$;
comment on function identity_store.resume_open(text, text) is
  'The pending authorization inside resume; NULL when it is malformed, expired, of another browser or of none.';
revoke all on function identity_store.resume_open(text, text) from public;

create or replace function identity_store.resume_adopt(resume text, browser_cookie text)
returns table (request jsonb, resume text)
language sql volatile parallel unsafe
as $$
  -- A first visit from another site must not be given a cookie yet (README, decision 7): its request belongs to nobody, as
  -- the link it came by. The first page binds it to the browser that sees it, and only that form can be sent.
  select o.request, $1 from identity_store.resume_open($1, $2) as o (request) where o.request is not null
  union all
  select n.request, identity_store.resume_seal(n.request)
  from identity.state_open('authorization', $1) as s (state),
    identity_store.browser_hash($2) as b (hash),
    jsonb_set(s.state, '{browser}', to_jsonb(b.hash)) as n (request)
  where s.state ->> 'browser' is null and b.hash is not null
$$;
comment on function identity_store.resume_adopt(text, text) is
  'For pages: the pending authorization, and its seal from now on, which binds a request that belonged to no browser to this one. No row when it is malformed, expired or of another browser.';
revoke all on function identity_store.resume_adopt(text, text) from public;

create or replace function identity_store.resume_refuse()
returns table (outcome text, detail text, answer json)
language sql immutable parallel safe
as $$
  select 'error_page', 'resume is malformed, expired or of another browser', r.answer
  from identity_store.refuse('invalid_request', 'this sign-in took too long or began in another browser: go back to the application and start again') r
$$;
comment on function identity_store.resume_refuse() is 'The error page for a pending request that cannot be opened.';
revoke all on function identity_store.resume_refuse() from public;

create or replace function identity_store.browser_hash(browser_cookie text)
returns text
language plpgsql immutable parallel safe
as $$
begin
  return case when browser_cookie <> ''
    then translate(encode(identity.opaque_hash('browser:' || browser_cookie), 'base64'), E'+/=\n', '-_') end;
end
$$;
comment on function identity_store.browser_hash(text) is 'SHA-256 of the browser cookie, base64url; NULL without a cookie, which equals nothing.';
revoke all on function identity_store.browser_hash(text) from public;
