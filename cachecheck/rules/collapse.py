"""H002: a hit ratio that fell since an earlier report of the same workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.model import Value
from cachecheck.moments import iso
from cachecheck.proportions import NOTHING, Tried, chance, holm
from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import enumerated, group_by
from cachecheck.rules.hit_ratio import ERROR_RATE, LEAST_DIFFERENCE
from cachecheck.rules.ratios import LEAST_REQUESTS, Counted, Family, families, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.model import Counters, Finding, HitRatioRow, Report
    from cachecheck.rules.observations import Findings, Fleet, ObservedWorker


class Change(Value, frozen=True, kw_only=True):
    """What the workers of a node counted before the earlier report, and since then."""

    family: Family
    node: Counted
    before: Tried
    since: Tried

    @property
    def is_enough(self) -> bool:
        """Whether both times had requests enough to speak of their ratios."""
        return min(self.before.trials, self.since.trials) >= LEAST_REQUESTS

    @property
    def fall(self) -> float:
        """Give by how much the ratio fell."""
        return self.before.share - self.since.share


def check(fleet: Fleet, earlier: Report | None) -> Findings:
    """Give one H002 for each alias of which a node's hit ratio collapsed since the earlier report.

    Only workers that are in both are compared: one that was restarted begins with a cold count, and
    maybe with an empty cache.
    """
    if earlier is None:
        return ()
    changes = [one for one in _changes(fleet, earlier) if one.is_enough]
    corrected = holm([chance(one.before, one.since) for one in changes])
    fallen: dict[tuple[str, str, str], list[Change]] = {}
    for one, value in zip(changes, corrected, strict=True):
        if value <= ERROR_RATE and one.fall >= LEAST_DIFFERENCE:
            family = one.family
            fallen.setdefault((family.application, family.alias, family.role), []).append(one)
    return tuple(map(_collapsed, fallen.values()))


def _changes(fleet: Fleet, earlier: Report) -> Iterator[Change]:
    past = _Past(earlier)
    workers = {worker.label: worker for worker in fleet.workers}
    for family in families(fleet):
        for node in family.nodes:
            before, since = NOTHING, NOTHING
            for view in node.views:
                pair = past.compared(workers[view], family.alias)
                before, since = before.plus(pair[0]), since.plus(pair[1])
            yield Change(family=family, node=node, before=before, since=since)


class _Past:
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

    def compared(self, worker: ObservedWorker, alias: str) -> tuple[Tried, Tried]:
        """Give what a worker counted until the report and since then; nothing if it is another."""
        row = self._rows.get((alias, worker.label))
        counters = next((cache.counters for cache in worker.caches if cache.alias == alias), None)
        is_same = self._started.get(worker.label) == iso(worker.worker.started_at)
        if row is None or counters is None or not is_same:
            return NOTHING, NOTHING
        before = Tried(row.hits, row.hits + row.misses)
        since = self._since(counters, row, before)
        return (NOTHING, NOTHING) if since is None else (before, since)

    def _since(self, counters: Counters, row: HitRatioRow, before: Tried) -> Tried | None:
        """Tell what was counted since the report from all that was; None: they overlap."""
        now = Tried(counters.hits, counters.hits + counters.misses)
        if iso(counters.since) == row.since:
            later = now.minus(before)
            is_possible = 0 <= later.successes <= later.trials
            return later if is_possible else None
        return now if iso(counters.since) >= self._taken_at else None


def _collapsed(changes: list[Change]) -> Finding:
    family = changes[0].family
    names = enumerated([one.node.node for one in changes])
    worst = max(changes, key=lambda one: one.fall)
    return finding(
        "H002",
        message=f"hits on {names} fell from {shown(worst.before)} to {shown(worst.since)}",
        cache=family.alias,
        subject=family.application,
        groups=group_by(
            {
                view: f"{shown(one.before)}, then {shown(one.since)}"
                for one in changes
                for view in one.node.views
            }
        ),
        evidence={"application": family.application, "role": family.role},
    )
