"""``cachecheck canary``: write, read, delete, lock, count and expire across nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from cachecheck.cli import output, words
from cachecheck.cli.asking import asks_nodes
from cachecheck.cli.running import run

if TYPE_CHECKING:
    from cachecheck.cli.wiring import Who

_FAMILIES = ("F", "B", "N", "C")  # what is found on the way to it, and what explains it


@asks_nodes
def canary(  # noqa: PLR0913  one argument for each option
    *,
    who: Who,
    cache: words.Cache = None,
    lag_tolerance: words.LagTolerance = None,
    settle: words.Settle = None,
    select: words.Select = None,
    ignore: words.Ignore = None,
    fail_on: words.FailOn = None,
    rollout_grace: words.RolloutGrace = None,
    require_coverage: words.RequireCoverage = None,
    baseline: words.Baseline = None,
    timeout: words.Timeout = None,
    deadline: words.Deadline = None,
    concurrency: words.Concurrency = None,
    rate: words.KeyRate = None,
    format_: words.Format = "table",
    save: words.Save = None,
    quiet: words.Quiet = False,
    verbose: words.Verbose = False,
    no_progress: words.NoProgress = False,
    exit_zero: words.ExitZero = False,
) -> None:
    """Try what caches do, by writing through every view: set, delete, lock, count and expire.

    Writes only under cachecheck:canary: for a minute at most, and only to nodes whose settings have
    ALLOW_CANARY. No entry of the site is read. Exit codes: 0 consistent, 1 divergent, 2 usage
    error, 3 undecided (a node that does not allow it, say).
    """
    from cachecheck.cli import wiring  # noqa: PLC0415  --help stays quick

    files = output.demand_writable(save)
    known = wiring.load_baseline(baseline)
    given: dict[str, Any] = {
        "caches": cache,
        "canary": True,
        "sample": 0,
        "keys": (),
        "lag_tolerance": lag_tolerance,
        "settle": settle,
        "select": wiring.split_codes(select) or _FAMILIES,
        "ignore": wiring.split_codes(ignore),
        "fail_on": fail_on,
        "rollout_grace": rollout_grace,
        "require_coverage": require_coverage,
        "timeout": timeout,
        "deadline": deadline,
        "concurrency": concurrency,
        "rate": rate,
    }
    setup = wiring.set_up(who, given)
    output.configure_log(is_verbose=verbose)
    observed = run(setup, shows_progress=not (no_progress or quiet), reads="nothing")
    from cachecheck.coordinator.judge import report_of  # noqa: PLC0415  --help stays quick

    report = report_of(observed, setup.options, known)
    output.give(report, format_, files, is_verbose=verbose, is_quiet=quiet)
    raise typer.Exit(0 if exit_zero else output.EXIT_CODES[report.verdict])
