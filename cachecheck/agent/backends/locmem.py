"""Django's ``LocMemCache``: a dictionary in each process (django/core/cache/backends/locmem.py).

It is looked at underneath the backend's methods: ``get()`` reorders the LRU and deletes what has
expired. ``OrderedDict.get`` does neither.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from django.core.cache.backends import locmem

from cachecheck.agent.backends.base import Backend
from cachecheck.agent.worker import this_worker
from cachecheck.errors import StoreError
from cachecheck.model import Capabilities, Expired, Failed, Missing, StoreIdentity
from cachecheck.stores import walking
from cachecheck.stores.base import Page, Stored, Weight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.agent.backends.base import Pairs
    from cachecheck.stores.base import Batch, Choose, Pace, RawReading

PAGE_KEYS = 5_000
MAX_PAGE_KEYS = 50_000
MAX_VALUE_BYTES = 16 << 20
LOCK_SECONDS = 1.0

_HASHES = 1 << 64
_PASSES = 64
_KEYS_BETWEEN_PACES = 4_096
_ABSENT = object()


class LocMemStore:
    """The dictionary behind one ``LocMemCache``, shared by all threads of this process."""

    def __init__(self, cache: Any, *, max_value_bytes: int = MAX_VALUE_BYTES) -> None:
        self._max_value_bytes = max_value_bytes
        self._entries = cache._cache  # noqa: SLF001  kept to this file
        self._expiries = cache._expire_info  # noqa: SLF001
        self._lock = cache._lock  # noqa: SLF001

    def identity(self) -> StoreIdentity:
        """Observed: the process, and the ``LOCATION`` under which it keeps the dictionary."""
        location = self.location()
        token = f"locmem:{this_worker().id}:{location}"
        return StoreIdentity(grade="observed", token=token, address=location)

    def capabilities(self) -> Capabilities:
        """List and read, without any trace."""
        return Capabilities(can_scan=True, can_read=True, entries=len(self._expiries))

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List the keys whose hashes lie between two bounds; the cursor is the upper bound.

        Requests are stateless and the dictionary changes between them, so pages need an order that
        does not. Keyed digests would do; Python's own hash is as stable within the one process that
        serves this store, is kept in each string and says nothing outside of it: 6 ms for 100,000
        keys, where BLAKE2b takes 37. Every page looks at all keys, so where there are very many the
        pages grow with their number: looking stays cheaper than summing up.
        """
        low = _bound(cursor)
        keys = self._keys()
        high = min(_HASHES, low + _HASHES * _page_keys(len(keys)) // max(1, len(keys)))
        found: list[str] = []
        foreign = 0
        for start in range(0, len(keys), _KEYS_BETWEEN_PACES):
            part = keys[start : start + _KEYS_BETWEEN_PACES]
            inside = [key for key in part if low <= hash(key) % _HASHES < high]
            found.extend(key for key in inside if isinstance(key, str))
            foreign += sum(not isinstance(key, str) for key in inside)
            pace()  # a pass cannot be resumed in its middle
        return Page(
            keys=tuple(found), foreign=foreign, cursor=None if high == _HASHES else _cursor(high)
        )

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Look each key up by itself, holding the lock for that long."""
        del pace  # a lookup takes a microsecond
        return (self._reading(key) for key in keys)

    def weigh(self, keys: Sequence[str], pace: Pace) -> list[Weight | None]:
        """Take the lengths of values."""
        readings = list(self.read(keys, pace))
        return [
            Weight(len(one.value), one.expires_at) if isinstance(one, Stored) else None
            for one in readings
        ]

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Read page by page; within a page in the order of hashes, between which a cursor fits."""
        return walking.walk(_ByHash(self), cursor, choose, pace, after=_between)

    def close(self) -> None:
        """There is nothing to close."""

    def location(self) -> str:
        """Give the name under which Django shares the dictionary between backend objects."""
        shared = locmem._caches.items()  # type: ignore[attr-defined]  # noqa: SLF001
        names = (name for name, entries in list(shared) if entries is self._entries)
        return str(next(names, f"unshared {id(self._entries):x}"))

    def _keys(self) -> list[Any]:
        # Both dictionaries have the same keys. Copying those of the plain one takes 0.4 ms for
        # 100,000 keys, those of the OrderedDict 5 ms, and the application waits meanwhile.
        with self._locked():
            return list(self._expiries)

    def _reading(self, key: str) -> RawReading:
        with self._locked():
            value = self._entries.get(key, _ABSENT)
            expiry = self._expiries.get(key, _ABSENT)
        if value is _ABSENT or expiry is _ABSENT:
            return Missing()
        if expiry is not None and expiry <= time.time():
            return Expired(expires_at=max(0.0, expiry))
        if not isinstance(value, bytes):
            return Failed(reason="unsupported", detail="this subclass does not store bytes")
        if len(value) > self._max_value_bytes:
            return Failed(reason="too-large", detail=f"more than {self._max_value_bytes} bytes")
        return Stored(value=value, expires_at=None if expiry == math.inf else expiry)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            raise StoreError(f"the cache's lock was not free within {LOCK_SECONDS:g} s")
        try:
            yield
        finally:
            self._lock.release()


class _ByHash:
    """Lists the pages of a store in the order of its cursors."""

    def __init__(self, store: LocMemStore) -> None:
        self._store = store
        self.read = store.read

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List one page, in order; sorting 5,000 keys takes 2 ms."""
        page = self._store.scan(cursor, pace)
        return msgspec.structs.replace(page, keys=tuple(sorted(page.keys, key=_place)))


class LocMemBackend(Backend):
    """One process's own cache: each worker has another one."""

    kind = "locmem"
    scope = "worker"

    def store(self) -> LocMemStore:
        """Look at the dictionary itself; there is nothing to connect to."""
        return LocMemStore(self.cache)

    def settings(self) -> Pairs:
        """Give what decides which entries are kept, and the name of the dictionary."""
        cache: Any = self.cache
        return (
            ("max_entries", str(cache._max_entries)),  # noqa: SLF001  kept to this file
            ("cull_frequency", str(cache._cull_frequency)),  # noqa: SLF001
            ("location", self.store().location()),
        )

    def codec(self) -> Pairs:
        """Values are pickled."""
        cache: Any = self.cache
        return (("serializer", "pickle"), ("pickle_protocol", str(cache.pickle_protocol)))

    def payload(self, stored: Stored) -> bytes:
        """Entries are pickles as they are."""
        return stored.value


def _place(key: object) -> int:
    return hash(key) % _HASHES


def _between(last: str, following: str) -> str | None:
    """Give the bound after the last key's hash, unless the next key has the same one."""
    bound = _place(last) + 1
    return _cursor(bound) if bound <= _place(following) else None


def _cursor(bound: int) -> str:
    return f"{bound:016x}"


def _page_keys(count: int) -> int:
    return min(MAX_PAGE_KEYS, max(PAGE_KEYS, count // _PASSES))


def _bound(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        return int(cursor, 16) % _HASHES
    except ValueError as exc:
        raise StoreError("the cursor is not one of this store") from exc
