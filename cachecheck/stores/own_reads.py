"""How often reads of ours have moved the hit counters of servers.

A server counts every client's reads, ours too. What the reads of one process have moved is known
by where it sent them; which server that was is known once the server has said who it is, which it
is asked each time that its counters are.
"""

from __future__ import annotations

import threading
from collections import Counter


class OwnReads:
    """A ledger for all stores that a process opens, or for one; threads may share it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin at nothing, also in a process that was forked."""
        self._lock = threading.Lock()
        self._hits: Counter[str] = Counter()
        self._misses: Counter[str] = Counter()
        self._servers: dict[str, str] = {}

    def add(self, address: str, hits: int, misses: int) -> None:
        """Note hits and misses of the server at an address."""
        with self._lock:
            self._hits[address] += hits
            self._misses[address] += misses

    def at(self, address: str) -> int:
        """Give how many were noted for an address."""
        with self._lock:
            return self._hits[address] + self._misses[address]

    def of(self, address: str, server: str) -> tuple[int, int]:
        """Give the hits and misses of the ``server`` that is at this address, and maybe at others.

        Databases of one server, and spellings of its name, are such others.
        """
        with self._lock:
            self._servers[address] = server
            same = [at for at, name in self._servers.items() if name == server]
            return sum(self._hits[at] for at in same), sum(self._misses[at] for at in same)
