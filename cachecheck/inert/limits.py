"""The bounds of one reading, and the meter that holds it to them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachecheck.errors import InertTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

SLICE_OPERATIONS: Final = 1024
"""The clock is looked at, and the caller let in, whenever this many operations were done."""

BYTES_PER_OPERATION: Final = 1024
"""Checking and hashing this many bytes takes about as long as one opcode: some 1 µs."""

CONTAINER_OPERATIONS: Final = 3
"""What a container of JSON or MessagePack counts as: two bytes can make one, which takes 200."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much one reading may take before it is too large to say.

    ``seconds`` is work of the reading thread, without the time it sleeps; None sets no bound.
    """

    max_bytes: int = 64 * 1024 * 1024
    max_depth: int = 100
    max_operations: int = 400_000
    seconds: float | None = None


class Meter:
    """Counts what a reading does; raises InertTooLarge when that is more than it may."""

    __slots__ = ("_limits", "_operations", "_pace", "_since_look", "_started")

    def __init__(self, limits: Limits, pace: Callable[[], bool] | None) -> None:
        self._limits = limits
        self._pace = pace
        self._operations = 0
        self._since_look = 0
        self._started = time.thread_time()

    def spend(self, operations: int) -> None:
        """Count operations towards the bound on them, and towards the next look at the clock."""
        self._operations += operations
        if self._operations > self._limits.max_operations:
            raise InertTooLarge(f"more than {self._limits.max_operations:,} operations")
        self.work(operations)

    def spend_bytes(self, count: int) -> None:
        """Count the handling of that many bytes."""
        self.spend(count // BYTES_PER_OPERATION)

    def work(self, operations: int) -> None:
        """Count work that what was read already bounds: towards the next look only."""
        self._since_look += operations
        if self._since_look >= SLICE_OPERATIONS:
            self._since_look = 0
            self._look()

    def _look(self) -> None:
        seconds = self._limits.seconds
        if seconds is not None and time.thread_time() - self._started > seconds:
            raise InertTooLarge(f"more than {seconds:g} s of work")
        if self._pace is not None and not self._pace():
            raise InertTooLarge("work budget spent")

    def check_bytes(self, count: int) -> None:
        """Refuse a payload with more bytes than the limit."""
        if count > self._limits.max_bytes:
            raise InertTooLarge(f"more than {self._limits.max_bytes:,} bytes")

    def check_depth(self, depth: int) -> None:
        """Refuse containers nested deeper than the limit."""
        if depth > self._limits.max_depth:
            raise InertTooLarge(f"nested deeper than {self._limits.max_depth}")
