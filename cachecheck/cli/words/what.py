"""Options that say what is compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

_PANEL = "What is compared"

Cache: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--cache",
        metavar="ALIAS",
        help="Cache alias; repeatable; default: all.",
        rich_help_panel=_PANEL,
    ),
]
NamedKey: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--key", metavar="KEY", help="Key to compare by name; repeatable.", rich_help_panel=_PANEL
    ),
]
KeysFrom: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--keys-from",
        metavar="FILE",
        help="Keys to compare by name, one a line.",
        rich_help_panel=_PANEL,
    ),
]
OneKey: TypeAlias = Annotated[
    str, typer.Argument(metavar="KEY", help="The key, as the application names it.")
]
ShowValues: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--show-values",
        help="Show the values as text, from nodes that allow it (ALLOW_VALUES).",
        rich_help_panel=_PANEL,
    ),
]
Match: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--match",
        metavar="GLOB",
        help="Sample only keys that match; default: *.",
        rich_help_panel=_PANEL,
    ),
]
Sample: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--sample",
        metavar="N",
        help="How many keys to sample; default: 1000, or none where keys are named.",
        rich_help_panel=_PANEL,
    ),
]
All: TypeAlias = Annotated[
    bool,
    typer.Option("--all", help="Compare every key, in place of a sample.", rich_help_panel=_PANEL),
]
AllowTouch: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--allow-touch",
        help="With --all: also where reading every key changes which entries are evicted next.",
        rich_help_panel=_PANEL,
    ),
]
WithCanary: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--canary",
        help="Try what caches do as well, by writing under keys of our own where nodes allow it.",
        rich_help_panel=_PANEL,
    ),
]
Resume: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="FILE",
        help="With --all: keep what is done in FILE, and go on from it after an interruption.",
        rich_help_panel=_PANEL,
    ),
]
MaxScan: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--max-scan",
        metavar="N",
        help="Keys looked at per store to draw the sample; default: 200000.",
        rich_help_panel=_PANEL,
    ),
]
Plan: TypeAlias = Annotated[
    bool,
    typer.Option("--plan", help="Show what would be read through whom, and read nothing."),
]
