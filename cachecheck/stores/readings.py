"""What is stored as readings: digests under the seed of one run, and structures on request."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, TypeAlias, assert_never

from cachecheck.digest import entry_digest
from cachecheck.errors import InertError, StoreError
from cachecheck.inert import structural_digest
from cachecheck.model import LATEST, Expired, Failed, Missing, Present
from cachecheck.stores.base import Stored
from cachecheck.stores.failures import as_reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cachecheck.model import Reading
    from cachecheck.stores.base import Pace, RawReading

    Payload: TypeAlias = Callable[[Stored], bytes]
    """Gives the pickle in what is stored; raises ``InertUnreadable`` where there is none."""


class Reader:
    """Turns what is stored into readings; with ``payload``, structures are told as well."""

    def __init__(self, seed: bytes, payload: Payload | None, pace: Pace) -> None:
        self._seed = seed
        self._payload = payload
        self._pace = pace

    def until_spent(self, found: Iterable[RawReading]) -> Iterator[Reading]:
        """Give readings until the budget ends.

        A value whose structure could not be told only because earlier ones had spent the budget
        is left for the next request, where it comes first.
        """
        for position, raw in enumerate(found):
            reading = self._reading(raw)
            is_spent = not self._pace()
            if is_spent and position and getattr(reading, "structure_unknown", None):
                return
            yield reading
            if is_spent:
                return

    def _reading(self, raw: RawReading) -> Reading:
        match raw:
            case Stored():
                return self._present(raw)
            case Missing() | Expired() | Failed():
                return raw
            case _:
                assert_never(raw)

    def _present(self, stored: Stored) -> Present:
        structure, unknown, kind = self._structure(stored)
        return Present(
            digest=entry_digest(self._seed, stored.value, stored.flags),
            size_bytes=len(stored.value),
            expires_at=None if stored.expires_at is None else min(stored.expires_at, LATEST),
            cas=stored.cas,
            structure=structure,
            structure_unknown=unknown,
            value_kind=kind,
        )

    def _structure(self, stored: Stored) -> tuple[str | None, str | None, str | None]:
        if self._payload is None:
            return None, None, None
        try:
            found = structural_digest(self._payload(stored), seed=self._seed, pace=self._pace)
        except InertError as exc:
            return None, exc.reason, None
        return found.digest, None, found.kind


def guarded(found: Iterator[RawReading], count: int) -> Iterator[RawReading]:
    """Give ``count`` readings; from the first failure of the store on, they are failures."""
    given = 0
    try:
        for reading in found:
            yield reading
            given += 1
    except StoreError as exc:
        yield from (as_reading(exc) for _ in range(count - given))


def pickled_integer(value: bytes) -> bytes | None:
    """Give the pickle of an integer, stored as digits by Django's Redis backends; None: not one."""
    try:
        return pickle.dumps(int(value), protocol=4)
    except ValueError:
        return None
