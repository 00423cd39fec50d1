"""A Redis Cluster as one store: its primaries, or a replica of each, by slots."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cachecheck.errors import StoreError, StoreUnreachable
from cachecheck.model import Capabilities, Failed, StoreIdentity
from cachecheck.stores.direct.server import Server
from cachecheck.stores.direct.slots import (
    SLOTS,
    distribution,
    shown_slots,
    uncovered,
)
from cachecheck.stores.direct.spec import address, shown_host
from cachecheck.stores.direct.topology import find_shards
from cachecheck.stores.failures import as_reading
from cachecheck.stores.redis.failures import NOT_SERVED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.stores.base import Batch, Choose, Pace, Page, RawReading
    from cachecheck.stores.direct.server import Connect, Facts
    from cachecheck.stores.direct.slots import Shard
    from cachecheck.stores.direct.spec import Host, StoreSpec

RESHARDED = "slots of the cluster were divided anew, or replicas changed, while keys were listed"
FAILED = "the cluster takes this replica for failed"

_MOST_REASONS = 50
_MOST_SHOWN = 5
_CURSOR = re.compile("([0-9]{1,5})/([0-9a-f]{8})/(.*)")
_REPLICA_SET = re.compile("replica set ([0-9]{1,4})")


def replica_set(number: int) -> str:
    """Name the store that is made of the replica of this number of every shard."""
    return f"replica set {number}"


class ClusterStore:
    """Implements ``stores.base.Store`` over one server of each shard of a cluster.

    Servers are listed one after the other, by their lowest slots; keys are read from the server of
    their slot. A cursor is "<number of the shard>/<division of slots>/<its cursor>". Where another
    server of a shard takes over, that one is listed from then on; in the middle of a shard, or of
    replicas, this ends the listing. What no server serves is never "missing". Where a shard has no
    replica of the number that is read its primary stands in, which is noted; one that has failed is
    unreachable, like any server.
    """

    def __init__(self, spec: StoreSpec, connect: Connect) -> None:
        self._spec = spec
        self._connect = connect
        found = _REPLICA_SET.fullmatch(spec.member or "")
        self._replica_set = int(found[1]) if found else 0
        self._opened: dict[tuple[Host, bool], Server] = {}
        self._shards: tuple[Shard, ...] | None = None
        self._by_slot: list[Shard | None] = []
        self._was_renewed = False

    # --- what it is ------------------------------------------------------------------------

    def identity(self) -> StoreIdentity:
        """Say which cluster this is; the member is the servers that are read of it."""
        try:
            shards = self._map()
        except StoreError as exc:
            return self._unobserved(exc.reason)
        ids = sorted(shard.member(self._replica_set).id for shard in shards)
        found = self._unobserved("no server serves any slot")
        for shard in shards:
            try:
                self._server(shard).facts()
            except StoreError as exc:
                found = self._unobserved(exc.reason)
                continue
            found = self._server(shard).store.identity()
            break
        digest = hashlib.sha256(",".join(ids).encode()).hexdigest()[:40]
        return replace(found, member=f"servers:{digest}", address=address(self._spec))

    def capabilities(self) -> Capabilities:
        """Say what can be done on all servers; one that cannot be asked is assumed to be able."""
        try:
            shards = self._map()
        except StoreError as exc:
            return Capabilities(can_scan=True, can_read=True, reasons=(exc.reason,))
        gap = _gap(shards)
        told, reasons = self._asked(shards)
        counts = [facts.entries for facts in told if facts.entries is not None]
        return Capabilities(
            can_scan=gap is None,
            can_read=True,
            touches_recency=any(facts.touches_recency for facts in told),
            expiry_resolution_seconds=max(
                (facts.resolution_seconds for facts in told), default=0.001
            ),
            entries=sum(counts) if len(counts) == len(shards) else None,
            reasons=(*((gap,) if gap else ()), *reasons)[:_MOST_REASONS],
            notes=_stand_ins(shards, self._replica_set),
        )

    def reach(self, _probe: str) -> None:
        """Ask for the map of slots; raises ``StoreError`` where no server gives it."""
        self._map()

    def server_of(self, key: str) -> str:
        """Say which server a stored key is read from; raises ``StoreError``."""
        self._map()
        shard = self._by_slot[_slot(key)]
        if shard is None:
            raise StoreUnreachable(f"no server serves slot {_slot(key)}")
        return shown_host(shard.member(self._replica_set).host)

    # --- what is in it ---------------------------------------------------------------------

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List one page of keys of one server."""
        number, inner = self._position(cursor)
        shard = self._map()[number]
        with self._naming(shard):
            page = self._server(shard).store.scan(inner, pace)
        return replace(page, cursor=self._following(number, page.cursor))

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Read each key from the server of its slot."""
        try:
            self._map()
        except StoreError as exc:
            yield from (as_reading(exc) for _ in keys)
            return
        shards = [self._by_slot[_slot(key)] for key in keys]
        found = self._reading(keys, shards, pace)
        for key, shard in zip(keys, shards, strict=True):
            reading = _unserved(key) if shard is None else next(found[shard.slots])
            yield self._read_anew(key, pace) if _is_moved(reading) else reading

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Walk one server after the other."""
        first, inner = self._position(cursor)
        for number, shard in enumerate(self._map()[first:], first):
            with self._naming(shard):
                for batch in self._server(shard).store.walk(inner, choose, pace):
                    yield batch._replace(cursor=self._following(number, batch.cursor))
            inner = None

    def close(self) -> None:
        """Close our connections, and forget the map of slots."""
        for server in self._opened.values():
            server.close()
        self._shards, self._was_renewed = None, False

    # --- how it is asked -------------------------------------------------------------------

    def _asked(self, shards: Sequence[Shard]) -> tuple[list[Facts], list[str]]:
        """Ask every server for its facts; give them, and why others said little or nothing."""
        told: list[Facts] = []
        reasons: dict[str, None] = {}
        for shard in shards:
            try:
                with self._naming(shard):
                    told.append(self._server(shard).facts())
            except StoreError as exc:
                reasons[exc.reason] = None
            else:
                reasons |= dict.fromkeys(filter(None, [told[-1].reason]))
        return told, list(reasons)

    def _reading(
        self, keys: Sequence[str], shards: Sequence[Shard | None], pace: Pace
    ) -> dict[tuple[tuple[int, int], ...], Iterator[RawReading]]:
        """Begin to read at every shard, each its keys in order; no more than is asked is read."""
        asked: dict[Shard, list[str]] = {}
        for key, shard in zip(keys, shards, strict=True):
            if shard is not None:
                asked.setdefault(shard, []).append(key)
        return {shard.slots: self._read_from(shard, own, pace) for shard, own in asked.items()}

    def _read_from(self, shard: Shard, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        try:
            server = self._server(shard)
        except StoreError as exc:
            yield from (as_reading(exc) for _ in keys)
        else:
            yield from server.store.read(keys, pace)

    def _read_anew(self, key: str, pace: Pace) -> RawReading:
        """Read a key that has moved, with a new map of slots, which is asked for once."""
        try:
            if not self._was_renewed:
                self._was_renewed = True
                self._renew()
        except StoreError as exc:
            return as_reading(exc)
        shard = self._by_slot[_slot(key)]
        if shard is None:
            return _unserved(key)
        (reading,) = self._read_from(shard, [key], pace)
        return Failed(reason="error", detail=NOT_SERVED) if _is_moved(reading) else reading

    def _map(self) -> tuple[Shard, ...]:
        return self._renew() if self._shards is None else self._shards

    def _renew(self) -> tuple[Shard, ...]:
        self._shards = find_shards(
            self._spec, self._connect, are_replicas_read=self._replica_set > 0
        )
        self._by_slot = [None] * SLOTS
        for shard in self._shards:
            for start, end in shard.slots:
                self._by_slot[start : end + 1] = [shard] * (end + 1 - start)
        return self._shards

    def _server(self, shard: Shard) -> Server:
        member = shard.member(self._replica_set)
        if member.is_failed:
            raise StoreUnreachable(FAILED)
        place = (member.host, member != shard.primary)
        if place not in self._opened:
            self._opened[place] = Server(self._connect, member.host, is_replica=place[1])
        return self._opened[place]

    @contextmanager
    def _naming(self, shard: Shard) -> Iterator[None]:
        """Name slots and server in an error."""
        try:
            yield
        except StoreError as exc:
            where = shown_host(shard.member(self._replica_set).host)
            raise type(exc)(f"slots {shown_slots(shard.slots)} at {where}: {exc.reason}") from None

    def _position(self, cursor: str | None) -> tuple[int, str | None]:
        shards = self._map()
        gap = _gap(shards)
        if gap is not None:
            raise StoreUnreachable(gap)
        if cursor is None:
            return 0, None
        found = _CURSOR.fullmatch(cursor)
        if found is None:
            raise StoreError("not a cursor of this store")
        if found[2] != distribution(shards, self._replica_set) or int(found[1]) >= len(shards):
            raise StoreUnreachable(RESHARDED)
        return int(found[1]), found[3] or None

    def _following(self, number: int, inner: str | None) -> str | None:
        shards = self._map()
        if inner is None:
            number, inner = number + 1, ""
        mark = distribution(shards, self._replica_set)
        return f"{number}/{mark}/{inner}" if number < len(shards) else None

    def _unobserved(self, reason: str) -> StoreIdentity:
        return StoreIdentity(grade="unobserved", address=address(self._spec), reason=reason)


def _gap(shards: Sequence[Shard]) -> str | None:
    gap = uncovered(shards)
    return None if gap is None else f"no server serves slots {gap}"


def _stand_ins(shards: Sequence[Shard], replica_set: int) -> tuple[str, ...]:
    """Say where primaries stand in for replicas that there are none of."""
    bare = [shard for shard in shards if not shard.has(replica_set)]
    if not bare:
        return ()
    shown = "; ".join(shown_slots(shard.slots[:_MOST_SHOWN]) for shard in bare[:_MOST_SHOWN])
    what = f"{len(bare)} of {len(shards)} shards have no replica {replica_set}"
    return (f"{what}, so the primary stood in: slots {shown}",)


def _unserved(key: str) -> Failed:
    return Failed(reason="unreachable", detail=f"no server serves slot {_slot(key)}")


def _is_moved(reading: RawReading) -> bool:
    return isinstance(reading, Failed) and reading.detail == NOT_SERVED


def _slot(key: str) -> int:
    from redis.crc import key_slot  # noqa: PLC0415  on first need

    return key_slot(key.encode("utf-8", "surrogatepass"))
