-- PostgREST: the verified identity for its requests.
--
--   pre_request()   the roles that PostgREST changes to; each inherits identity_app
--
--   db-pre-request = "identity.pre_request"
--
-- PostgREST begins a transaction, does set_config('search_path', …, true), set_config('role', …, true) and
-- set_config('request.headers', …, true), a JSON object with names in lower case, calls this function, and then runs the request. Anybody who can
-- run SQL can write those settings; so nothing is taken from them but the token, and that is verified.

create function identity.pre_request()
returns void
language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp
as $$
declare
  authorization_header constant text := nullif(current_setting('request.headers', true), '')::json ->> 'authorization';
begin
  -- RFC 6750 §2.1; the name of a scheme ignores case (RFC 9110 §11.1). Whoever shows no bearer token is nobody.
  if authorization_header is null or authorization_header !~* '^bearer( |$)' then
    return;
  end if;
  perform identity.authenticate(ltrim(substr(authorization_header, 8), ' '));
exception
  when sqlstate 'ID101' or sqlstate 'ID102' or sqlstate 'ID103' or sqlstate 'ID104' or sqlstate 'ID105' or sqlstate 'ID106'
    or sqlstate 'ID107' or sqlstate 'ID108' or sqlstate 'ID109' or sqlstate 'ID110' then
    -- PostgREST answers SQLSTATE PTxyz with status xyz, in all its versions. RFC 6750 §3.1: invalid_token is a 401.
    raise sqlstate 'PT401' using message = 'invalid_token', detail = sqlerrm, hint = format('SQLSTATE %s', sqlstate);
end
$$;
comment on function identity.pre_request() is
  'For db-pre-request of PostgREST: signs in whoever the bearer token of the request speaks for, until its transaction ends; without one nobody is signed in. Raises PT401, which PostgREST answers with status 401, for a token that is not good, and ID201 for a second subject.';
revoke all on function identity.pre_request() from public;
grant execute on function identity.pre_request() to identity_owner, identity_admin, identity_app;
