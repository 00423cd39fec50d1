"""A number that the threads of a process count on together."""

from __future__ import annotations

import itertools
import threading


class Count:
    """A number that threads can add one to without a lock: ``add()`` is one call into C.

    The step of an ``itertools.count`` is atomic, on builds without the GIL as well (CPython
    gh-117657). It shows its number only by counting on, so looks at it are taken off again.

    Its own thread may take the lock once more: a handler of signals, or a finalizer, may use a
    cache.
    """

    def __init__(self) -> None:
        self._count = itertools.count()
        self.add = self._count.__next__
        self._more = 0
        self._lock = threading.RLock()

    def add_many(self, number: int) -> None:
        """Add more than one at once."""
        with self._lock:
            self._more += number

    def look(self) -> int:
        """Give the number."""
        with self._lock:
            counted = next(self._count) + self._more
            self._more -= 1
            return counted

    def reset(self) -> None:
        """Begin at nothing, in a process that has one thread: after a fork."""
        self._lock = threading.RLock()  # a thread that is not in this process may have held it
        counted = self.look()
        self._more -= counted
