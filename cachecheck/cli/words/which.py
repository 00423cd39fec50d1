"""Options that say which nodes are asked, and how they are reached."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

_PANEL = "Which nodes"

Nodes: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NODE]...",
        help="URL, HOST:PORT, or NAME=URL of each node, or of a store such as redis://HOST/0. "
        "Without any: the fleet of the configuration.",
        show_default=False,
    ),
]
ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Configuration; default: cachecheck.toml here, then in the user's config folder.",
        rich_help_panel=_PANEL,
    ),
]
FleetName: TypeAlias = Annotated[
    str | None,
    typer.Option("--fleet", metavar="NAME", help="Which fleet of it.", rich_help_panel=_PANEL),
]
SecretFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        metavar="FILE",
        help="Holds the shared secret; default: the variable CACHECHECK_SECRET.",
        rich_help_panel=_PANEL,
    ),
]
KeyId: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--keyid",
        metavar="NAME",
        help="Which of the node's secrets it is; default: default.",
        rich_help_panel=_PANEL,
    ),
]
HostHeader: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--host-header",
        metavar="NAME",
        help="Host to ask for (and TLS name) where nodes are addressed by IP.",
        rich_help_panel=_PANEL,
    ),
]
Header: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        metavar="'K: V' | @FILE",
        help="Header to send along, such as 'X-Forwarded-Proto: https'; repeatable.",
        rich_help_panel=_PANEL,
    ),
]
CaFile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--ca-file",
        metavar="FILE",
        help="Certificates to trust for https nodes.",
        rich_help_panel=_PANEL,
    ),
]
ClientCert: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--client-cert",
        metavar="FILE",
        help="Own certificate and key, in one PEM file.",
        rich_help_panel=_PANEL,
    ),
]
