-- Parameters: a request as the gateway hands it on, the one place where its form is checked. The rules are in
-- pg_identity/src/parameters.rs.
--
-- For our own functions: request_parameters.

create function identity.request_parameters(parameters json, known text[]) returns jsonb
language c immutable parallel safe as 'MODULE_PATHNAME', 'request_parameters_wrapper';
comment on function identity.request_parameters(json, text[]) is
  'The known parameters of a request, which is {"name": ["value", …]}: {"parameters": {"name": "value", "resource": ["value", …]}, "repeated": ["name", …]}. '
  'parameters are those with a value, resources sorted; repeated names those given more than once (resource may be), which are not among them, null for none. Raises ID005 when it is no object of arrays of strings, or names one twice.';
revoke all on function identity.request_parameters(json, text[]) from public;
grant execute on function identity.request_parameters(json, text[]) to identity_owner;
