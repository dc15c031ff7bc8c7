"""PyPI authlib: the application class that its Flask and Django integrations share, and its OAuth2Session."""

import json
import os

from authlib.integrations.base_client import BaseApp, OAuth2Mixin, OAuthError, OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from joserfc.jwk import ECKey

from person import Person, parameters

E = os.environ


class App(OAuth2Mixin, OpenIDMixin, BaseApp):
    client_cls = OAuth2Session


def session(client_id, secret, **more):
    return OAuth2Session(client_id, secret, token_endpoint_auth_method="client_secret_basic", **more)


def refused(error, call, *arguments, **more):
    try:
        call(*arguments, **more)
    except OAuthError as refusal:
        assert refusal.error == error, refusal
    else:
        raise AssertionError(f"not refused with {error}")


app = App(
    None,
    client_id=E["WEB_ID"],
    client_secret=E["WEB_SECRET"],
    server_metadata_url=E["ISSUER"] + "/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email address phone offline_access", "code_challenge_method": "S256"},
)

# Code, PKCE, nonce, state; the ID token is verified with the published keys.
request = app.create_authorization_url(E["WEB_REDIRECT"])
answer = parameters(Person().visits(request["url"]))
assert answer["state"] == request["state"] and answer["iss"] == E["ISSUER"], answer
code = {"code": answer["code"], "code_verifier": request["code_verifier"]}
token = app.fetch_access_token(E["WEB_REDIRECT"], **code)
claims = app.parse_id_token(token, request["nonce"])
assert claims["sub"] == E["PERSON_SUB"] and claims["aud"] in (E["WEB_ID"], [E["WEB_ID"]]), claims

userinfo = app.userinfo(token=token)
assert userinfo["sub"] == E["PERSON_SUB"] and userinfo["address"]["country"] == "England", userinfo
assert userinfo["email"].startswith(E["PERSON_NAME"]) and userinfo["phone_number_verified"] is True, userinfo

metadata = app.load_server_metadata()
web = session(E["WEB_ID"], E["WEB_SECRET"], token=token)
refreshed = web.refresh_token(metadata["token_endpoint"])
assert refreshed["access_token"] != token["access_token"]

ask = metadata["introspection_endpoint"]
known = web.introspect_token(ask, token=refreshed["access_token"]).json()
assert known["active"] is True and known["sub"] == E["PERSON_SUB"], known
assert web.revoke_token(metadata["revocation_endpoint"], token=refreshed["refresh_token"]).status_code == 200
assert web.introspect_token(ask, token=refreshed["access_token"]).json() == {"active": False}
refused("invalid_grant", web.refresh_token, metadata["token_endpoint"], refresh_token=refreshed["refresh_token"])

# A code is for one use.
refused("invalid_grant", app.fetch_access_token, E["WEB_REDIRECT"], **code)

# A service, with its secret in the header; RFC 6749 §2.3.1 lets a client that registered for it send it in the body.
service = session(E["SERVICE_ID"], E["SERVICE_SECRET"])
own = service.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
assert own["token_type"].lower() == "bearer" and "refresh_token" not in own, own
assert service.introspect_token(ask, token=own["access_token"]).json()["client_id"] == E["SERVICE_ID"]
refused("invalid_client", session(E["SERVICE_ID"], "wrong").fetch_token, metadata["token_endpoint"], grant_type="client_credentials")

# Services that sign with their secret or key: an assertion for each request.
signing = ECKey.import_key(json.loads(E["SIGNED_KEY"]))
for client_id, secret, method in [
    (E["HMAC_ID"], E["HMAC_SECRET"], ClientSecretJWT()),
    (E["SIGNED_ID"], signing, PrivateKeyJWT(alg="ES256")),
]:
    signed = OAuth2Session(client_id, secret, token_endpoint_auth_method=method.name)
    signed.register_client_auth_method(method)
    for _ in range(2):
        assert signed.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")["access_token"]
forged = OAuth2Session(E["SIGNED_ID"], ECKey.generate_key("P-256"), token_endpoint_auth_method="private_key_jwt")
forged.register_client_auth_method(PrivateKeyJWT(alg="ES256"))
refused("invalid_client", forged.fetch_token, metadata["token_endpoint"], grant_type="client_credentials")

print("authlib: all good")
