"""What was counted since an earlier report, as far as its workers are still there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cachecheck.model import Counters
from cachecheck.moments import iso, moment
from cachecheck.proportions import Tried
from cachecheck.rules.observations import Fleet

if TYPE_CHECKING:
    from cachecheck.model import CacheDescription, HitRatioRow, Report
    from cachecheck.rules.observations import ObservedNode, ObservedWorker


def since(fleet: Fleet, earlier: Report | None) -> Fleet:
    """Give the fleet with what its workers counted since the earlier report; None: as it is.

    What began to be counted later stays as it is, a window of this run too. So does what the report
    says nothing of: it was counted for longer, which whoever compares it looks at.
    """
    taken_at = moment(earlier.run.started_at) if earlier is not None else None
    if earlier is None or taken_at is None:
        return fleet
    past = Past(earlier)
    nodes = tuple(_node(node, past, taken_at) for node in fleet.nodes)
    return Fleet(nodes=nodes, now=fleet.now)


def _node(node: ObservedNode, past: Past, taken_at: float) -> ObservedNode:
    there = taken_at + (node.clock.offset_seconds if node.clock else 0.0)
    workers = tuple(
        msgspec.structs.replace(
            worker, caches=tuple(_cache(cache, worker, past, there) for cache in worker.caches)
        )
        for worker in node.workers
    )
    return msgspec.structs.replace(node, workers=workers)


def _cache(
    cache: CacheDescription, worker: ObservedWorker, past: Past, taken_at: float
) -> CacheDescription:
    if cache.counters is None or past.is_older(cache.counters):
        return cache
    pair = past.compared(worker, cache.alias)
    if pair is None:
        return cache
    hits, looks = pair[1]
    counted = Counters(hits=hits, misses=looks - hits, since=taken_at)
    return msgspec.structs.replace(cache, counters=counted)


class Past:
    """What an earlier report says of workers that may still be there."""

    def __init__(self, earlier: Report) -> None:
        self._started = {
            worker.id: worker.started_at for node in earlier.nodes for worker in node.workers
        }
        self._rows: dict[tuple[str, str | None], HitRatioRow] = {
            (cache.alias, row.view.worker): row
            for cache in earlier.caches
            for row in cache.hit_ratios
            if row.source == "agent"
        }
        self._taken_at = earlier.run.started_at

    def is_older(self, counters: Counters) -> bool:
        """Whether the report is older than all that was counted."""
        return iso(counters.since) >= self._taken_at

    def compared(self, worker: ObservedWorker, alias: str) -> tuple[Tried, Tried] | None:
        """Give what a worker counted until the report and since then; None: it is not known."""
        row = self._rows.get((alias, worker.label))
        counters = next((cache.counters for cache in worker.caches if cache.alias == alias), None)
        is_same = self._started.get(worker.label) == iso(worker.worker.started_at)
        if row is None or counters is None or not is_same:
            return None
        before = Tried(row.hits, row.hits + row.misses)
        later = self._since(counters, row, before)
        return None if later is None else (before, later)

    def _since(self, counters: Counters, row: HitRatioRow, before: Tried) -> Tried | None:
        """Tell what was counted since the report from all that was; None: they overlap."""
        now = Tried(counters.hits, counters.hits + counters.misses)
        if iso(counters.since) == row.since:
            later = now.minus(before)
            is_possible = 0 <= later.successes <= later.trials
            return later if is_possible else None
        return now if self.is_older(counters) else None
