"""``cachecheck demo``: a real deployment on this machine, with faults in it, and its check."""

from __future__ import annotations

import os
import signal
import sys
import time
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from cachecheck.cli.output import terminal_width
from cachecheck.errors import UsageError

if TYPE_CHECKING:
    from cachecheck.demo.signals import Signals

_NEEDED = ("django", "gunicorn")
_EXIT_FAILED = 1
_EXIT_SIGNALLED = 128


def demo(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the nodes up until Ctrl-C, to try things on.")
    ] = False,
) -> None:
    """Start a real deployment with faults in it here, and check it.

    Exit codes: 0 every planted fault was found, 1 one was not or a node did not start, 2 usage
    error, such as Django or gunicorn missing.
    """
    _demand_possible()
    from cachecheck.demo.checking import CheckFailed  # noqa: PLC0415  --help stays quick
    from cachecheck.demo.node import NodeFailed  # noqa: PLC0415
    from cachecheck.demo.signals import Interrupted, Signals  # noqa: PLC0415

    try:
        with Signals() as signals:
            is_complete = _run(signals, is_kept=keep)
    except (NodeFailed, CheckFailed) as exc:
        sys.stderr.write(f"cachecheck: {exc}\n")
        raise typer.Exit(_EXIT_FAILED) from exc
    except Interrupted as exc:
        raise typer.Exit(_EXIT_SIGNALLED + exc.number) from exc
    raise typer.Exit(0 if is_complete else _EXIT_FAILED)


def _demand_possible() -> None:
    if not hasattr(os, "fork"):
        raise UsageError("the demo runs gunicorn, which needs Linux, macOS or WSL")
    if any(find_spec(name) is None for name in _NEEDED):
        raise UsageError(
            "the demo needs Django and gunicorn: pip install 'django-cachecheck[demo]'"
        )


def _run(signals: Signals, *, is_kept: bool) -> bool:
    """Tell the whole story; gives whether every planted fault was found."""
    from cachecheck.demo import checking, faults, story  # noqa: PLC0415  --help stays quick
    from cachecheck.demo.deployment import deployed  # noqa: PLC0415
    from cachecheck.demo.node import WORKERS  # noqa: PLC0415

    begun, width, search = time.monotonic(), terminal_width(), checking.folder_of_program()
    planted = faults.planted(WORKERS)
    _say(story.begin(WORKERS))
    with deployed(signals) as deployment:
        for node in deployment.wait_until_ready():
            _say(story.ready(deployment, node.name, WORKERS, time.monotonic() - begun))
        _say(story.down(deployment))
        arguments = checking.arguments(deployment)
        _say(story.check(deployment, search, arguments, width))
        exit_code = checking.run([*chain(*arguments)], deployment, signals)
        report = checking.report(deployment, exit_code)
        _say(story.found(planted, report, exit_code, width))
        if is_kept:
            _say(story.keep(deployment, search))
            _wait_for_signal()
    missed = [fault for fault in planted if faults.found_as(fault, report) is None]
    _say(story.ended(len(planted), len(missed), time.monotonic() - begun))
    _say(story.end(search))
    return not missed


def _wait_for_signal() -> None:
    from cachecheck.demo.signals import Interrupted  # noqa: PLC0415  --help stays quick

    try:
        while True:
            signal.pause()
    except Interrupted:
        _say("\n")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()  # the check writes to the same place
