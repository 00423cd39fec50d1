"""The budget of one probe: work in short slices, each followed by a real sleep.

Releasing the interpreter lock without sleeping is not enough: the application's threads then wait
for whole switch intervals. Sleeping at least as long as was worked leaves them half of the time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SLICE_SECONDS = 0.001
WALL_FACTOR = 40
EXTENDED_WALL_FACTOR = 8


class Budget:
    """Counts the work of this thread; call it after each small piece.

    A call sleeps where the slice is used up, and returns False once ``work_seconds`` of processor
    time are spent, or ``WALL_FACTOR`` times as much has passed on the clock (a slow store).
    """

    def __init__(self, work_seconds: float) -> None:
        self._work_seconds = work_seconds
        self._until = time.monotonic() + work_seconds * WALL_FACTOR
        self._slice_started = time.thread_time()
        self.spent_seconds = 0.0

    def __call__(self) -> bool:
        worked = time.thread_time() - self._slice_started
        if worked >= SLICE_SECONDS:
            self.spent_seconds += worked
            time.sleep(worked)
            self._slice_started = time.thread_time()
        return self.spent_seconds < self._work_seconds and time.monotonic() < self._until

    def extended(self, work_seconds: float) -> Callable[[], bool]:
        """Give a pace for work that may take so much of the thread, whatever the budget is.

        It sleeps and counts as the budget does. On the clock it may take ``EXTENDED_WALL_FACTOR``
        times the work, or what the budget may.
        """
        until = max(self._until, time.monotonic() + work_seconds * EXTENDED_WALL_FACTOR)

        def pace() -> bool:
            self()
            return self.spent_seconds < work_seconds and time.monotonic() < until

        return pace
