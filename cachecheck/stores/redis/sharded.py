"""Several Redis databases among which a client divides its keys, as one store."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING

from cachecheck.model import Capabilities, ServerCounters, StoreIdentity
from cachecheck.stores import limits, parts
from cachecheck.stores.base import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cachecheck.stores.base import Batch, Choose, Pace, RawReading
    from cachecheck.stores.redis.store import RedisStore

_BATCH_KEYS = 100
_MOST_REASONS = 50


class ShardedStore:
    """Implements ``stores.base.Store`` over the ``shards``, by label.

    ``router`` gives the label of the one that a stored key lives on. A key that lies on another one
    as well, as after a shard was added, is not where clients look for it: foreign.
    """

    def __init__(self, shards: Mapping[str, RedisStore], router: Callable[[str], str]) -> None:
        self._shards = dict(shards)
        self._router = router

    def identity(self) -> StoreIdentity:
        """Name the set of databases; it is known as well as the least known of them."""
        each = {label: store.identity() for label, store in self._shards.items()}
        tokens = sorted(one.token or "" for one in each.values())
        grades = {one.grade for one in each.values()}
        is_known = grades <= {"observed", "suggested"}
        reasons = [f"{label}: {one.reason}" for label, one in each.items() if one.reason]
        offsets = [
            one.clock_offset_seconds
            for one in each.values()
            if one.clock_offset_seconds is not None
        ]
        digest = hashlib.sha256(",".join(tokens).encode()).hexdigest()[:40]
        return StoreIdentity(
            grade="unobserved" if not is_known else max(grades),  # "suggested" is the larger word
            token=f"redis-shards:{digest}" if is_known else None,
            address=",".join(each),
            reason=reasons[0] if reasons else None,
            clock_offset_seconds=median(offsets) if offsets else None,
            servers=tuple((label, one.token or "") for label, one in each.items()),
        )

    def capabilities(self) -> Capabilities:
        """Say what can be done with all of them."""
        each = {label: store.capabilities() for label, store in self._shards.items()}
        counts = [one.entries for one in each.values() if one.entries is not None]
        reasons = [f"{label}: {why}" for label, one in each.items() for why in one.reasons]
        return Capabilities(
            can_scan=all(one.can_scan for one in each.values()),
            can_read=all(one.can_read for one in each.values()),
            touches_recency=any(one.touches_recency for one in each.values()),
            expiry_resolution_seconds=max(one.expiry_resolution_seconds for one in each.values()),
            entries=sum(counts) if len(counts) == len(each) else None,
            reasons=tuple(reasons)[:_MOST_REASONS],
        )

    def counters(self) -> ServerCounters | None:
        """Sum up what the servers counted since the first of them started; None: not said.

        A server with several of the databases is counted once.
        """
        told = [store.counters() for store in self._shards.values()]
        by_server = {counted.server: counted for counted in told if counted is not None}
        if None in told:
            return None
        each = tuple(by_server.values())
        return ServerCounters(
            server=",".join(sorted(by_server)),
            hits=sum(one.hits for one in each),
            misses=sum(one.misses for one in each),
            since=min(one.since for one in each),
            evictions=_sum([one.evictions for one in each]),
            expirations=_sum([one.expirations for one in each]),
            limits=limits.of_all(dict(one.limits) for one in each),
            own_hits=sum(one.own_hits for one in each),
            own_misses=sum(one.own_misses for one in each),
        )

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List one page of keys of one shard."""
        number, inner = self._position(cursor)
        label = self._labels[number]
        page = self._shards[label].scan(inner, pace)
        keys = tuple(key for key in page.keys if self._router(key) == label)
        return Page(
            keys=keys,
            foreign=page.foreign + len(page.keys) - len(keys),
            cursor=self._following(number, page.cursor),
        )

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Read keys in batches, each from its shard."""
        for start in range(0, len(keys), _BATCH_KEYS):
            batch = keys[start : start + _BATCH_KEYS]
            places: dict[str, list[str]] = defaultdict(list)
            for key in batch:
                places[self._router(key)].append(key)
            found = {label: self._shards[label].read(own, pace) for label, own in places.items()}
            for key in batch:
                yield next(found[self._router(key)])

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Walk one shard after the other."""
        first, inner = self._position(cursor)
        for number in range(first, len(self._labels)):
            own = _Own(choose, self._router, self._labels[number])
            for batch in self._shards[self._labels[number]].walk(inner, own, pace):
                yield batch._replace(
                    foreign=batch.foreign + own.take_foreign(),
                    cursor=self._following(number, batch.cursor),
                )
            inner = None

    def close(self) -> None:
        """Close our connections."""
        for store in self._shards.values():
            store.close()

    @property
    def _labels(self) -> tuple[str, ...]:
        return tuple(self._shards)

    def _position(self, cursor: str | None) -> tuple[int, str | None]:
        return (0, None) if cursor is None else parts.position(cursor, len(self._shards))

    def _following(self, number: int, inner: str | None) -> str | None:
        if inner is not None:
            return parts.cursor(number, inner)
        return parts.cursor(number + 1, None) if number + 1 < len(self._shards) else None


class _Own:
    """Chooses among the keys that clients look for on one shard, and counts the others."""

    def __init__(self, choose: Choose, router: Callable[[str], str], label: str) -> None:
        self._choose = choose
        self._router = router
        self._label = label
        self._foreign = 0

    def __call__(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Choose; keys are text by then."""
        own = [key for key in keys if self._router(key.decode()) == self._label]
        self._foreign += len(keys) - len(own)
        return self._choose(own)

    def take_foreign(self) -> int:
        """Give how many were others since this was asked last."""
        counted, self._foreign = self._foreign, 0
        return counted


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
