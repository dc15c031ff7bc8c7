-- The functions of pgjwt (https://github.com/michelp/pgjwt) with the same signatures, in native code: whoever used them goes on.
--
--   sign, verify, algorithm_sign, url_encode, url_decode   everybody, as in pgjwt
--
-- Everybody may call them, because they are pure functions of what the caller gives: signing with a secret of one's own gives nothing that one did not
-- have. None of them signs anybody in; identity.authenticate believes no HMAC. A secret belongs into a bind parameter, or it ends up in logs.

create function url_encode(data bytea)
returns text
language c immutable strict parallel safe
as 'MODULE_PATHNAME', 'hmac_url_encode_wrapper';
comment on function url_encode(bytea) is 'base64url without padding (RFC 7515 §2). Raises nothing.';

create function url_decode(data text)
returns bytea
language c immutable strict parallel safe
as 'MODULE_PATHNAME', 'hmac_url_decode_wrapper';
comment on function url_decode(text) is 'The bytes of base64url or base64, with or without padding. Raises 22023 for anything else.';

create function algorithm_sign(signables text, secret text, algorithm text)
returns text
language c immutable strict parallel safe
as 'MODULE_PATHNAME', 'hmac_algorithm_sign_wrapper';
comment on function algorithm_sign(text, text, text) is
  'HMAC of signables under secret, base64url: HS256, HS384 or HS512 (RFC 7518 §3.2). Raises 22023 for another algorithm.';

create function sign(payload json, secret text, algorithm text default 'HS256')
returns text
language c immutable strict parallel safe
as 'MODULE_PATHNAME', 'hmac_sign_wrapper';
comment on function sign(json, text, text) is
  'A token with this payload, signed under secret with HS256, HS384 or HS512. Raises 22023 for another algorithm.';

create function verify_valid(token text, secret text, algorithm text)
returns boolean
language c stable strict parallel safe
as 'MODULE_PATHNAME', 'hmac_verify_valid_wrapper';
comment on function verify_valid(text, text, text) is
  'Whether the token was signed under secret with this algorithm (compared in constant time) and the statement began at nbf or later and before exp; what verify calls valid. Raises 22023 for an algorithm that is not HS256, HS384 or HS512.';

-- Pre-parsed, so that it finds its fellows wherever the extension is moved.
create function verify(token text, secret text, algorithm text default 'HS256')
returns table (header json, payload json, valid boolean)
language sql stable parallel safe
begin atomic
  select
    convert_from(url_decode(split_part(token, '.', 1)), 'utf8')::json,
    convert_from(url_decode(split_part(token, '.', 2)), 'utf8')::json,
    verify_valid(token, secret, algorithm);
end;
comment on function verify(text, text, text) is
  'What a token says, and whether it is valid: signed under secret with this algorithm, whatever its header says, and of now (nbf, exp). Other than in pgjwt a time that is no number makes it invalid, and times are compared with the start of the statement. Raises 22023 for an algorithm that is not HS256, HS384 or HS512, and PostgreSQL''s own errors for parts that are not JSON.';
