"""Run the coordinator under its progress; what that needs is imported no sooner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.cli import progress

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from cachecheck.cli.wiring import Setup
    from cachecheck.coordinator.audit import Ledger
    from cachecheck.coordinator.run import Observed, Reads

_NEEDED_NEXT = ("cachecheck.coordinator.judge", "cachecheck.reporting.table")


def run(
    setup: Setup,
    *,
    shows_progress: bool,
    reads: Reads = "entries",
    ledger: Ledger | None = None,
    heavy: Executor | None = None,
) -> Observed:
    """Observe the fleet, reading no more than is said; ``ledger`` and ``heavy`` as there.

    Where other processes read the stores, what a report needs is loaded meanwhile.
    """
    import asyncio  # noqa: PLC0415  --help stays quick

    from cachecheck.coordinator.direct import in_a_thread  # noqa: PLC0415
    from cachecheck.coordinator.executors import load  # noqa: PLC0415
    from cachecheck.coordinator.run import observe  # noqa: PLC0415

    if heavy is not None:  # what this thread needs as well is imported by now
        in_a_thread(load, _NEEDED_NEXT)

    seen: list[Observed] = []

    async def look() -> None:
        """Return nothing: ``asyncio.run`` writes its result twice, for an error nobody sees."""
        seen.append(
            await observe(
                setup.targets, setup.options, bars, reads=reads, ledger=ledger, heavy=heavy
            )
        )

    with progress.shown(is_wanted=shows_progress) as bars:
        asyncio.run(look())
    return seen[0]
