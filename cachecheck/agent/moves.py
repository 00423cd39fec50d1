"""What came of moves that wrote, so that a copy of a request writes nothing again.

A request is sent over several connections, because an address hides its workers, and again where
its answer was lost; it may also be replayed. The signature's nonce differs from copy to copy, the
name of the move does not. It is remembered in this process, never in the cache, for longer than the
signature of any copy holds.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from cachecheck.agent.demands import Unmet

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.model import CanaryResult, CanaryStep

MOST_MOVES = 500

Results: TypeAlias = "tuple[CanaryResult, ...]"
_Name: TypeAlias = tuple[str, str, str]


class _Made(NamedTuple):
    """A move that was made, or is being made while ``results`` is None."""

    steps: tuple[CanaryStep, ...]
    until: float
    results: Results | None


class Moves:
    """Remembers ``MOST_MOVES`` moves; beyond that no other is made until some are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Begin with none, also after a fork: the parent's moves are not this process's."""
        self._lock = Lock()
        self._made: dict[_Name, _Made] = {}

    def once(
        self,
        name: _Name,
        steps: tuple[CanaryStep, ...],
        make: Callable[[], Results],
        *,
        keep_seconds: float,
    ) -> Results:
        """Make a move, or give what came of it when it was made.

        Raises ``Unmet`` where it is being made, had other steps then, or cannot be remembered.
        """
        until = self._clock() + keep_seconds
        with self._lock:
            known = self._known(name, steps)
            if known is not None:
                return known
            self._made[name] = _Made(steps, until, None)
        results: Results = ()
        try:
            results = make()
        finally:  # a move that failed half-way is not made again either
            with self._lock:
                self._made[name] = _Made(steps, until, results)
        return results

    def _known(self, name: _Name, steps: tuple[CanaryStep, ...]) -> Results | None:
        now = self._clock()
        self._made = {name: one for name, one in self._made.items() if one.until > now}
        made = self._made.get(name)
        if made is None:
            if len(self._made) >= MOST_MOVES:
                raise Unmet("busy", f"this worker remembers {MOST_MOVES} other moves of canaries")
            return None
        if made.steps != steps:
            raise Unmet("bad-request", "this move of a canary had other steps before")
        if made.results is None:
            raise Unmet("busy", "this worker is making this very move")
        return made.results
