"""Options that say what is shown, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

_PANEL = "Output"

Format: TypeAlias = Annotated[
    Literal["table", "json"],
    typer.Option("--format", help="How the report is written.", rich_help_panel=_PANEL),
]
Save: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--save",
        metavar="FILE",
        help="Write the report there as well (.json); repeatable.",
        rich_help_panel=_PANEL,
    ),
]
Quiet: TypeAlias = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print nothing where all is well.", rich_help_panel=_PANEL),
]
Verbose: TypeAlias = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Show all there is, and a log.", rich_help_panel=_PANEL),
]
NoProgress: TypeAlias = Annotated[
    bool,
    typer.Option("--no-progress", help="Show no progress.", rich_help_panel=_PANEL),
]
ExitZero: TypeAlias = Annotated[
    bool,
    typer.Option("--exit-zero", help="Exit with 0 whatever the verdict.", rich_help_panel=_PANEL),
]
