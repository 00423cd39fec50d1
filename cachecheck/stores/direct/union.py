"""Several memcached servers read as one store, without knowing how clients choose among them.

Each client hashes keys in its own way. So the store is the union of its servers: each is listed by
itself, and a key is read from all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from cachecheck.model import Expired, Failed, Missing
from cachecheck.stores import parts
from cachecheck.stores.base import Stored
from cachecheck.stores.direct.asking import raise_unreached
from cachecheck.stores.direct.spec import shown_host
from cachecheck.stores.memcached import Endpoint, MemcachedStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.model import Capabilities, StoreIdentity
    from cachecheck.stores.base import Batch, Choose, Pace, Page, RawReading, Store
    from cachecheck.stores.direct.spec import StoreSpec

_BEST_FIRST = (Stored, Failed, Expired, Missing)
_SAME_EXPIRY_SECONDS = 2.0  # two servers, each of which counts whole seconds

DIFFERENT = "different entries on two servers of the list"


def open_servers(spec: StoreSpec) -> Store:
    """Open the memcached servers of a store, in the order in which they are listed there."""
    endpoints = [
        Endpoint(label=shown_host(host), host=host[0], port=host[1]) for host in spec.hosts
    ]
    return _alone(endpoints[0]) if len(endpoints) == 1 else UnionStore(endpoints)


class UnionStore:
    """Implements ``stores.base.Store`` over the union of memcached servers.

    A key can be on several servers, as after their list was changed. Which of them clients ask is
    not known, so it is read only where all of them have the same. A walk gives it for each of them,
    and last for the first in the list: servers are listed from the last to the first. A server that
    fails leaves a key unread that is on no other: it may be there.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._each = [_alone(endpoint) for endpoint in endpoints]
        self._all = MemcachedStore(endpoints, lambda _key: endpoints[0].label)

    def identity(self) -> StoreIdentity:
        """Name all servers' processes: equal ones suggest one store and do not prove it."""
        return self._all.identity()

    def capabilities(self) -> Capabilities:
        """Say what can be done on all servers."""
        return self._all.capabilities()

    def reach(self, probe: str) -> None:
        """Read a key everywhere; raises ``StoreUnreachable`` where no server answers."""
        readings = [next(store.read([probe], lambda: True)) for store in self._each]
        raise_unreached(max(readings, key=_rank))

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List one page of keys of one server."""
        number, inner = self._position(cursor)
        page = self._each[number].scan(inner, pace)
        return replace(page, cursor=self._following(number, page.cursor))

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Read each key from all servers; those that have it must agree."""
        found = [store.read(keys, pace) for store in self._each]
        for readings in zip(*found, strict=True):
            yield _united(readings)

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Walk one server after the other, the first in the list last."""
        first, inner = self._position(cursor)
        for number in range(first, -1, -1):
            for batch in self._each[number].walk(inner, choose, pace):
                yield batch._replace(cursor=self._following(number, batch.cursor))
            inner = None

    def close(self) -> None:
        """Close our connections."""
        for store in (self._all, *self._each):
            store.close()

    def _position(self, cursor: str | None) -> tuple[int, str | None]:
        last = len(self._each) - 1
        return (last, None) if cursor is None else parts.position(cursor, len(self._each))

    def _following(self, number: int, inner: str | None) -> str | None:
        if inner is not None:
            return parts.cursor(number, inner)
        return parts.cursor(number - 1, None) if number else None


def _alone(endpoint: Endpoint) -> MemcachedStore:
    return MemcachedStore([endpoint], lambda _key: endpoint.label)


def _united(readings: Sequence[RawReading]) -> RawReading:
    best = min(readings, key=_rank)
    if not isinstance(best, Stored):
        return best
    others = (reading for reading in readings if isinstance(reading, Stored))
    if all(_are_equal(best, other) for other in others):
        return best
    return Failed(reason="error", detail=DIFFERENT)


def _are_equal(one: Stored, other: Stored) -> bool:
    if (one.value, one.flags) != (other.value, other.flags):
        return False
    if one.expires_at is None or other.expires_at is None:
        return one.expires_at is other.expires_at
    return abs(one.expires_at - other.expires_at) <= _SAME_EXPIRY_SECONDS


def _rank(reading: RawReading) -> int:
    return _BEST_FIRST.index(type(reading))
