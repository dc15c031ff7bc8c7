"""PyPI joserfc: makes keys, encrypts and decrypts for tests/encrypted.rs. One JSON command a line in, one answer a line out."""

import json
import sys

from joserfc import jwe, jws
from joserfc.jwk import JWKRegistry

ALGORITHMS = ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW", "A256GCM", "A128CBC-HS256", "DEF"]
SIZES = {"RSA": 2048, "EC": "P-256", "OKP": "X25519"}


def make(kty, size=None, **more):
    key = JWKRegistry.generate_key(kty, size or SIZES[kty], more, private=True)
    return {"private": key.as_dict(private=True), "public": key.as_dict(private=False)}


def encrypt(text, key, **header):
    return jwe.encrypt_compact(header, text.encode(), JWKRegistry.import_key(key), algorithms=ALGORITHMS)


def decrypt(token, key):
    opened = jwe.decrypt_compact(token, JWKRegistry.import_key(key), algorithms=ALGORITHMS)
    return {"header": opened.headers(), "text": opened.plaintext.decode()}


def verify(token, key):
    opened = jws.deserialize_compact(token, JWKRegistry.import_key(key), algorithms=["RS256", "PS256", "ES256", "EdDSA"])
    return {"header": opened.headers(), "claims": json.loads(opened.payload)}


COMMANDS = {"make": make, "encrypt": encrypt, "decrypt": decrypt, "verify": verify}
for line in sys.stdin:
    name, arguments = json.loads(line)
    print(json.dumps(COMMANDS[name](**arguments)), flush=True)
