"""What a setting is: one name as flag, as environment variable and in the file of settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Names the file of settings.
CONFIG_VARIABLE: Final = "EXECSVC_CONFIG"
#: The file of settings in the current directory, read if it is there.
DEFAULT_FILE: Final = "execsvc.toml"
#: Where servers listen, and commands look for one.
DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
_PREFIX: Final = "EXECSVC_"
#: Variables that begin so are no settings but secrets of workflows, where ``secrets`` says so.
SECRET_PREFIX: Final = "EXECSVC_SECRET_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting, by the same name as flag, as environment variable and in the file."""

    #: As in the file; the flag has - for _.
    name: str
    #: The value where nobody says another; None where that means that there is none.
    default: str | int | float | None
    #: Stands for the value in help.
    metavar: str
    #: What it means, one line.
    description: str
    #: What a value must be, with an example; follows "… is not".
    expects: str
    #: A value as the file has it, in TOML.
    example: str
    #: What there is without it, where ``default`` is None.
    otherwise: str = ""
    #: Whether it may be given several times.
    repeated: bool = False
    #: Whether its value is never shown.
    secret: bool = False
    #: Whether there is a flag: everybody on a machine may see the flags of its processes.
    by_flag: bool = True

    @property
    def flag(self) -> str:
        """The flag on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return _PREFIX + self.name.upper()

    @property
    def help(self) -> str:
        """The text of the flag's help."""
        default = f" \\[default: {self.default}]" if self.default not in (None, False) else ""
        return f"{self.description}{' May be repeated.' if self.repeated else ''} \\[env: {self.variable}]{default}"


#: What several of them must be.
SPAN: Final = "a span of time, as in 90s, 15m, 2h or 30d"
COUNT: Final = "a whole number of 1 or more, as in"
