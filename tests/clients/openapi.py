"""Answers to requests that are right, held against the description that the gateway serves (tests/openapi.rs)."""

import os

import requests
import schemathesis

issuer = os.environ["ISSUER"]
schema = schemathesis.openapi.from_url(f"{issuer}/openapi.json")
web = (os.environ["WEB_ID"], os.environ["WEB_SECRET"])
service = (os.environ["SERVICE_ID"], os.environ["SERVICE_SECRET"])


def ask(method, path, status, address=None, **request):
    answer = requests.request(method, address or issuer + path, allow_redirects=False, timeout=10, **request)
    assert answer.status_code == status, (method, path, answer.status_code, answer.text)
    schema[path][method].validate_response(answer)
    return answer


def get(path, status=200, **request):
    return ask("GET", path, status, **request)


def post(path, status=200, **request):
    return ask("POST", path, status, **request)


for document in ["/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]:
    tag = get(document).headers["ETag"]
    get(document, 304, headers={"If-None-Match": tag})
get("/openapi.json")

code = {"grant_type": "authorization_code", "code": os.environ["CODE"], "redirect_uri": os.environ["WEB_REDIRECT"],
        "code_verifier": os.environ["VERIFIER"]}
tokens = post("/token", auth=web, data=code).json()
assert {"id_token", "refresh_token"} <= tokens.keys(), tokens
again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
tokens = post("/token", auth=web, data=again).json()
own = post("/token", auth=service, data={"grant_type": "client_credentials"}).json()
post("/token", 401, auth=("nobody", "x"), data=again)

bearer = {"Authorization": f"Bearer {own['access_token']}"}
get("/userinfo", 403, headers=bearer)
for token in [tokens["access_token"], tokens["refresh_token"], own["access_token"], "nothing"]:
    post("/introspect", auth=web, data={"token": token})
bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
get("/userinfo", headers=bearer)
post("/userinfo", headers=bearer)
# The second use of a code ends what the first one gave.
post("/token", 400, auth=web, data=code)
get("/userinfo", 401, headers=bearer)
post("/userinfo", 401)
post("/introspect", 401, data={"token": "x"})
post("/revoke", auth=service, data={"token": own["access_token"]})
post("/revoke", 400, auth=service)

# A client that registers itself, looks, changes its name and goes.
metadata = {"redirect_uris": ["https://registered.example/cb"], "client_name#fr": "Le mien"}
client = post("/register", 201, json=metadata).json()
post("/register", 201, json=metadata | {"token_endpoint_auth_method": "none"})
post("/register", 400, json={"redirect_uris": "x"})
post("/register", 401, json=metadata, headers=bearer)
managed, own = "/register/{client_id}", {"Authorization": f"Bearer {client['registration_access_token']}"}
for headers in [{}, bearer]:
    ask("GET", managed, 401, client["registration_client_uri"], headers=headers)
ask("GET", managed, 200, client["registration_client_uri"], headers=own)
changed = metadata | {"client_id": client["client_id"], "client_name": "Mine"}
ask("PUT", managed, 200, client["registration_client_uri"], headers=own, json=changed)
ask("PUT", managed, 400, client["registration_client_uri"], headers=own, json=metadata)
ask("DELETE", managed, 204, client["registration_client_uri"], headers=own)
ask("DELETE", managed, 401, client["registration_client_uri"], headers=own)

# A person's browser, from the sign-in page to the end of the session.
browser = requests.Session()


def browse(method, path, status=200, address=None, **request):
    answer = browser.request(method, address or issuer + path, allow_redirects=False, timeout=10, **request)
    assert answer.status_code == status, (method, path, answer.status_code, answer.text)
    schema[path][method].validate_response(answer)
    return answer


def csrf(page):
    return page.text.split('name="csrf" value="')[1].split('"')[0]


def resume(page):
    return page.text.split('name="resume" value="')[1].split('"')[0]


browse("GET", "/", 303)
login = browse("GET", "/login")
person = {"csrf": csrf(login), "username": os.environ["PERSON_NAME"]}
browse("POST", "/login", 422, data=person | {"password": "wrong"})
browse("POST", "/login", 403, data=person | {"csrf": "x"})
browse("POST", "/login", 303, data=person | {"password": os.environ["PERSON_PASSWORD"]})
next_page = browse("GET", "/authorize", 303, address=os.environ["AUTHORIZE"]).headers["Location"]
consent = browse("GET", "/consent", address=issuer + next_page)
browse("POST", "/consent", 303, data={"csrf": csrf(consent), "resume": resume(consent), "allow": "yes"})
next_page = browse("GET", "/authorize", 303, address=os.environ["AUTHORIZE"] + "&response_mode=form_post").headers["Location"]
consent = browse("GET", "/consent", address=issuer + next_page)
browse("POST", "/consent", 200, data={"csrf": csrf(consent), "resume": resume(consent), "allow": "yes"})
browse("GET", "/consent", 400, params={"resume": os.environ["RESUME"]})
chooser = os.environ["AUTHORIZE"].replace("prompt=consent", "prompt=select_account")
next_page = browse("GET", "/authorize", 303, address=chooser).headers["Location"]
page = browse("GET", "/select-account", address=issuer + next_page)
browse("POST", "/select-account", 303, data={"csrf": csrf(page), "resume": resume(page), "other-account": "yes"})
browse("POST", "/authorize", 303, data={"client_id": web[0]})
browse("GET", "/authorize", 400)
home = browse("GET", "/")
form = {"csrf": csrf(home)}
browse("GET", "/password", 303)
browse("POST", "/password", 422, data=form | {"old_password": "x", "new_password": "y", "new_password_again": "z"})
browse("POST", "/sessions/end-others", 303, data=form)
browse("POST", "/sessions/end", 303, data=form | {"session_id": "x"})
browse("POST", "/applications/withdraw", 303, data=form | {"client_id": "nobody"})
sheet = home.text.split('rel="stylesheet" href="')[1].split('"')[0]
tag = browse("GET", "/assets/{digest}/{name}", address=issuer + sheet).headers["ETag"]
browse("GET", "/assets/{digest}/{name}", 304, address=issuer + sheet, headers={"If-None-Match": tag})
browse("GET", "/assets/{digest}/{name}", 404, address=issuer + "/assets/x/y")
browse("POST", "/logout", 303, data={"state": "x"})
out = browse("GET", "/logout")
browse("POST", "/logout/confirm", 303, data={"csrf": csrf(out), "resume": resume(out), "logout-yes": "yes"})
browse("GET", "/logout/done")
browse("GET", "/logout/elsewhere", 303)
browse("GET", "/session-state/check", 204)
browse("GET", "/session-state")
