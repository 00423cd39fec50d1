"""The contract of a store: what agent and coordinator ask of the place where entries live.

A store is read without disturbing it: no entry, no expiry and, where the server allows, no order of
eviction changes. What it cannot do that way it declares in its capabilities and refuses with
``StoreUnsupported``; it never answers "missing" for what it could not see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

from cachecheck.model import (
    Capabilities,
    Expired,
    Failed,
    Missing,
    StoreIdentity,
    Value,
)

Pace: TypeAlias = Callable[[], bool]
"""Called after each small piece of work (well under 1 ms where possible).

It sleeps where the slice of work is used up, and returns False once the budget is: a survey or a
scan then stops at the next place from which it can be resumed. A reading leaves that to its caller.
"""


class Stored(Value, frozen=True, kw_only=True):
    """An entry as it is stored: bytes, the flags beside them, and when it expires.

    ``expires_at`` is in seconds since the epoch in the store's clock; None never expires.
    ``cas`` is memcached's unique number of the write.
    """

    value: bytes
    flags: int = 0
    expires_at: float | None
    cas: int | None = None


RawReading: TypeAlias = Stored | Missing | Expired | Failed


class Page(Value, frozen=True, kw_only=True):
    """Some stored keys, each once; ``foreign`` counts what is no cache value at all.

    ``cursor`` continues the scan, from any process that sees the same store; None: that was all.
    """

    keys: tuple[str, ...]
    foreign: int = 0
    cursor: str | None


class Store(Protocol):
    """What every store can be asked. All methods raise ``StoreError`` and nothing else."""

    def identity(self) -> StoreIdentity:
        """Say which store this is, graded by how well that is known."""
        ...

    def capabilities(self) -> Capabilities:
        """Say what can be done here without disturbing the cache."""
        ...

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List one page of stored keys, from the start where ``cursor`` is None."""
        ...

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Read stored keys in order.

        Yields exactly one reading for each key, unless the caller stops asking: it never ends early
        by itself, whatever ``pace`` returns. Between its batches it calls ``pace`` for its sleep.
        """
        ...

    def close(self) -> None:
        """Close every connection that this store opened."""
        ...
