"""A person with a browser that runs no script, for the clients in Python: signs in, allows, and stops at the redirect to the client."""

import html
import os
import re
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests

E = os.environ


class Person:
    def __init__(self):
        self.browser = requests.Session()
        self.answers = {"username": E["PERSON_NAME"], "password": E["PERSON_PASSWORD"]}

    def visits(self, url):
        """Goes through our pages; answers the URL of the client that the last redirect leads to."""
        response = self.browser.get(url, allow_redirects=False)
        for _ in range(12):
            location = response.headers.get("Location")
            if location:
                following = urljoin(response.url, location)
                if urlsplit(following).netloc != urlsplit(E["ISSUER"]).netloc:
                    return following
                response = self.browser.get(following, allow_redirects=False)
                continue
            button = next((b for b in ("sign-in", "allow", "logout-yes") if f'id="{b}"' in response.text), None)
            assert button, f"nothing to press on {response.url} ({response.status_code}):\n{response.text}"
            form = next(f for f in re.findall(r"<form.*?</form>", response.text, re.S) if f'id="{button}"' in f)
            fields = {button: "yes"}
            for tag in re.findall(r"<input[^>]*>", form):
                attributes = {name: html.unescape(value) for name, value in re.findall(r'([a-z_-]+)="([^"]*)"', tag)}
                # One button is pressed.
                if attributes["type"] == "submit":
                    continue
                fields[attributes["name"]] = self.answers.get(attributes["name"], attributes.get("value", ""))
            action = html.unescape(re.search(r'action="([^"]*)"', form).group(1))
            response = self.browser.post(urljoin(response.url, action), data=fields, allow_redirects=False)
        raise AssertionError("the pages go round in circles")


def parameters(url):
    """What the provider answered to the client."""
    return dict(parse_qsl(urlsplit(url).query))
