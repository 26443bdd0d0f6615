"""Recognise callers by the JSON Web Tokens of an identity provider."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

import jwt

from execsvc.errors import CredentialsInvalid, IdentityUnusable
from execsvc.model import Principal, Role
from execsvc.model.identity import NAMESPACE, ActorKind
from execsvc.service.jwt_rules import JwtRules

logger = logging.getLogger(__name__)

#: What tokens may be signed with; of these each key has one, its own. All are of keys that come in pairs: with the
#: others whoever checks could also sign.
ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
#: Seconds that keys of a URL are used before they are asked for anew, and between two tries: for an unknown key, or
#: after one that failed.
FRESH: Final = 300.0
PAUSE: Final = 10.0
#: Seconds that the URL may take, and bytes of its answer.
TIMEOUT: Final = 5.0
MOST_BYTES: Final = 1024 * 1024
#: Longest name that is taken from a token.
_MAX_NAME: Final = 128


class Jwts:
    """Knows callers by what their tokens say.

    Args:
        rules: whose tokens, and what they must say.
        clock: seconds that only grow, for how long keys are kept.

    Raises:
        IdentityUnusable: the file of keys cannot be used.
    """

    def __init__(self, rules: JwtRules, clock: Callable[[], float] = time.monotonic) -> None:
        self._rules = rules
        self._keys = _Keys(rules.keys, clock)

    async def of(self, text: str) -> Principal:
        """Answer who shows a token. Raises CredentialsInvalid."""
        try:
            header = jwt.get_unverified_header(text)
            key = await self._keys.find(header.get("kid"))
            claims = jwt.decode(
                text,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._rules.issuer,
                audience=self._rules.audience,
                leeway=self._rules.leeway,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
            return self._principal(claims)
        except (jwt.PyJWTError, _Unfit, ValueError, RecursionError) as error:
            # Of what kind, for whoever sets this up; of the token itself nothing.
            logger.debug("a JWT was refused: %s", type(error).__name__ if not isinstance(error, _Unfit) else error)
            raise CredentialsInvalid from error

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        namespace = claims.get(self._rules.namespace_claim)
        if not isinstance(namespace, str) or not NAMESPACE.fullmatch(namespace):
            raise _Unfit(f"its claim {self._rules.namespace_claim} names no namespace")
        said = claims.get(self._rules.role_claim)
        said = said if isinstance(said, list) else [said]
        roles = [role for role in Role if str(role) in said]
        if not roles:
            raise _Unfit(f"its claim {self._rules.role_claim} names no role")
        name = str(claims["sub"])[:_MAX_NAME]
        return Principal(kind=ActorKind.JWT, name=name, namespace=namespace, role=roles[-1])


class _Unfit(Exception):
    """The token is genuine or may be, and yet nobody can be told by it."""


@dataclass(slots=True)
class _Loaded:
    keys: Mapping[str | None, jwt.PyJWK]
    #: What the file was like, or when the URL was asked.
    version: Any


class _Keys:
    """The public keys of an identity provider, from a file or a URL, read anew when they may have changed."""

    def __init__(self, place: str, clock: Callable[[], float]) -> None:
        self._place = place
        self._clock = clock
        self._url = urlsplit(place).scheme in ("http", "https")
        self._loaded = _Loaded({}, None) if self._url else self._read()
        self._tried = float("-inf")
        self._asking = asyncio.Lock()

    async def find(self, kid: object) -> jwt.PyJWK:
        """Answer the key that a token names; the only one, where it names none. Raises _Unfit."""
        wanted = kid if isinstance(kid, str) else None
        if self._url:
            await self._ask(wanted)
        elif self._version() != self._loaded.version:
            try:
                self._loaded = self._read()
            except IdentityUnusable as error:
                logger.warning("%s; the keys in use stay", error)
                self._loaded.version = self._version()
        keys = self._loaded.keys
        if wanted is None and len(keys) == 1:
            return next(iter(keys.values()))
        if wanted not in keys:
            raise _Unfit("it names no key that is known")
        return keys[wanted]

    def _version(self) -> Any:
        try:
            found = Path(self._place).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> _Loaded:
        version = self._version()
        try:
            return _Loaded(_parsed(Path(self._place).read_bytes()), version)
        except (OSError, ValueError, jwt.PyJWTError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise IdentityUnusable(f"the keys in {self._place} cannot be used: {why}") from error

    def _due(self, wanted: str | None) -> bool:
        since = self._clock() - self._tried
        loaded = self._loaded
        if loaded.version is None or (wanted is not None and wanted not in loaded.keys):
            return since >= PAUSE
        return self._clock() - loaded.version >= FRESH and since >= PAUSE

    async def _ask(self, wanted: str | None) -> None:
        if not self._due(wanted):
            return
        async with self._asking:
            if not self._due(wanted):
                # Somebody else has asked meanwhile.
                return
            self._tried = self._clock()
            try:
                content = await asyncio.to_thread(_fetched, self._place)
                self._loaded = _Loaded(_parsed(content), self._clock())
            except (OSError, ValueError, jwt.PyJWTError) as error:
                logger.warning("the keys of %s cannot be read; those in use stay: %s", self._place, error)


def _parsed(content: bytes) -> Mapping[str | None, jwt.PyJWK]:
    """Read a JSON Web Key Set. Raises ValueError."""
    document = json.loads(content)
    found = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise ValueError("it is no JSON Web Key Set: an object with a list of keys")
    keys: dict[str | None, jwt.PyJWK] = {}
    for one in found:
        # Secrets shared with others, keys for encryption, and kinds that are not known are of no use here.
        if not isinstance(one, dict) or one.get("kty") == "oct" or one.get("use") == "enc":
            continue
        try:
            key = jwt.PyJWK(one)
        except jwt.PyJWTError:
            continue
        if key.algorithm_name in ALGORITHMS:
            keys[key.key_id] = key
    if not keys:
        raise ValueError("it holds no public key to check signatures with")
    return keys


class _NoRedirects(HTTPRedirectHandler):
    """Stays where the operator said: what answers elsewhere is not to be trusted."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER: Final[OpenerDirector] = build_opener(_NoRedirects)


def _fetched(url: str) -> bytes:
    request = Request(url, headers={"Accept": "application/json"})
    with _OPENER.open(request, timeout=TIMEOUT) as answer:
        content: bytes = answer.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES} bytes")
    return content
