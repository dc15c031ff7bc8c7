-- Certificates with which clients prove themselves in TLS (RFC 8705 §2). pg_identity/src/client_certificates.rs.
--
--   client_certificate_read, client_certificate_name    the store: whose certificate it is
--   client_certificate_published                        the store: whether its key is one of the client's

create function identity.client_certificate_read(certificate bytea) returns jsonb
language c immutable strict parallel safe cost 1000 as 'MODULE_PATHNAME', 'client_certificate_read_wrapper';
comment on function identity.client_certificate_read(bytea) is
  'What a certificate says, true or not: {tls_client_auth_subject_dn, tls_client_auth_san_dns, …_uri, …_ip, …_email: arrays, each name as client_certificate_name writes it; not_before, not_after: seconds since 1970}; NULL when it is not strictly one X.509 certificate in DER of at most 8 KiB. Raises nothing.';
revoke all on function identity.client_certificate_read(bytea) from public;
grant execute on function identity.client_certificate_read(bytea) to identity_owner;

create function identity.client_certificate_name(member text, value text) returns text
language c immutable strict parallel safe cost 100 as 'MODULE_PATHNAME', 'client_certificate_name_wrapper';
comment on function identity.client_certificate_name(text, text) is
  'The value of one of the metadata members tls_client_auth_* (RFC 8705 §2.1.2) in the form in which it is compared: equal texts are equal names. NULL when it is no such name. Raises nothing.';
revoke all on function identity.client_certificate_name(text, text) from public;
grant execute on function identity.client_certificate_name(text, text) to identity_owner;

create function identity.client_certificate_published(certificate bytea, jwks jsonb) returns boolean
language c immutable strict parallel safe cost 1000 as 'MODULE_PATHNAME', 'client_certificate_published_wrapper';
comment on function identity.client_certificate_published(bytea, jsonb) is
  'Whether a JWK set holds this certificate (x5c) or, in a key without x5c, its public key (RFC 8705 §2.2.2); keys for encryption do not count. Raises ID005 for JSON that is nested too deeply.';
revoke all on function identity.client_certificate_published(bytea, jsonb) from public;
grant execute on function identity.client_certificate_published(bytea, jsonb) to identity_owner;
