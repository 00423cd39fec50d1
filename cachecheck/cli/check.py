"""``cachecheck check``: compare the caches of a fleet."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from cachecheck.cli import auditing, output, words
from cachecheck.cli.asking import asks_nodes
from cachecheck.cli.running import run

if TYPE_CHECKING:
    from cachecheck.cli.wiring import Setup, Who


@asks_nodes
def check(  # noqa: PLR0913  one argument for each option
    *,
    who: Who,
    cache: words.Cache = None,
    key: words.NamedKey = None,
    keys_from: words.KeysFrom = None,
    match: words.Match = None,
    sample: words.Sample = None,
    all_: words.All = False,
    allow_touch: words.AllowTouch = False,
    canary: words.WithCanary = False,
    resume: words.Resume = None,
    max_scan: words.MaxScan = None,
    ttl_tolerance: words.TtlTolerance = None,
    lag_tolerance: words.LagTolerance = None,
    settle: words.Settle = None,
    window: words.Window = None,
    select: words.Select = None,
    ignore: words.Ignore = None,
    fail_on: words.FailOn = None,
    rollout_grace: words.RolloutGrace = None,
    require_coverage: words.RequireCoverage = None,
    baseline: words.Baseline = None,
    max_findings: words.MaxFindings = None,
    timeout: words.Timeout = None,
    deadline: words.Deadline = None,
    concurrency: words.Concurrency = None,
    rate: words.KeyRate = None,
    dask: words.Dask = None,
    plan: words.Plan = False,
    format_: words.Format = "table",
    save: words.Save = None,
    quiet: words.Quiet = False,
    verbose: words.Verbose = False,
    no_progress: words.NoProgress = False,
    exit_zero: words.ExitZero = False,
) -> None:
    """Compare the caches of a fleet, over every worker of every node.

    Exit codes: 0 consistent, 1 divergent, 2 usage error, 3 undecided (something that should have
    been compared was not seen).
    """
    from cachecheck.cli import wiring  # noqa: PLC0415  --help stays quick

    files = output.demand_writable(save)
    known = wiring.load_baseline(baseline)
    given: dict[str, Any] = {
        "caches": cache,
        "keys": wiring.named_keys(key, keys_from),
        "match": match,
        "sample": sample,
        "all": all_ or None,
        "allow_touch": allow_touch or None,
        "canary": canary or None,
        "max_scan": max_scan,
        "ttl_tolerance": ttl_tolerance,
        "lag_tolerance": lag_tolerance,
        "settle": settle,
        "window": window,
        "select": wiring.split_codes(select),
        "ignore": wiring.split_codes(ignore),
        "fail_on": fail_on,
        "rollout_grace": rollout_grace,
        "require_coverage": require_coverage,
        "max_findings": max_findings,
        "timeout": timeout,
        "deadline": deadline,
        "concurrency": concurrency,
        "rate": rate,
    }
    setup = wiring.set_up(who, given)
    output.configure_log(is_verbose=verbose)
    shows_progress = not (no_progress or quiet)
    if plan:
        _plan(setup, shows_progress=shows_progress)
        return
    observed = auditing.observe(setup, resume=resume, dask=dask, shows_progress=shows_progress)
    from cachecheck.coordinator.judge import report_of  # noqa: PLC0415  --help stays quick

    report = report_of(observed, setup.options, known)
    output.give(report, format_, files, is_verbose=verbose, is_quiet=quiet)
    raise typer.Exit(0 if exit_zero else output.EXIT_CODES[report.verdict])


def _plan(setup: Setup, *, shows_progress: bool) -> None:
    from cachecheck.cli import wiring  # noqa: PLC0415  --help stays quick

    reading = wiring.without_canary(setup)
    observed = run(reading, shows_progress=shows_progress, reads="nothing")
    from cachecheck.coordinator.plan import plan_of  # noqa: PLC0415  --help stays quick

    for line in plan_of(observed, setup.options):
        sys.stdout.write(f"{line}\n")
