"""Whose JSON Web Tokens are taken, and what they must say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtRules:
    """Whose JSON Web Tokens are taken, and what they must say."""

    #: Claim ``iss``.
    issuer: str
    #: Claim ``aud``, or one of its values.
    audience: str
    #: The public keys as a JSON Web Key Set: path of a file, or a URL.
    keys: str
    #: Seconds that clocks may differ.
    leeway: float = 30.0
    #: Claims that name the namespace, and the role or several of which the highest counts.
    namespace_claim: str = "namespace"
    role_claim: str = "role"
