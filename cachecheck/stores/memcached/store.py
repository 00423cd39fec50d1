"""One or more memcached servers as a store: found out, listed and read without disturbing them."""

from __future__ import annotations

import time
from collections import defaultdict
from functools import partial
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from cachecheck.errors import StoreError
from cachecheck.model import Capabilities, Failed, ServerCounters, StoreIdentity
from cachecheck.stores import limits
from cachecheck.stores.base import Page, Stored, Weight
from cachecheck.stores.failures import as_reading
from cachecheck.stores.memcached import counting, dump, meta
from cachecheck.stores.memcached.bulk import Walk
from cachecheck.stores.memcached.connection import Connection, Patience
from cachecheck.stores.own_reads import OwnReads

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cachecheck.stores.base import Batch, Choose, Pace, RawReading
    from cachecheck.stores.memcached.connection import Endpoint

MAX_VALUE_BYTES = 16 << 20

_PAGE_KEYS = 5000
_BATCH_KEYS = 20
_BATCH_BYTES = 4 << 20
_MOST_CLASSES = 300
_NAMES_BETWEEN_PACES = 1000
_BAD_KEY = Failed(reason="error", detail="memcached takes keys of 1 to 250 bytes")


class _Process(NamedTuple):
    """A server's process, by pid and start, and its clock minus ours."""

    name: str
    offset_seconds: float


