-- What depends on the ports that `make run` was given this time: the issuer and the demo app's address.
--   psql -v issuer=… -v app_url=… -v client_id=… -f ports.sql
set role identity_admin;
-- Tokens for the demo's resource are accepted in this database too, beside those for the issuer itself.
\o /dev/null
select identity.configure(:'issuer', array[:'issuer', 'https://notes.example/api']);
select identity.client_update(:'client_id', jsonb_build_object(
  'redirect_uris', jsonb_build_array(:'app_url' || '/callback'),
  'post_logout_redirect_uris', jsonb_build_array(:'app_url' || '/')));
