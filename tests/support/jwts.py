"""An identity provider for tests: keys, and tokens signed with them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

ISSUER, AUDIENCE = "https://login.example", "execsvc"


def now() -> int:
    """The time as tokens have it."""
    return int(time.time())


class Signer:
    """A pair of keys of an identity provider."""

    def __init__(self, kid: str | None, algorithm: str = "ES256") -> None:
        self.kid, self.algorithm = kid, algorithm
        self._key: Any
        if algorithm == "ES256":
            self._key = ec.generate_private_key(ec.SECP256R1())
        elif algorithm == "EdDSA":
            self._key = ed25519.Ed25519PrivateKey.generate()
        else:
            self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def public(self) -> dict[str, Any]:
        """The public key as a JSON Web Key."""
        made = get_default_algorithms()[self.algorithm].to_jwk(self._key.public_key(), as_dict=True)
        named = {} if self.kid is None else {"kid": self.kid}
        return {**made, **named, "alg": self.algorithm, "use": "sig"}

    def pem(self) -> bytes:
        """The public key as whoever wants to misuse it has it."""
        pem: bytes = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem

    def token(self, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Sign a token of an operator; a claim that is None is left out."""
        given = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "ada",
            "exp": now() + 600,
            "namespace": "default",
            "role": "operator",
        } | claims
        payload = {name: value for name, value in given.items() if value is not None}
        named = {} if self.kid is None else {"kid": self.kid}
        return jwt.encode(payload, self._key, self.algorithm, headers={**named, **(header or {})})


def key_set(*signers: Signer, **more: Any) -> str:
    """The public keys as a JSON Web Key Set."""
    return json.dumps({"keys": [signer.public() for signer in signers], **more})


class Provider:
    """Answers over HTTP what it is told to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.content, self.status, self.asked = "", 200, 0
        self.headers: dict[str, str] = {}


@contextmanager
def served(content: str) -> Iterator[Provider]:
    """Serve keys on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked += 1
            body = provider.content.encode()
            self.send_response(provider.status)
            for name, value in {"Content-Length": str(len(body)), **provider.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_address[1]}/jwks.json")
    provider.content = content
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
