"""``cachecheck nodes``: who is there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from cachecheck.cli import output, words
from cachecheck.cli.asking import asks_nodes
from cachecheck.cli.running import run

if TYPE_CHECKING:
    from cachecheck.cli.wiring import Who


@asks_nodes
def nodes(  # noqa: PLR0913  one argument for each option
    *,
    who: Who,
    cache: words.Cache = None,
    timeout: words.Timeout = None,
    deadline: words.Deadline = None,
    concurrency: words.Concurrency = None,
    format_: words.Format = "table",
    verbose: words.Verbose = False,
    no_progress: words.NoProgress = False,
    exit_zero: words.ExitZero = False,
) -> None:
    """Show who is there: workers, versions, stores, clocks.

    No entry is compared. Exit codes: 0 everybody was heard, 1 a finding on nodes (F…), 2 usage
    error, 3 not everybody was heard.
    """
    from cachecheck.cli.wiring import set_up  # noqa: PLC0415  --help stays quick

    given = {"caches": cache, "timeout": timeout, "deadline": deadline, "concurrency": concurrency}
    setup = set_up(who, {**given, "sample": 0, "keys": None, "settle": 0.0, "select": ("F",)})
    observed = run(setup, shows_progress=not no_progress, reads="witnesses")
    from cachecheck.coordinator.judge import report_of  # noqa: PLC0415  --help stays quick
    from cachecheck.reporting import json, roster  # noqa: PLC0415

    report = report_of(observed, setup.options)
    if format_ == "json":
        sys.stdout.write(json.render(report))
    else:
        width = output.terminal_width()
        sys.stdout.write(roster.render(report, width=width, is_verbose=verbose))
    raise typer.Exit(0 if exit_zero else output.EXIT_CODES[report.verdict])
