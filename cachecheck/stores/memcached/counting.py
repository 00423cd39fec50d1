"""What memcached servers counted: hits, misses, evictions and expirations, and what limits them.

Each slab class evicts by itself: a server with memory to spare may still evict from one of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from cachecheck.stores.memcached import meta

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.stores.memcached.connection import Connection

_EVICTED = re.compile(r"items:([0-9]{1,3}):evicted")
_EXPIRED = ("get_expired", "reclaimed", "crawler_reclaimed")
_LIMITS = ("maxbytes", "evictions")


class Counted(NamedTuple):
    """What one server counted since it started; ``process`` tells it from any other."""

    process: str
    hits: int
    misses: int
    evictions: int
    expirations: int
    evicted: tuple[tuple[str, int], ...]
    limits: dict[str, str]


def ask(connection: Connection, stats: dict[str, str]) -> Counted:
    """Ask a server, whose general ``stats`` are known; raises ``StoreError``."""
    hits, misses = meta.hits_and_misses(stats)
    evictions = meta.number(stats, "evictions")
    settings = meta.stats(connection, "settings")
    return Counted(
        process=f"{stats.get('pid', '?')}:{meta.started_at(stats)}",
        hits=hits,
        misses=misses,
        evictions=evictions,
        expirations=sum(meta.number(stats, name) for name in _EXPIRED if name in stats),
        evicted=tuple(_evicted(connection)) if evictions else (),
        limits={name: settings[name] for name in _LIMITS if name in settings},
    )


def _evicted(connection: Connection) -> Iterator[tuple[str, int]]:
    """Give what was evicted from each slab class, named by the size that it is for."""
    items, slabs = meta.stats(connection, "items"), meta.stats(connection, "slabs")
    for name in items:
        found = _EVICTED.fullmatch(name)
        if found and (evicted := meta.number(items, name)):
            size = slabs.get(f"{found[1]}:chunk_size", "?")
            yield f"{connection.label}, up to {size} bytes", evicted
