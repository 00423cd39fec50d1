"""What was counted between two looks: the difference of counters that went on counting. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cachecheck.model import Counters, KeyGroup, ServerCounters
from cachecheck.rules.observations import Fleet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cachecheck.model import CacheDescription
    from cachecheck.rules.observations import ObservedNode, ObservedWorker

_COUNTED = ("hits", "misses", "sets", "deletes", "errors", "evictions")
_COUNTED_BY_SERVERS = ("hits", "misses", "evictions", "expirations", "own_hits", "own_misses")
_SAME_SINCE_SECONDS = 2.0
"""A server tells since when it counts by its uptime, in whole seconds."""


def between(before: Fleet, after: Fleet) -> Fleet:
    """Give the first fleet with what its workers and servers counted until the second look.

    A worker that was not heard again, one that was restarted, and a server that was, have counted
    nothing that can be said: their counters are None.
    """
    later = {worker.worker.id: worker for worker in after.workers}
    nodes = tuple(_node(node, later, before.now) for node in before.nodes)
    return Fleet(nodes=nodes, now=after.now)


def _node(node: ObservedNode, later: Mapping[str, ObservedWorker], now: float) -> ObservedNode:
    since = now + (node.clock.offset_seconds if node.clock else 0.0)
    workers = tuple(_worker(one, later.get(one.worker.id), since) for one in node.workers)
    return msgspec.structs.replace(node, workers=workers)


def _worker(before: ObservedWorker, after: ObservedWorker | None, since: float) -> ObservedWorker:
    found = {cache.alias: cache for cache in after.caches} if after else {}
    caches = tuple(_cache(cache, found.get(cache.alias), since) for cache in before.caches)
    return msgspec.structs.replace(before, caches=caches)


def _cache(
    before: CacheDescription, after: CacheDescription | None, since: float
) -> CacheDescription:
    counters, server = None, None
    if after is not None and before.counters is not None and after.counters is not None:
        counters = _counted(before.counters, after.counters, since)
    if after is not None and before.server_counters and after.server_counters:
        server = _counted_by_server(before.server_counters, after.server_counters, since)
    return msgspec.structs.replace(before, counters=counters, server_counters=server)


def _counted(before: Counters, after: Counters, since: float) -> Counters | None:
    differences = _differences(before, after, _COUNTED)
    if differences is None or before.since != after.since:
        return None
    groups = _groups(before.groups, after.groups)
    return msgspec.structs.replace(after, **differences, groups=groups, since=since)


def _counted_by_server(
    before: ServerCounters, after: ServerCounters, since: float
) -> ServerCounters | None:
    differences = _differences(before, after, _COUNTED_BY_SERVERS)
    is_same = before.server == after.server
    if differences is None or not is_same or abs(before.since - after.since) > _SAME_SINCE_SECONDS:
        return None
    evicted = dict(before.evicted)
    return msgspec.structs.replace(
        after,
        **differences,
        since=since,
        evicted=tuple((name, max(0, many - evicted.get(name, 0))) for name, many in after.evicted),
    )


def _differences(
    before: Counters | ServerCounters, after: Counters | ServerCounters, names: tuple[str, ...]
) -> dict[str, int | None] | None:
    """Subtract the counts of these names; None: one of them fell, so counting began anew."""
    found: dict[str, int | None] = {}
    for name in names:
        then, now = getattr(before, name), getattr(after, name)
        found[name] = None if then is None or now is None else now - then
    fell = any(value is not None and value < 0 for value in found.values())
    return None if fell else found


def _groups(before: tuple[KeyGroup, ...], after: tuple[KeyGroup, ...]) -> tuple[KeyGroup, ...]:
    """Subtract group by group; one that was not there before counts in full."""
    then = {group.name: group for group in before}
    return tuple(
        KeyGroup(
            name=group.name,
            hits=max(0, group.hits - then[group.name].hits),
            misses=max(0, group.misses - then[group.name].misses),
        )
        if group.name in then
        else group
        for group in after
    )
