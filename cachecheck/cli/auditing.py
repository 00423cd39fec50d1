"""Run a check where its work is best done: the processes and the file of ``--all``."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from cachecheck.cli.running import run
from cachecheck.errors import UsageError

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cachecheck.cli.wiring import Setup
    from cachecheck.coordinator.fleet import AnyTarget
    from cachecheck.coordinator.run import Observed

_PRELOADED = ("redis", "hiredis", "encodings.idna")  # the last one by every connection


def observe(
    setup: Setup, *, resume: Path | None, dask: str | None, shows_progress: bool
) -> Observed:
    """Observe the fleet; for ``--all`` with the processes, and the file to resume from, it needs.

    Raises ``UsageError`` for ``--resume`` and ``--dask`` without what they are for.
    """
    if not setup.options.all:
        _refuse(resume=resume, dask=dask)
        return run(setup, shows_progress=shows_progress)
    with _executor(setup, dask) as heavy:  # forks, so it comes before everything with threads
        from cachecheck.cli.resuming import (  # noqa: PLC0415  --help stays quick
            close_ledger,
            open_ledger,
        )

        addresses = [_address(target) for target in setup.targets]
        ledger = open_ledger(resume, addresses, setup.options)
        is_finished = False
        try:
            observed = run(setup, shows_progress=shows_progress, ledger=ledger, heavy=heavy)
            is_finished = _is_finished(observed)
        finally:  # whoever interrupts us is told as well
            how_to_go_on = close_ledger(resume, ledger, is_finished=is_finished)
            if how_to_go_on is not None:
                sys.stderr.write(f"cachecheck: {how_to_go_on}\n")
    return observed


def _refuse(*, resume: Path | None, dask: str | None) -> None:
    if resume is not None:
        raise UsageError("--resume FILE goes with --all: a sample is drawn anew each time")
    if dask is not None:
        raise UsageError("--dask goes with --all, and with stores that are read directly")


def _executor(setup: Setup, dask: str | None) -> AbstractContextManager[Executor | None]:
    """Give what reads stores whole: a Dask cluster, or as many processes as can be of use."""
    from cachecheck.coordinator import executors  # noqa: PLC0415  --help stays quick
    from cachecheck.coordinator.fleet import StoreNode  # noqa: PLC0415

    stores = sum(isinstance(target, StoreNode) for target in setup.targets)
    if dask is not None:
        if not stores:
            raise UsageError("--dask reads stores directly, and no node is one: redis://HOST/0")
        return executors.dask(dask, timeout_seconds=setup.options.timeout)
    if not stores:
        return nullcontext()
    most = max(2, os.cpu_count() or 1)  # a single word may name a store with replicas
    return executors.processes(most, preload=_PRELOADED)


def _address(target: AnyTarget) -> str:
    """Name a node in the same way each time it is asked."""
    return f"{target.name}={target.url}"


def _is_finished(observed: Observed) -> bool:
    """Whether nothing is left that another run could add."""
    audits = [entries.audit for entries in observed.entries if entries.audit is not None]
    are_summed = all(surveyed.failure is None for audit in audits for _, surveyed in audit.surveys)
    return are_summed and not observed.is_out_of_time and not any(one.failures for one in audits)
