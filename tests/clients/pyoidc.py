"""PyPI oic (pyoidc): reads about the provider, registers itself, and then a code flow, userinfo, refresh and logout."""

import os

from oic import rndstr
from oic.oic import Client
from oic.oic.message import AuthorizationResponse
from oic.utils.authn.client import CLIENT_AUTHN_METHOD

from person import Person, parameters

E = os.environ
LOGGED_OUT = "https://notes.example/"

client = Client(client_authn_method=CLIENT_AUTHN_METHOD, config={"code_challenge": {"method": "S256", "length": 64}})
provider = client.provider_config(E["ISSUER"])
assert provider["issuer"] == E["ISSUER"], provider

client.redirect_uris = ["https://notes.example/callback"]
# We fetch requests from registered addresses only; it registers one below this.
client.base_url = "https://notes.example/"
registration = client.register(
    provider["registration_endpoint"],
    client_name="Notes with pyoidc",
    redirect_uris=client.redirect_uris,
    post_logout_redirect_uris=[LOGGED_OUT],
    response_types=["code"],
    grant_types=["authorization_code", "refresh_token"],
    id_token_signed_response_alg="ES256",
    scope="openid profile email address offline_access",
)
assert client.client_id == registration["client_id"] and registration["client_secret"], registration.to_dict()
assert client.registration_read()["client_id"] == client.client_id


def sign_in(person, **more):
    state, nonce = rndstr(), rndstr()
    asked = {
        "client_id": client.client_id,
        "response_type": "code",
        "scope": ["openid", "profile", "email", "address", "offline_access"],
        "nonce": nonce,
        "state": state,
        "redirect_uri": client.redirect_uris[0],
        **more,
    }
    challenge, verifier = client.add_code_challenge()
    request = client.construct_AuthorizationRequest(request_args={**asked, **challenge})
    landed = person.visits(request.request(client.authorization_endpoint))
    answer = client.parse_response(AuthorizationResponse, info=landed.split("?", 1)[1], sformat="urlencoded")
    assert answer["state"] == state and parameters(landed)["iss"] == E["ISSUER"], answer
    tokens = client.do_access_token_request(
        state=state,
        request_args={"code": answer["code"], "redirect_uri": client.redirect_uris[0], "code_verifier": verifier},
        authn_method="client_secret_basic",
    )
    assert "error" not in tokens, tokens.to_dict()
    # The signature is checked with the published keys, iss, aud, exp and azp too; the nonce is the caller's.
    assert tokens["id_token"]["nonce"] == nonce and tokens["id_token"]["sub"] == E["PERSON_SUB"], tokens.to_dict()
    return state, tokens


person = Person()
state, tokens = sign_in(person, max_age=3600, ui_locales=["en"])
assert "auth_time" in tokens["id_token"], tokens.to_dict()

userinfo = client.do_user_info_request(state=state, method="GET")
assert userinfo["sub"] == E["PERSON_SUB"] and userinfo["preferred_username"] == E["PERSON_NAME"], userinfo.to_dict()
assert userinfo["email_verified"] is True and userinfo["address"]["country"] == "England", userinfo.to_dict()
# The token in the body.
assert client.do_user_info_request(state=state, method="POST", behavior="token_in_message_body")["sub"] == E["PERSON_SUB"]

refreshed = client.do_access_token_refresh(state=state, authn_method="client_secret_basic")
assert refreshed["access_token"] != tokens["access_token"], refreshed.to_dict()

# A second sign-in of the same browser asks for no password; then logout, to where the client registered.
del person.answers["password"]
state, tokens = sign_in(person)
ended = client.construct_EndSessionRequest(
    state=state, request_args={"post_logout_redirect_uri": LOGGED_OUT, "state": state}
)
landed = person.visits(ended.request(client.end_session_endpoint))
assert landed == f"{LOGGED_OUT}?state={state}", landed

print("oic: all good")
