"""The rows of a report that show hits and misses: of each view, and of each server. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from cachecheck.intervals import wilson
from cachecheck.model import HitRatioRow, KeyGroupRow, ViewRow
from cachecheck.moments import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.model import Counters, KeyGroup, ServerCounters
    from cachecheck.rules.observations import Fleet


def hit_ratio_rows(alias: str, fleet: Fleet) -> tuple[HitRatioRow, ...]:
    """One row for each worker that counts, then one for each server that does."""
    return (*_agent_rows(alias, fleet), *_server_rows(alias, fleet))


def _agent_rows(alias: str, fleet: Fleet) -> Iterator[HitRatioRow]:
    for worker in fleet.workers:
        for cache in worker.caches:
            if cache.alias == alias and cache.counters is not None:
                yield _agent_row(ViewRow(node=worker.node, worker=worker.label), cache.counters)


def _server_rows(alias: str, fleet: Fleet) -> Iterator[HitRatioRow]:
    """Show what a server counted as the first worker that asked it heard it."""
    told: dict[str, list[tuple[ViewRow, ServerCounters]]] = {}
    for worker in fleet.workers:
        for cache in worker.caches:
            if cache.alias == alias and cache.server_counters is not None:
                view = ViewRow(node=worker.node, worker=None)
                counters = cache.server_counters
                told.setdefault(counters.server, []).append((view, counters))
    for counted in told.values():
        view = counted[0][0]
        yield _server_row(view, [counters for _, counters in counted])


def _agent_row(view: ViewRow, counters: Counters) -> HitRatioRow:
    return HitRatioRow(
        view=view,
        source="agent",
        since=iso(counters.since),
        sets=counters.sets,
        deletes=counters.deletes,
        errors=counters.errors,
        evictions=counters.evictions,
        looks_per_grouped=counters.looks_per_grouped,
        groups=tuple(map(_group_row, counters.groups)),
        **_looks(counters.hits, counters.misses),
    )


def _server_row(view: ViewRow, told: Sequence[ServerCounters]) -> HitRatioRow:
    """Show what the server counted of all clients but us, as far as is known what we moved."""
    first = told[0]
    own_hits = sum(counters.own_hits for counters in told)
    own_misses = sum(counters.own_misses for counters in told)
    return HitRatioRow(
        view=view,
        source="server",
        since=iso(first.since),
        evictions=first.evictions,
        expirations=first.expirations,
        own_reads=own_hits + own_misses,
        **_looks(max(0, first.hits - own_hits), max(0, first.misses - own_misses)),
    )


def _group_row(group: KeyGroup) -> KeyGroupRow:
    return KeyGroupRow(name=group.name, **_looks(group.hits, group.misses))


class _Looks(TypedDict):
    hits: int
    misses: int
    ratio: float | None
    interval95: tuple[float, float] | None


def _looks(hits: int, misses: int) -> _Looks:
    looks = hits + misses
    return {
        "hits": hits,
        "misses": misses,
        "ratio": round(hits / looks, 6) if looks else None,
        "interval95": wilson(hits, looks) if looks else None,
    }
