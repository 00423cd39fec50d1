"""Nonces seen by this worker: a signed request is good for one answer here.

They live in the process, never in the cache under test. A replay to another worker is possible and
harmless: probes only read, and of a canary's moves each is made once (``moves``).
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

CAPACITY = 20_000


class Nonces:
    """Remembers nonces for as long as their signature could be accepted, up to ``CAPACITY``."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin with none, also after a fork: another thread may have held the lock."""
        self._lock = Lock()
        self._until: OrderedDict[str, float] = OrderedDict()

    def is_new(self, nonce: str, *, now: float, keep_seconds: float) -> bool:
        """Remember the nonce; False where it was seen before."""
        with self._lock:
            self._forget(now)
            if nonce in self._until:
                return False
            self._until[nonce] = now + keep_seconds
            return True

    def _forget(self, now: float) -> None:
        while self._until:
            oldest, until = next(iter(self._until.items()))
            if until > now and len(self._until) < CAPACITY:
                return
            del self._until[oldest]
