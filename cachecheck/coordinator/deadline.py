"""Until when a run goes on, by the monotonic clock."""

from __future__ import annotations

import time


class Deadline:
    """A moment ``seconds`` from now; ``at`` is on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    @property
    def remaining_seconds(self) -> float:
        """How much time is left."""
        return max(0.0, self.at - time.monotonic())
