"""Options that say how what was seen is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

_PANEL = "How it is judged"

Watch: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--watch",
        help="Look again and again, and show what changed, until interrupted.",
        rich_help_panel=_PANEL,
    ),
]
TtlTolerance: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--ttl-tolerance",
        metavar="SECONDS",
        help="How far expiries may be apart; default: 2.",
        rich_help_panel=_PANEL,
    ),
]
LagTolerance: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--lag-tolerance",
        metavar="SECONDS",
        help="How late a canary's write may be seen; default: 0.5.",
        rich_help_panel=_PANEL,
    ),
]
Settle: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--settle",
        metavar="SECONDS",
        help="How long a difference must persist; default: 10.",
        rich_help_panel=_PANEL,
    ),
]
Window: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--window",
        metavar="SECONDS",
        help="Compare the hits of so long a time; default: since the baseline or the "
        "workers' start.",
        rich_help_panel=_PANEL,
    ),
]
Select: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="CODES",
        help="Report only these codes or families, comma-separated.",
        rich_help_panel=_PANEL,
    ),
]
Ignore: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore",
        metavar="CODES",
        help="Leave these codes or families out.",
        rich_help_panel=_PANEL,
    ),
]
FailOn: TypeAlias = Annotated[
    Literal["info", "warning", "error"] | None,
    typer.Option(
        "--fail-on",
        help="From which severity on a finding makes the run divergent; default: warning.",
        rich_help_panel=_PANEL,
    ),
]
RolloutGrace: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--rollout-grace",
        metavar="SECONDS",
        help="Differences between two releases are info while the newer is younger; default: 600.",
        rich_help_panel=_PANEL,
    ),
]
RequireCoverage: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--require-coverage",
        metavar="PERCENT",
        help="How many of the nodes must answer for a verdict; default: 100.",
        rich_help_panel=_PANEL,
    ),
]
Baseline: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        metavar="REPORT",
        help="A JSON report: only what is new since then counts.",
        rich_help_panel=_PANEL,
    ),
]
