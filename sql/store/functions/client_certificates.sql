-- Client certificates: tls_client_auth and self_signed_tls_client_auth (RFC 8705 §2).
--
--   identity_store.client_certificate_refusal    client_authentication.sql: what is wrong with it
--
-- Who spoke TLS has seen that the client holds the private key, and says whether it verified the chain: the gateway is believed
-- about both (README, decision 2). Whose certificate it is, and whether it is good at this moment, is decided here.

create or replace function identity_store.client_certificate_refusal(
  client identity_store.clients, certificate bytea, method text
)
returns text
language plpgsql stable parallel safe
as $$
declare
  said constant jsonb := identity.client_certificate_read(certificate);
  second constant bigint := floor(extract(epoch from statement_timestamp()));
begin
  return case
    when client.id is null then 'unknown client'
    when client.token_endpoint_auth_method not in ('tls_client_auth', 'self_signed_tls_client_auth') then
      format('client is registered for %s and has shown a certificate', client.token_endpoint_auth_method)
    when certificate is null then 'client certificate: there is none'
    when said is null then 'client certificate: malformed'
    -- RFC 5280 §4.1.2.5: from notBefore through notAfter, inclusive.
    when (said ->> 'not_before')::bigint > second then 'client certificate: not yet valid'
    when (said ->> 'not_after')::bigint < second then 'client certificate: expired'
    when client.token_endpoint_auth_method = 'self_signed_tls_client_auth' then
      -- RFC 8705 §2.2: the certificate matches one of those that are registered for the client. A chain that was verified does no harm.
      case when not coalesce(identity.client_certificate_published(certificate, identity_store.client_keys(client)), false)
        then 'client certificate: unknown_key' end
    -- RFC 8705 §2.1: the certificate chain has been validated. Anybody can write any subject into one that nobody signed.
    when client_certificate_refusal.method <> 'tls_client_auth' then 'client certificate: its chain was not verified'
    when not exists (
      select from (values
        ('tls_client_auth_subject_dn', client.tls_client_auth_subject_dn), ('tls_client_auth_san_dns', client.tls_client_auth_san_dns),
        ('tls_client_auth_san_uri', client.tls_client_auth_san_uri), ('tls_client_auth_san_ip', client.tls_client_auth_san_ip),
        ('tls_client_auth_san_email', client.tls_client_auth_san_email)) as registered (member, name)
      where said -> registered.member ? identity.client_certificate_name(registered.member, registered.name))
      then 'client certificate: of another subject'
  end;
end
$$;
comment on function identity_store.client_certificate_refusal(identity_store.clients, bytea, text) is
  'Why a certificate (DER) does not prove this client, for logs; NULL when it does. method: tls_client_auth when its chain was verified, self_signed_tls_client_auth when it was not. Raises nothing.';
revoke all on function identity_store.client_certificate_refusal(identity_store.clients, bytea, text) from public;
