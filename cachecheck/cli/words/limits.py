"""Options that bound a run."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

_PANEL = "Limits"

MaxFindings: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--max-findings",
        metavar="N",
        help="How many findings of one code are listed; default: 1000.",
        rich_help_panel=_PANEL,
    ),
]
Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--timeout", metavar="SECONDS", help="For one probe; default: 5.", rich_help_panel=_PANEL
    ),
]
Deadline: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--deadline",
        metavar="SECONDS",
        help="For the whole run; default: 50.",
        rich_help_panel=_PANEL,
    ),
]
Concurrency: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--concurrency", metavar="N", help="Probes at once; default: 50.", rich_help_panel=_PANEL
    ),
]
KeyRate: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--rate",
        metavar="KEYS/S",
        help="Keys looked at per second over all nodes; default: unlimited.",
        rich_help_panel=_PANEL,
    ),
]
Dask: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help="Read stores whole on a Dask cluster, such as tcp://scheduler:8786.",
        rich_help_panel=_PANEL,
    ),
]
