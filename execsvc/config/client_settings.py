"""Settings of commands that talk to a server."""

from __future__ import annotations

from typing import Final

from execsvc.config.setting import DEFAULT_ADDRESS, Setting

OF_CLIENTS: Final = (
    Setting(
        name="target",
        default=DEFAULT_ADDRESS,
        metavar="HOST:PORT",
        description="The server that commands talk to.",
        expects=f"HOST:PORT, as in {DEFAULT_ADDRESS}, or another gRPC target, as unix:/run/execsvc.sock",
        example='"execsvc.internal:50051"',
    ),
    Setting(
        name="tls",
        default=False,
        metavar="",
        description="Talk to the server over TLS; so does --ca.",
        expects="true or false",
        example="true",
    ),
    Setting(
        name="ca",
        default=None,
        metavar="FILE",
        description="Authorities to trust, in PEM, instead of the public ones.",
        expects="the path of a file, as in ca.crt",
        example='"/etc/execsvc/ca.crt"',
        otherwise="public authorities",
    ),
    Setting(
        name="cert",
        default=None,
        metavar="FILE",
        description="Our certificate in PEM, for servers that ask for one.",
        expects="the path of a file, as in client.crt",
        example='"/etc/execsvc/client.crt"',
        otherwise="none",
    ),
    Setting(
        name="key",
        default=None,
        metavar="FILE",
        description="Private key of our certificate.",
        expects="the path of a file, as in client.key",
        example='"/etc/execsvc/client.key"',
        otherwise="none",
    ),
    Setting(
        name="token",
        default=None,
        metavar="TOKEN",
        description="API token to show to the server.",
        expects="an API token, one word of ASCII, as in exs_abcdefghijkl_0123456789",
        example='"exs_abcdefghijkl_0123456789"',
        otherwise="none",
        secret=True,
        by_flag=False,
    ),
    Setting(
        name="call_timeout",
        default=30,
        metavar="SECONDS",
        description="How long one call to the server may take, repeats included; what follows or waits has no limit.",
        expects="a number of seconds above 0, or a span of time, as in 30 or 2m",
        example="30",
    ),
    Setting(
        name="model",
        default=None,
        metavar="PROVIDER:MODEL",
        description="The model for llm nodes that name the offline one, echo:.",
        expects='of the form "provider:model", as in "openai:gpt-4o-mini"',
        example='"openai:gpt-4o-mini"',
        otherwise="echo: stays",
    ),
)
