"""H002: a hit ratio that fell since an earlier report of the same workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.model import Value
from cachecheck.proportions import NOTHING, Tried, chance, holm
from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import enumerated, group_by
from cachecheck.rules.hit_ratio import ERROR_RATE, LEAST_DIFFERENCE
from cachecheck.rules.past import Past
from cachecheck.rules.ratios import LEAST_REQUESTS, Counted, Family, families, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.model import Finding, Report
    from cachecheck.rules.observations import Findings, Fleet


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
    past = Past(earlier)
    workers = {worker.label: worker for worker in fleet.workers}
    for family in families(fleet):
        for node in family.nodes:
            before, since = NOTHING, NOTHING
            for view in node.views:
                pair = past.compared(workers[view], family.alias) or (NOTHING, NOTHING)
                before, since = before.plus(pair[0]), since.plus(pair[1])
            yield Change(family=family, node=node, before=before, since=since)


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
