"""How a store is walked without hurting it: whom to ask for pages, how fast, and until when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from cachecheck.coordinator.outcomes import Answered, NoAnswer
from cachecheck.model import Value
from cachecheck.sums import Summing
from cachecheck.wire import Surveyed

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.coordinator.probing import Prober, Unit
    from cachecheck.wire import AnyRequest, Collected

FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 1.0
SLOWER = 4.0
SLACK_SECONDS = 0.01
FIRST_RELIEF_SECONDS = 0.1
FEWEST_TELLING_KEYS = 1000

_Wanted = TypeVar("_Wanted")


class Terms(Value, frozen=True, kw_only=True):
    """How a store is walked: the ``name`` it has in the ledger, if any, and which keys count.

    No page is asked for once only ``reserved_seconds`` of the run are left. ``with_rows`` has rows
    come along with the sums: the store is small enough to keep them all.
    """

    name: str | None
    summing: Summing
    match: str
    reserved_seconds: float
    with_rows: bool = False


class Walk:
    """One store that is walked through a unit."""

    def __init__(self, prober: Prober, unit: Unit, terms: Terms) -> None:
        self.prober = prober
        self.unit = unit
        self.terms = terms
        self.is_direct = prober.is_direct(unit)

    @property
    def has_time(self) -> bool:
        """Whether there is time for another page; the rest of the run's is for what comes after."""
        return self.prober.deadline.remaining_seconds > self.terms.reserved_seconds

    @property
    def out_of_time(self) -> str:
        """What to say where there is not."""
        return "the deadline left no time to look at all of it: raise --deadline"

    @property
    def most_keys(self) -> int | None:
        """How many keys a page may have, so that a rate is kept at every moment; None: any."""
        return self.prober.most_page_keys

    async def ask(
        self, request_for: Callable[[tuple[str, ...]], AnyRequest], unit: Unit | None = None
    ) -> Outcome | None:
        """Ask for a page within the rate."""
        return await self.prober.ask_page(unit or self.unit, request_for)


class Pauses:
    """Pauses between the pages of one store: as long as a page took, and longer where it is slow.

    Slower is what goes by before and after the work, which a node tells: its queue, and the way.
    """

    def __init__(self) -> None:
        self._best_seconds = float("inf")
        self.seconds = FIRST_PAUSE_SECONDS

    def learn(self, waited_seconds: float) -> None:
        """Take in how long a page waited beside its work."""
        self._best_seconds = min(self._best_seconds, waited_seconds)
        if waited_seconds > SLOWER * self._best_seconds + SLACK_SECONDS:
            self.seconds = min(2 * self.seconds, LONGEST_PAUSE_SECONDS)
        else:
            self.seconds = max(self.seconds / 2, FIRST_PAUSE_SECONDS)

    async def after(self, outcome: Outcome | None) -> None:
        """Pause after a page: half of the time at least, its worker is there for others."""
        took_seconds = 0.0
        if isinstance(outcome, Answered):
            took_seconds = outcome.clock.rtt_seconds
            self.learn(2 * outcome.clock.uncertainty_seconds)
        await asyncio.sleep(max(self.seconds, took_seconds))


class Relief:
    """Pauses between the pages of a store that is read directly, where it has become slow.

    Each page finds out anew how quick the server is, so that only here it is known what it was at
    its best. The pauses double from page to page, and are bounded.
    """

    def __init__(self) -> None:
        self._best_seconds = float("inf")
        self.seconds = 0.0

    def learn(self, worked_seconds: float, keys: int) -> None:
        """Take in how long a page over so many keys took."""
        if keys < FEWEST_TELLING_KEYS:
            return
        each_seconds = worked_seconds / keys
        self._best_seconds = min(self._best_seconds, each_seconds)
        if each_seconds > SLOWER * self._best_seconds:
            self.seconds = min(max(2 * self.seconds, FIRST_RELIEF_SECONDS), LONGEST_PAUSE_SECONDS)
        else:
            self.seconds = 0.0

    async def after(self, page: Surveyed | Collected) -> None:
        """Pause after a page, if its server has become slow."""
        keys = page.summary.scanned if isinstance(page, Surveyed) else page.scanned
        self.learn(page.sent_at - page.received_at, keys)
        if self.seconds:
            await asyncio.sleep(self.seconds)


def demand(outcome: Outcome | None, wanted: type[_Wanted]) -> _Wanted | str:
    """Give the answer that was wanted, or say why there is none."""
    match outcome:
        case None:
            return "the worker was not heard again"
        case NoAnswer(detail=detail):
            return detail
        case Answered(answer=answer) if isinstance(answer, wanted):
            return answer
        case _:
            return "it answered with something else than was asked"


def pages_of(unit: Unit) -> list[Unit]:
    """Give the units that see one store, each through a node of its own."""
    units = [unit]
    while units[-1].instead is not None:
        units.append(units[-1].instead)
    return units
