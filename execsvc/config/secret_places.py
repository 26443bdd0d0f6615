"""Where secrets come from, as the settings say it: ``env:PREFIX``, ``dir:PATH`` and ``plugin:NAME``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from execsvc.config.setting import CONFIG_VARIABLE, SECRET_PREFIX
from execsvc.config.table import SETTINGS

#: Namespaces as ``execsvc.model.identity`` has them.
_PLACE: Final = re.compile(
    r"(?:(?P<namespace>[A-Za-z0-9_.:-]{1,128})=)?(?P<kind>env|dir|plugin):(?P<where>[^\0]+)", re.ASCII
)
_PREFIX: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*_", re.ASCII)
_FORMS: Final = "env:PREFIX_, NAMESPACE=env:PREFIX_, dir:PATH or plugin:NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlace:
    """One place that is looked into for secrets."""

    kind: Literal["env", "dir", "plugin"]
    #: Of env: the beginning of the variables' names; of dir: the directory; of plugin: the entry point.
    where: str
    #: Of env: whose secrets these are; empty: those of the default namespace.
    namespace: str = ""

    def __str__(self) -> str:
        return f"{f'{self.namespace}=' if self.namespace else ''}{self.kind}:{self.where}"


def parse_secret_places(value: Any) -> tuple[SecretPlace, ...]:
    """Read places: one, several with spaces between, or a list.

    Raises:
        ValueError: one of them makes no sense, or would let workflows read more than is meant; the text says which.
    """
    if value is None:
        return ()
    items = value.split() if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise ValueError(f"{items!r} is none of {_FORMS}")
    places = tuple(dict.fromkeys(item if isinstance(item, SecretPlace) else _place(item) for item in items))
    _keep_apart([place for place in places if place.kind == "env"])
    return places


def _place(text: Any) -> SecretPlace:
    found = _PLACE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is none of {_FORMS}")
    namespace, kind, where = found["namespace"] or "", found["kind"], found["where"]
    if kind == "env":
        _check_prefix(where)
    elif namespace:
        raise ValueError(f"{text!r}: a namespace stands before env alone, as in billing=env:BILLING_SECRET_")
    return SecretPlace(kind=cast(Any, kind), where=where, namespace=namespace)


def _check_prefix(prefix: str) -> None:
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"env:{prefix} names no prefix of variables; it ends with _, as in env:{SECRET_PREFIX}")
    own = [setting.variable for setting in SETTINGS.values()] + [CONFIG_VARIABLE]
    mine = next((name for name in own if name.startswith(prefix)), None)
    if mine is not None:
        raise ValueError(f"env:{prefix} would let workflows read {mine}; take another, as env:{SECRET_PREFIX}")


def _keep_apart(places: Sequence[SecretPlace]) -> None:
    for one, other in _pairs(places):
        if one.namespace != other.namespace and one.where.startswith(other.where):
            raise ValueError(
                f"{one} and {other}: the variables of one would be secrets of the other's namespace as well; "
                "no prefix may begin with another namespace's"
            )


def _pairs(places: Sequence[SecretPlace]) -> Iterable[tuple[SecretPlace, SecretPlace]]:
    return ((one, other) for one in places for other in places if one is not other)
