-- Explain: why a token is good here or not, rule by rule, for administrators.
--
--   explain(token)   administrators
--
-- The rules are those of authenticate, by the same code (pg_identity/src/tokens.rs), which goes on here where it stops there.
-- Not for applications: it says more about a token than its signature has proved.

create function identity.token_explanation(token text)
returns jsonb
language c volatile parallel unsafe cost 10000
as 'MODULE_PATHNAME', 'token_explanation_wrapper';
comment on function identity.token_explanation(text) is
  'What identity.explain shows, as [{"rule", "passed", "detail"}]; internal. Raises nothing about the token.';
revoke all on function identity.token_explanation(text) from public;
grant execute on function identity.token_explanation(text) to identity_owner, identity_admin;

create function identity.explain(token text)
returns table (rule text, passed boolean, detail text)
language sql volatile parallel unsafe
as $$
  select r.value ->> 'rule', (r.value ->> 'passed')::boolean, r.value ->> 'detail'
  from jsonb_array_elements(identity.token_explanation(explain.token)) with ordinality as r (value, place)
  order by r.place
$$;
comment on function identity.explain(text) is
  'What authenticate would say to this token now, rule by rule: form, issuer, key, signature, type, audience, times, and each thing it stands on that may be revoked. Returns a row for every rule that could be looked at, with its SQLSTATE of class ID where it is broken; the token is good when all have passed. Nobody is signed in, nothing is written. Raises nothing about the token.';
revoke all on function identity.explain(text) from public;
grant execute on function identity.explain(text) to identity_owner, identity_admin;
