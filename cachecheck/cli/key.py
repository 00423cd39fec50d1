"""``cachecheck key``: one key across the fleet, side by side."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import typer

from cachecheck.cli import output, words
from cachecheck.cli.asking import asks_nodes
from cachecheck.cli.running import run
from cachecheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.cli.wiring import Setup, Who
    from cachecheck.model import Report

WATCH_SECONDS = 2.0
OF_KEYS = ("V", "T001", "T002")
"""The findings on single keys; what else is wrong is named beside them, without a verdict."""


@asks_nodes
def key(  # noqa: PLR0913  one argument for each option
    *,
    who: Who,
    key_: words.OneKey,
    cache: words.Cache = None,
    show_values: words.ShowValues = False,
    watch: words.Watch = False,
    ttl_tolerance: words.TtlTolerance = None,
    settle: words.Settle = None,
    timeout: words.Timeout = None,
    deadline: words.Deadline = None,
    concurrency: words.Concurrency = None,
    format_: words.Format = "table",
    save: words.Save = None,
    verbose: words.Verbose = False,
    no_progress: words.NoProgress = False,
    exit_zero: words.ExitZero = False,
) -> None:
    """Show one key across the fleet, side by side, and where its values differ.

    KEY is the key as the application names it, without prefix and version. Exit codes: 0 all views
    agree, 1 they differ, 2 usage error, 3 not every view was seen.
    """
    from cachecheck.cli.wiring import set_up  # noqa: PLC0415  --help stays quick

    if watch and format_ != "table":
        raise UsageError("--watch shows the table: leave --format out")
    files = output.demand_writable(save)
    given: dict[str, Any] = {
        "caches": cache,
        "keys": (key_,),
        "sample": 0,
        "select": OF_KEYS,
        "ignore": (),
        "details": "values" if show_values else "readings",
        "ttl_tolerance": ttl_tolerance,
        "settle": settle,
        "timeout": timeout,
        "deadline": deadline,
        "concurrency": concurrency,
    }
    setup = set_up(who, given)
    looks = _looks(setup, is_repeated=watch, shows_progress=not (no_progress or watch))
    before: object = None
    for report, beside in looks:
        now = _seen(report)
        if now != before:
            _show(report, beside, format_, is_verbose=verbose, shows_values=show_values)
            output.save(report, files)
        before = now
    raise typer.Exit(0 if exit_zero else output.EXIT_CODES[report.verdict])


def _looks(
    setup: Setup, *, is_repeated: bool, shows_progress: bool
) -> Iterator[tuple[Report, tuple[str, ...]]]:
    """Look once, or until whoever watches interrupts it; under one seed, so that digests stay.

    Gives the report on the key, and the codes of what else was found.
    """
    from msgspec.structs import replace  # noqa: PLC0415  --help stays quick

    from cachecheck.coordinator.judge import report_of  # noqa: PLC0415  --help stays quick
    from cachecheck.coordinator.run import new_ledger  # noqa: PLC0415
    from cachecheck.digest import new_seed  # noqa: PLC0415

    seed = new_seed().hex()
    try:
        while True:
            ledger = new_ledger(time.time(), seed)
            observed = run(setup, shows_progress=shows_progress, ledger=ledger)
            whole = report_of(observed, replace(setup.options, select=(), ignore=OF_KEYS))
            beside = tuple(dict.fromkeys(one.code for one in whole.findings))
            yield report_of(observed, setup.options), beside
            if not is_repeated:
                return
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        if not is_repeated:
            raise


def _seen(report: Report) -> object:
    """Give what makes a look another one than that before: who has which value."""
    held = tuple(
        (key.cache, key.application, group.views, group.state, group.digest, group.detail)
        for key in report.keys
        for group in key.held
    )
    return held, report.undecided


def _show(
    report: Report,
    beside: tuple[str, ...],
    format_: str,
    *,
    is_verbose: bool,
    shows_values: bool,
) -> None:
    from cachecheck.reporting import json, keys  # noqa: PLC0415  --help stays quick

    if format_ == "json":
        text = json.render(report)
    else:
        text = keys.render(
            report,
            beside,
            width=output.terminal_width(),
            is_verbose=is_verbose,
            shows_values=shows_values,
        )
    sys.stdout.write(text)
    sys.stdout.flush()
