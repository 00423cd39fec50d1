"""Look for what was written until it is seen, or has not been for the settle time."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Literal

from cachecheck.coordinator.confirm import MIN_LOOKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cachecheck.coordinator.canary.mover import Done, Mover
    from cachecheck.model import CanaryStep
    from cachecheck.rules.observations import View

SHORTEST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
SHARE_OF_ELAPSED = 0.25

Wanted = Literal["nonce", "nothing"] | int


class Watch:
    """One thing that should come to be seen through ``reader`` after ``written``.

    ``wanted`` is what should be found: what the first nonce of the step made, nothing, or this
    number at least.
    """

    def __init__(
        self, written: Done, reader: View, step: CanaryStep, wanted: Wanted = "nonce"
    ) -> None:
        self.written = written
        self.reader = reader
        self.step = step
        self.wanted = wanted
        self.looks: list[Done] = []
        self._missed: Done | None = None
        self.met: Done | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has not been seen yet."""
        return self.met is None

    def look(self, done: Done) -> None:
        """Take a look in."""
        self.looks.append(done)
        if self._is_wanted(done):
            self.met = done
        elif done.result.outcome != "failed":
            self._missed = done

    def _is_wanted(self, done: Done) -> bool:
        result = done.result
        match self.wanted:
            case "nothing":
                return result.outcome == "missing"
            case "nonce":
                return result.outcome == "found" and result.nonce == self.step.nonces[0]
            case number:
                return result.count is not None and result.count >= number

    @property
    def least_lag_seconds(self) -> float:
        """For how long it was surely not there, whatever the clocks leave open."""
        missed, written = self._missed, self.written
        if missed is None:
            return 0.0
        open_seconds = missed.uncertainty_seconds + written.uncertainty_seconds
        return max(0.0, missed.began_at - written.ended_at - open_seconds)

    @property
    def lag_seconds(self) -> float:
        """How long it took at the most; 0 where the first look saw it already."""
        if len(self.looks) == 1 and self.met:
            return 0.0
        return max(0.0, self.looks[-1].ended_at - self.written.ended_at)

    @property
    def persisted_seconds(self) -> float:
        """How long it was looked for."""
        return max(0.0, self.looks[-1].ended_at - self.looks[0].ended_at) if self.looks else 0.0


async def watch(mover: Mover, watches: Sequence[Watch], settle_seconds: float) -> None:
    """Look at all that is open, again and again, until it was seen or the settle time is over.

    What is not seen is looked at twice at least. Watches of views that are gone stay without looks,
    or with those that there were.
    """
    await _look(mover, _waiting(mover, watches))
    started = time.monotonic()
    while True:
        waiting = _waiting(mover, watches)
        elapsed = time.monotonic() - started
        are_looked_at = all(len(one.looks) >= MIN_LOOKS for one in waiting)
        if not waiting or (elapsed >= settle_seconds and are_looked_at):
            return
        await asyncio.sleep(_pause(elapsed, settle_seconds - elapsed))
        await _look(mover, waiting)


def _pause(elapsed: float, to_settled: float) -> float:
    """Pause for a share of what has passed, which bounds by how much a lag is overstated."""
    pause = min(max(SHORTEST_PAUSE_SECONDS, elapsed * SHARE_OF_ELAPSED), LONGEST_PAUSE_SECONDS)
    jittered = pause * random.uniform(0.7, 1.3)  # noqa: S311  jitter
    return min(jittered, to_settled + 0.01) if to_settled > 0 else jittered


def _waiting(mover: Mover, watches: Iterable[Watch]) -> list[Watch]:
    return [one for one in watches if one.is_open and one.reader not in mover.gone]


async def _look(mover: Mover, watches: Iterable[Watch]) -> None:
    by_reader: dict[View, list[Watch]] = {}
    for one in watches:
        by_reader.setdefault(one.reader, []).append(one)
    found = await mover.make(
        {reader: [one.step for one in theirs] for reader, theirs in by_reader.items()}
    )
    for reader, theirs in by_reader.items():
        for one, done in zip(theirs, found[reader], strict=False):
            one.look(done)
