"""A store whose entries end for the application some time before the server lets go of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from cachecheck.stores.base import Stored
from cachecheck.sums import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.model import Capabilities, Member, ServerCounters, StoreIdentity
    from cachecheck.stores.base import Batch, Choose, Pace, Page, RawReading
    from cachecheck.stores.redis.store import RedisStore


class EarlyStore:
    """Implements ``stores.base.Store`` over another one; expiries are the application's."""

    def __init__(self, store: RedisStore, early_seconds: int) -> None:
        self._store = store
        self._early_seconds = early_seconds

    def identity(self) -> StoreIdentity:
        """Say which store it is."""
        return self._store.identity()

    def capabilities(self) -> Capabilities:
        """Say what can be done."""
        return self._store.capabilities()

    def standing(self, *, takes_writes: bool) -> Member:
        """Say what the server is beside the others of its store."""
        return self._store.standing(takes_writes=takes_writes)

    def counters(self) -> ServerCounters | None:
        """Give what the server counted."""
        return self._store.counters()

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List one page of stored keys."""
        return self._store.scan(cursor, pace)

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Read stored keys in order."""
        return map(self._earlier, self._store.read(keys, pace))

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Walk the store."""
        early_ms = self._early_seconds * 1000
        for batch in self._store.walk(cursor, choose, pace):
            yield batch._replace(
                expiries_ms=[
                    expiry if expiry == NEVER else expiry - early_ms for expiry in batch.expiries_ms
                ]
            )

    def close(self) -> None:
        """Close our connections."""
        self._store.close()

    def _earlier(self, reading: RawReading) -> RawReading:
        if not isinstance(reading, Stored) or reading.expires_at is None:
            return reading
        return replace(reading, expires_at=max(0.0, reading.expires_at - self._early_seconds))
