"""A Redis database as a store: found out, listed and read without disturbing it."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cachecheck.errors import StoreDenied, StoreError, StoreUnreachable, StoreUnsupported
from cachecheck.model import Capabilities, Failed, Member, StoreIdentity
from cachecheck.stores.base import Page, Weight
from cachecheck.stores.failures import CREDENTIALS_REFUSED, as_reading
from cachecheck.stores.own_reads import OwnReads
from cachecheck.stores.redis import facts
from cachecheck.stores.redis.bulk import Walk
from cachecheck.stores.redis.entries import Absolute, Relative, entry, server_time, size, weight
from cachecheck.stores.redis.failures import KEY_FORBIDDEN, is_command_refused
from cachecheck.stores.redis.pool import database
from cachecheck.stores.redis.server import Server
from cachecheck.stores.redis.tempo import MOST_KEYS, Tempo
from cachecheck.stores.runs import by_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import redis

    from cachecheck.model import ServerCounters
    from cachecheck.stores.base import Batch, Choose, Pace, RawReading
    from cachecheck.stores.redis.entries import Size

MAX_VALUE_BYTES = 16 << 20

_SCAN_COUNT = 500
_PAGE_KEYS = 5000
_WALKED_PER_READ = 5  # keys at once: a node walks 100 of them and reads 20 that are named
_CURSOR = re.compile("[0-9]{1,20}")
_IS_CLUSTER = "a Redis Cluster is not read yet"


class RedisStore:
    """Implements ``stores.base.Store`` over a redis-py client that ``connect`` makes for us.

    The client is made on first need and closed by ``close``; after that it is made anew. Once the
    server could not be reached it is not tried again until then: a dead server costs one timeout.
    ``ledger`` is where reads of ours are noted that move the server's counters: one for all stores
    of a process, so that it outlives them. ``most_keys`` bounds how many keys are walked at once.
    """

    def __init__(  # noqa: PLR0913  what the store is made of
        self,
        connect: Callable[[], redis.Redis],
        *,
        address: str,
        unread_replicas: int = 0,
        max_value_bytes: int = MAX_VALUE_BYTES,
        most_keys: int = MOST_KEYS,
        clock: Callable[[], float] = time.time,
        ledger: OwnReads | None = None,
    ) -> None:
        self._ledger = OwnReads() if ledger is None else ledger
        self._server = Server(connect, clock, partial(self._ledger.add, address))
        self._address = address
        self._unread_replicas = unread_replicas
        self._max_value_bytes = max_value_bytes
        self._most_keys = most_keys
        self._clock = clock
        self._shows_itself: bool | None = None

    @property
    def own_reads(self) -> int:
        """Count our commands that moved the hit counters of the server at this address."""
        return self._ledger.at(self._address)

    # --- what it is ------------------------------------------------------------------------

    def identity(self) -> StoreIdentity:
        """Say which database of which server this is, by its replication id."""
        try:
            return self._observed(self._server.info())
        except StoreError as exc:
            return StoreIdentity(
                grade="unobserved",
                address=self._address,
                reason=exc.reason,
                clock_offset_seconds=self._clock_offset(),
            )

    def capabilities(self) -> Capabilities:
        """Say what can be done; a server that cannot be asked is assumed to be an ordinary one."""
        reasons: tuple[str, ...] = ()
        info: facts.Info = {}
        try:
            info = self._server.info()
        except StoreError as exc:
            reasons = (exc.reason,)
        if facts.is_cluster(info):
            return Capabilities(can_scan=False, can_read=False, reasons=(_IS_CLUSTER,))
        return Capabilities(
            can_scan=True,
            can_read=True,
            touches_recency=facts.evicts_by_recency(info) and not self._server.is_left_untouched(),
            expiry_resolution_seconds=self._resolution(info),
            unread_replicas=self._unread_replicas,
            entries=self._entries_in(info),
            reasons=reasons,
        )

    def standing(self, *, takes_writes: bool) -> Member:
        """Say what this server is beside the others of its store."""
        try:
            info = self._server.info()
        except StoreError as exc:
            is_lost = isinstance(exc, StoreUnreachable) or exc.reason == CREDENTIALS_REFUSED
            return Member(
                address=self._address,
                takes_writes=takes_writes,
                failure=exc.reason if is_lost else None,
            )
        return facts.standing(info, address=self._address, takes_writes=takes_writes)

    def counters(self) -> ServerCounters | None:
        """Give what the server counted, of all clients and databases; None: not said."""
        try:
            told = facts.counters(self._server.info(), self._clock())
        except StoreError:
            return None
        if told is None:
            return None
        hits, misses = self._ledger.of(self._address, told.server)
        return replace(told, own_hits=hits, own_misses=misses)

    # --- what is in it ---------------------------------------------------------------------

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List some thousand keys; those that are no text are no keys of a cache: foreign."""
        position = self._position(cursor)
        keys: dict[bytes, None] = {}
        while True:
            position, found = self._server.ask("SCAN", position, "COUNT", _SCAN_COUNT)
            keys.update(dict.fromkeys(found))
            if not position or len(keys) >= _PAGE_KEYS or not pace():
                break
        names = tuple(name for key in keys if (name := _text(key)) is not None)
        return Page(
            keys=names,
            foreign=len(keys) - len(names),
            cursor=str(position) if position else None,
        )

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Read keys in batches, by size, expiry and value; the caller stops where it likes."""
        most_keys = max(1, self._most_keys // _WALKED_PER_READ)
        for start in range(0, len(keys), most_keys):
            batch = [_bytes(key) for key in keys[start : start + most_keys]]
            sized = list(zip(batch, self._sizes(batch), strict=True))
            for run in by_weight((pair, _weight(pair[1])) for pair in sized):
                yield from self._read_run(run)
                pace()

    def weigh(self, keys: Sequence[str], pace: Pace) -> list[Weight | None]:
        """Ask for type, expiry and memory: none of these moves a key in the order of eviction.

        Every refusal stands in the server's log. So a user who may not see INFO is not tried, and
        of keys of which the first is refused no other is asked for: raises ``StoreDenied``.
        """
        if self._shows_itself is None:
            self._shows_itself = bool(self._server.info())
        weights = self._weights(keys[:1])
        pace()
        return weights + self._weights(keys[1:])

    def _weights(self, keys: Sequence[str]) -> list[Weight | None]:
        if not keys:
            return []
        stored, expiry = [_bytes(key) for key in keys], self._server.expiry
        asking = expiry.commands(stored)
        each = [(*name, key) for key in stored for name in (("TYPE",), ("MEMORY", "USAGE"))]
        answers = self._server.pipeline([*asking, *each])
        if isinstance(expiry, Absolute) and is_command_refused(answers[0]):
            self._server.ask_expiries_relatively()
            return self._weights(keys)
        types, sizes = answers[len(asking) :: 2], answers[len(asking) + 1 :: 2]
        if any(isinstance(answer, Exception) for answer in types):
            raise StoreDenied(KEY_FORBIDDEN)
        return list(map(weight, types, sizes, expiry.expiries(answers[: len(asking)])))

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Walk the keys over one connection of our own, as many at once as take 5 ms."""
        walk = Walk(self._server, self.read, choose, pace, Tempo(self._most_keys))
        return walk.batches(self._position(cursor))

    def close(self) -> None:
        """Close our connections."""
        self._server.close()

    # --- how it is asked -------------------------------------------------------------------

    def _sizes(self, keys: Sequence[bytes]) -> list[Size]:
        try:
            answers = self._server.pipeline([("STRLEN", key) for key in keys])
        except StoreError as exc:
            return [as_reading(exc)] * len(keys)
        return [size(answer, self._max_value_bytes) for answer in answers]

    def _read_run(self, run: Sequence[tuple[bytes, Size]]) -> Iterator[RawReading]:
        entries = iter(self._entries([key for key, told in run if isinstance(told, int)]))
        for _, told in run:
            yield told if isinstance(told, Failed) else next(entries)

    def _entries(self, keys: Sequence[bytes]) -> Sequence[RawReading]:
        if not keys:
            return ()
        try:
            values, expiries = self._values_and_expiries(keys)
        except StoreError as exc:
            return [as_reading(exc)] * len(keys)
        told = self._server.expiry.expiries(expiries)
        return [entry(value, expiry) for value, expiry in zip(values, told, strict=True)]

    def _values_and_expiries(self, keys: Sequence[bytes]) -> tuple[list[Any], list[Any]]:
        expiry = self._server.expiry
        asking = expiry.commands(keys)
        answers = self._server.pipeline([*asking, *(("GET", key) for key in keys)])
        values, expiries = answers[len(asking) :], answers[: len(asking)]
        if isinstance(expiry, Absolute) and is_command_refused(expiries[0]):
            self._server.ask_expiries_relatively()
            return self._values_and_expiries(keys)
        return values, expiries

    def _observed(self, info: facts.Info) -> StoreIdentity:
        offset = self._clock_offset()
        if facts.is_cluster(info):
            nodes = self._server.ask("CLUSTER NODES")
            return facts.cluster_identity(
                nodes, info, address=self._address, clock_offset_seconds=offset
            )
        db = database(self._server.client())
        return facts.identity(info, db=db, address=self._address, clock_offset_seconds=offset)

    def _clock_offset(self) -> float | None:
        asked_at = self._clock()
        try:
            theirs = server_time(self._server.ask("TIME"))
        except StoreError:
            return None
        return theirs - (asked_at + self._clock()) / 2

    def _entries_in(self, info: facts.Info) -> int | None:
        """Say how many keys there are; what INFO tells saves asking."""
        if info:
            return facts.entries(info, database(self._server.client()))
        try:
            return int(self._server.ask("DBSIZE"))
        except StoreError:
            return None

    def _resolution(self, info: facts.Info) -> float:
        is_old = (facts.version(info) or (7,)) < (7,)
        return Relative.resolution_seconds if is_old else self._server.expiry.resolution_seconds

    def _position(self, cursor: str | None) -> int:
        if cursor is None:
            self._refuse_cluster()
            return 0
        if not _CURSOR.fullmatch(cursor):
            raise StoreError("not a cursor of this store")
        return int(cursor)

    def _refuse_cluster(self) -> None:
        try:
            info = self._server.info()
        except StoreUnreachable:
            raise
        except StoreError:
            return
        if facts.is_cluster(info):
            raise StoreUnsupported(_IS_CLUSTER)


def _weight(told: Size) -> int:
    return told if isinstance(told, int) else 0


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _text(key: bytes) -> str | None:
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None