class MemcachedStore:
    """Implements ``stores.base.Store`` over sockets of its own.

    ``router`` gives the label of the server that a stored key lives on, as the application's client
    would. A server that could not be reached is not tried again until ``close``, and after two that
    kept us waiting in vain no other is dialled: finding out about a store takes seconds at most.
    ``ledger`` is where reads of ours are noted that move the servers' counters: one for all stores
    of a process, so that it outlives them.
    """

    def __init__(  # noqa: PLR0913  what the store is made of
        self,
        endpoints: Sequence[Endpoint],
        router: Callable[[str], str],
        *,
        tls: ssl.SSLContext | None = None,
        max_value_bytes: int = MAX_VALUE_BYTES,
        clock: Callable[[], float] = time.time,
        ledger: OwnReads | None = None,
    ) -> None:
        self._patience = Patience()
        self._connections = {
            endpoint.label: Connection(endpoint, tls, self._patience) for endpoint in endpoints
        }
        self._router = router
        self._max_value_bytes = max_value_bytes
        self._clock = clock
        self._ledger = OwnReads() if ledger is None else ledger

    @property
    def own_reads(self) -> int:
        """Count our commands that moved the servers' hit counters."""
        return sum(map(self._ledger.at, self._connections))

    # --- what it is ------------------------------------------------------------------------

    def identity(self) -> StoreIdentity:
        """Name the servers' processes: equal ones suggest one store and do not prove it."""
        told = {label: self._process(each) for label, each in self._connections.items()}
        address = ",".join(told)
        servers = tuple(
            (label, one.name if isinstance(one, _Process) else "") for label, one in told.items()
        )
        alive = [one for one in told.values() if isinstance(one, _Process)]
        lost = [one.reason for one in told.values() if isinstance(one, StoreError)]
        if lost:
            return StoreIdentity(
                grade="unobserved", address=address, reason=lost[0], servers=servers
            )
        return StoreIdentity(
            grade="suggested",
            token=f"memcached:{','.join(sorted(one.name for one in alive))}",
            address=address,
            clock_offset_seconds=median(one.offset_seconds for one in alive),
            servers=servers,
        )

    def capabilities(self) -> Capabilities:
        """Say what can be done on all servers; one that cannot be asked is assumed to be able."""
        counted: list[int] = []
        read_reasons = self._reasons(partial(_cannot_read, counted))
        scan_reasons = self._reasons(dump.obstacle)
        lost = tuple(_lost(each) for each in self._connections.values() if each.is_lost)
        return Capabilities(
            can_scan=not scan_reasons,
            can_read=not read_reasons,
            expiry_resolution_seconds=1.0,
            entries=sum(counted) if len(counted) == len(self._connections) else None,
            reasons=(*read_reasons, *scan_reasons, *lost),
        )

    def counters(self) -> ServerCounters | None:
        """Sum up what the servers counted since the first of them started; None: not said."""
        try:
            told = self._stats()
            since = min(meta.started_at(stats) - self._offset(stats) for stats in told)
            pairs = zip(self._connections.values(), told, strict=True)
            counted = [counting.ask(connection, stats) for connection, stats in pairs]
        except StoreError:
            return None
        own = [
            self._ledger.of(label, each.process)
            for label, each in zip(self._connections, counted, strict=True)
        ]
        return ServerCounters(
            server=f"memcached:{','.join(sorted(each.process for each in counted))}",
            hits=sum(each.hits for each in counted),
            misses=sum(each.misses for each in counted),
            since=since,
            evictions=sum(each.evictions for each in counted),
            expirations=sum(each.expirations for each in counted),
            evicted=tuple(chain.from_iterable(each.evicted for each in counted))[:_MOST_CLASSES],
            limits=limits.of_all(each.limits for each in counted),
            own_hits=sum(hits for hits, _ in own),
            own_misses=sum(misses for _, misses in own),
        )

    # --- what is in it ---------------------------------------------------------------------

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List whole slab classes until there are some thousand keys or the budget is spent."""
        servers = list(self._connections.values())
        position: dump.Position | None = dump.parse(cursor)
        keys: set[bytes] = set()
        while position is not None:
            position = self._scan_one(servers, position, keys, pace)
            if len(keys) >= _PAGE_KEYS or not pace():
                break
        names = _names(keys, pace)
        return Page(
            keys=names,
            foreign=len(keys) - len(names),
            cursor=None if position is None else str(position),
        )

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Read keys in batches, each from its server; the caller stops where it likes."""
        position, size = 0, _BATCH_KEYS
        while position < len(keys):
            readings = self._read_batch(keys[position : position + size])
            yield from readings
            position += len(readings)
            size = _next_size(size, readings)
            pace()

    def weigh(self, keys: Sequence[str], pace: Pace) -> list[Weight | None]:
        """Ask each key's server for its size and expiry."""
        weights: list[Weight | None] = [None] * len(keys)
        for label, places in self._routed(keys).items():
            asked = [_bytes(keys[place]) for place in places]
            found = meta.weigh(self._connections[label], asked)
            gone = found.count(None)
            self._ledger.add(label, len(found) - gone, gone)
            for place, weight in zip(places, found, strict=True):
                weights[place] = weight
            pace()
        return weights

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Walk the servers, one part of a slab class after another, which is a batch."""
        return Walk(
            list(self._connections.values()),
            self._router,
            choose,
            pace,
            patience=self._patience,
            max_value_bytes=self._max_value_bytes,
            moved=self._ledger.add,
        ).batches(dump.parse(cursor))

    def close(self) -> None:
        """Close our connections."""
        for connection in self._connections.values():
            connection.close()
        self._patience.renew()

    # --- how it is asked -------------------------------------------------------------------

    def _scan_one(
        self,
        servers: Sequence[Connection],
        position: dump.Position,
        keys: set[bytes],
        pace: Pace,
    ) -> dump.Position | None:
        """Add one page of one server to the keys; give where to go on, None after the last."""
        if position.server >= len(servers):
            return None
        self._patience.refill()
        server = servers[position.server]
        found = dump.locate(server, position)
        if found is not None:
            keys |= dump.keys(server, found, pace)
            return dump.following(found)
        is_last = position.server + 1 == len(servers)
        return None if is_last else dump.Position(server=position.server + 1)

    def _read_batch(self, keys: Sequence[str]) -> list[RawReading]:
        self._patience.refill()
        readings: list[RawReading] = [_BAD_KEY] * len(keys)
        for label, places in self._routed(keys).items():
            read = self._read_from(label, [_bytes(keys[place]) for place in places])
            for place, reading in zip(places, read, strict=True):
                readings[place] = reading
        return readings

    def _read_from(self, label: str, keys: Sequence[bytes]) -> list[RawReading]:
        try:
            batch = meta.read(self._connections[label], keys, self._max_value_bytes)
        except StoreError as exc:
            return [as_reading(exc)] * len(keys)
        self._ledger.add(label, batch.hits, batch.misses)
        return batch.readings

    def _routed(self, keys: Sequence[str]) -> dict[str, list[int]]:
        places: dict[str, list[int]] = defaultdict(list)
        for place, key in enumerate(keys):
            if 1 <= len(_bytes(key)) <= meta.MAX_KEY_BYTES:
                places[self._router(key)].append(place)
        return places

    def _process(self, connection: Connection) -> _Process | StoreError:
        """Ask a server which process it is; what cannot be told is why."""
        try:
            stats = meta.stats(connection)
            name = f"{meta.number(stats, 'pid')}:{meta.started_at(stats)}"
            return _Process(name, self._offset(stats))
        except StoreError as exc:
            return exc

    def _stats(self) -> list[dict[str, str]]:
        return [meta.stats(connection) for connection in self._connections.values()]

    def _offset(self, stats: dict[str, str]) -> float:
        # Its clock shows whole seconds: on average it is half of one further.
        return meta.clock(stats) + 0.5 - self._clock()

    def _reasons(self, obstacle: Callable[[Connection], str | None]) -> tuple[str, ...]:
        told = []
        for connection in self._connections.values():
            try:
                told.append(obstacle(connection))
            except StoreError as exc:
                told.append(None if connection.is_lost else exc.reason)
        return tuple(reason for reason in told if reason is not None)


def _cannot_read(counted: list[int], connection: Connection) -> str | None:
    """Say why entries cannot be read; None: they can. Adds how many there are to ``counted``."""
    stats = meta.stats(connection)
    if "curr_items" in stats:
        counted.append(meta.number(stats, "curr_items"))
    version = meta.version(stats)
    if version >= meta.OLDEST_VERSION:
        return None
    return f"{connection.label} is older than memcached 1.6 and cannot be read untouched"


def _lost(connection: Connection) -> str:
    return f"{connection.label}: {'unreachable' if connection.was_asked else 'not asked'}"


def _next_size(size: int, readings: Sequence[RawReading]) -> int:
    """Read fewer keys at once after large values, more again after small ones."""
    read_bytes = sum(len(reading.value) for reading in readings if isinstance(reading, Stored))
    return max(1, size // 4) if read_bytes > _BATCH_BYTES else min(_BATCH_KEYS, size * 2)


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _names(keys: Iterable[bytes], pace: Pace) -> tuple[str, ...]:
    names = []
    for number, key in enumerate(keys, 1):
        name = _text(key)
        if name is not None:
            names.append(name)
        if number % _NAMES_BETWEEN_PACES == 0:
            pace()  # a page that was dumped is given whole
    return tuple(names)


def _text(key: bytes) -> str | None:
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None
