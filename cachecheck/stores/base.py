"""The contract of a store: what agent and coordinator ask of the place where entries live.

A store is read without disturbing it: no entry, no expiry and, where the server allows, no order of
eviction changes. What it cannot do that way it declares in its capabilities and refuses with
``StoreUnsupported``; it never answers "missing" for what it could not see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

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


class Weight(NamedTuple):
    """What is known of an entry without its value: what it takes in the store, and its expiry.

    ``expires_at`` is in the store's clock; None never expires.
    """

    size_bytes: int
    expires_at: float | None


Choose: TypeAlias = Callable[[Sequence[bytes]], Mapping[bytes, bytes]]
"""Picks, of stored keys, those whose entries are to be read, with the names they go by.

A name is the logical key where it is known, else the stored one, in UTF-8. What is not picked is
not read; the chooser counts why.
"""


class Batch(NamedTuple):
    """Some entries that were chosen, column by column.

    An expiry is in milliseconds of the store's clock, or ``sums.NEVER``; ``flags`` None are all 0.
    ``scanned`` counts the stored keys looked at for it, of which ``foreign`` were no cache values
    (found out by reading), ``unread`` could not be read and are to be reported as such; what was
    gone by then is in none. ``cursor`` continues after the batch, from any process that sees the
    same store; None: that was all.
    """

    names: Sequence[bytes]
    values: Sequence[bytes]
    expiries_ms: Sequence[int]
    flags: Sequence[int] | None
    scanned: int
    foreign: int
    unread: int
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

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Read all entries that ``choose`` picks, from ``cursor`` on, in batches that stay small.

        The caller may stop after any batch and go on from its cursor later, from another process.
        An entry can come twice. Between batches ``pace`` is called, which may sleep.
        """
        ...

    def close(self) -> None:
        """Close every connection that this store opened."""
        ...


@runtime_checkable
class Weighs(Protocol):
    """A store that can tell what entries weigh without reading their values."""

    def weigh(self, keys: Sequence[str], pace: Pace) -> list[Weight | None]:
        """Weigh a few stored keys, in order, leaving no trace but in hit counters.

        None stands for what is gone, may not be read, or is no cache value. Raises ``StoreError``.
        """
        ...
