"""Put settings together: flags over environment over file, each value with the place it comes from."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, InitSettingsSource, TomlConfigSettingsSource

from execsvc.config.models import ClientSettings, ServerSettings
from execsvc.config.setting import CONFIG_VARIABLE, DEFAULT_FILE, SECRET_PREFIX
from execsvc.config.table import SETTINGS

_S = TypeVar("_S", ServerSettings, ClientSettings)

#: Variables with our prefix that are no settings of these models.
_OTHER_VARIABLES: Final = frozenset({CONFIG_VARIABLE})
_LINE: Final = re.compile(r"\(at line (\d+), column (\d+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a value comes from."""

    #: ``flag``, ``variable``, ``file`` or ``default``.
    kind: str
    #: The flag, the variable or the file's path; empty for a default.
    name: str = ""
    #: Of the file, from 1; 0 where it cannot be told.
    line: int = 0

    def __str__(self) -> str:
        if self.kind == "default":
            return "default"
        return f"{self.name}:{self.line}" if self.line else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingProblem:
    """One value, or key of the file, that cannot be used."""

    #: The setting; empty where it is none.
    setting: str
    source: Source
    #: What is wrong and what would be right.
    message: str

    def __str__(self) -> str:
        name = f" {self.setting}:" if self.source.kind == "file" and self.setting else ""
        return f"{self.source}:{name} {self.message}"


class SettingsInvalid(Exception):
    """The settings cannot be used."""

    def __init__(self, problems: Sequence[SettingProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, problems)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded(Generic[_S]):
    """Settings in force."""

    settings: _S
    #: By setting: where its value comes from.
    whence: Mapping[str, Source]
    #: The file that was read; None: none.
    file: Path | None


def find_file(flag: str | None) -> Path | None:
    """Give the file of settings: the flag's, the variable's, or ``execsvc.toml`` here if it is there.

    Raises:
        SettingsInvalid: the file that was named cannot be read.
    """
    named = (("flag", "--config", flag), ("variable", CONFIG_VARIABLE, os.environ.get(CONFIG_VARIABLE)))
    for kind, name, path in named:
        if path:
            if not Path(path).is_file():
                source = Source(kind=kind, name=name)
                raise SettingsInvalid(
                    [SettingProblem(setting="config", source=source, message=f"there is no file {path!r}")]
                )
            return Path(path)
    here = Path(DEFAULT_FILE)
    return here if here.is_file() else None


def load(model: type[_S], flags: Mapping[str, Any], *, file: Path | None) -> Loaded[_S]:
    """Put the settings of a model together.

    Args:
        model: which settings; values of the others are not looked at.
        flags: by setting; None where the flag was not given.
        file: as ``find_file`` gives it.

    Raises:
        SettingsInvalid: with every value that cannot be used, and every key of the file that is no setting.
    """
    document = _Document(model, file)
    sources = (
        (lambda name: Source(kind="flag", name=SETTINGS[name].flag), _given(model, flags)),
        (lambda name: Source(kind="variable", name=SETTINGS[name].variable), EnvSettingsSource(model)()),
        (document.source, document.values),
    )
    values: dict[str, Any] = {}
    whence = dict.fromkeys(model.model_fields, Source(kind="default"))
    for source, found in reversed(sources):
        values |= found
        whence |= {name: source(name) for name in found}
    problems = list(document.unknown())
    settings: _S | None = None
    try:
        settings = model(**values)
    except ValidationError as error:
        problems += _problems(error, values, whence)
    if settings is None or problems:
        raise SettingsInvalid(problems)
    return Loaded(settings=settings, whence=whence, file=file)


def unknown_variables() -> Iterator[SettingProblem]:
    """Give the variables with our prefix that no setting is named by, each with what may have been meant."""
    known = {setting.variable for setting in SETTINGS.values()} | _OTHER_VARIABLES
    for name in sorted(os.environ):
        if name.startswith("EXECSVC_") and name not in known and not name.startswith(SECRET_PREFIX):
            yield SettingProblem(
                setting="",
                source=Source(kind="variable", name=name),
                message=f"is no setting{_meant(name, known)}",
            )


def _given(model: type[BaseSettings], flags: Mapping[str, Any]) -> dict[str, Any]:
    return InitSettingsSource(model, {name: value for name, value in flags.items() if value is not None})()


def _problems(
    error: ValidationError, values: Mapping[str, Any], whence: Mapping[str, Source]
) -> Iterator[SettingProblem]:
    # Of a value with several parts the first that is wrong speaks for all.
    first = {str(found["loc"][0]): found for found in reversed(error.errors(include_url=False))}
    for name in sorted(first, key=list(SETTINGS).index):
        why = first[name].get("ctx", {}).get("error")
        message = str(why) if isinstance(why, ValueError) and str(why) else ""
        yield SettingProblem(
            setting=name,
            source=whence[name],
            message=_unless_secret(name, message) or f"{_shown(name, values[name])} is not {SETTINGS[name].expects}",
        )


def _shown(name: str, value: Any) -> str:
    if SETTINGS[name].secret:
        return "what is given"
    return repr(list(value)) if isinstance(value, tuple) else repr(value)


def _unless_secret(name: str, message: str) -> str:
    return "" if SETTINGS[name].secret else message


def _meant(name: str, known: Set[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else "; `execsvc config` lists them all"


class _Document:
    """The file of settings, or nothing where there is none."""

    def __init__(self, model: type[BaseSettings], path: Path | None) -> None:
        self._path = path
        self._text = ""
        self._all: dict[str, Any] = {}
        if path is not None:
            self._all = _read(model, path)
            self._text = path.read_text(encoding="utf-8")
        self.values = {name: value for name, value in self._all.items() if name in model.model_fields}

    def source(self, name: str) -> Source:
        """Say where in the file a key stands."""
        key = re.escape(name)
        found = re.search(rf"""^[ \t]*\[?[ \t]*(["']?){key}\1[ \t]*[=.\]]""", self._text, flags=re.MULTILINE)
        line = self._text.count("\n", 0, found.start()) + 1 if found else 0
        return Source(kind="file", name=str(self._path), line=line)

    def unknown(self) -> Iterator[SettingProblem]:
        """Give the keys that are no setting."""
        for name in self._all:
            if name not in SETTINGS:
                meant = _meant(name.replace("-", "_"), set(SETTINGS))
                yield SettingProblem(setting="", source=self.source(name), message=f"{name!r} is no setting{meant}")


def _read(model: type[BaseSettings], path: Path) -> dict[str, Any]:
    try:
        return TomlConfigSettingsSource(model, toml_file=path).toml_data
    except tomllib.TOMLDecodeError as error:
        place = _LINE.search(str(error))
        why = _LINE.sub("", str(error)).strip()
        line = int(place[1]) if place else 0
    except (OSError, UnicodeDecodeError) as error:
        why, line = str(getattr(error, "strerror", None) or error).lower(), 0
    raise SettingsInvalid(
        [
            SettingProblem(
                setting="", source=Source(kind="file", name=str(path), line=line), message=f"is no TOML: {why}"
            )
        ]
    )
