"""Hits and requests by node: what hit-ratio rules compare, and what there is too little of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.model import Role, Value
from cachecheck.proportions import NOTHING, Tried
from cachecheck.rules.grouping import DUMMY, Alias, aliases, declared_scope, enumerated, name_views

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.rules.grouping import Sight
    from cachecheck.rules.observations import Fleet

LEAST_REQUESTS = 100
"""Of fewer requests on a node no ratio is compared: its interval is some 20 points wide."""


class Counted(Value, frozen=True, kw_only=True):
    """What the workers of one node counted in one alias, and for how long at the most."""

    node: str
    views: tuple[str, ...]
    hits: int
    requests: int
    seconds: float

    @property
    def tried(self) -> Tried:
        """Give hits of requests."""
        return Tried(self.hits, self.requests)

    @property
    def is_enough(self) -> bool:
        """Whether there are enough requests to speak of their ratio."""
        return self.requests >= LEAST_REQUESTS


class Family(Value, frozen=True, kw_only=True):
    """The nodes whose ratios of one alias are comparable: of one application, in one role."""

    application: str
    alias: str
    role: Role
    is_private: bool
    nodes: tuple[Counted, ...]

    @property
    def enough(self) -> tuple[Counted, ...]:
        """Give the nodes with enough requests."""
        return tuple(node for node in self.nodes if node.is_enough)

    @property
    def is_comparable(self) -> bool:
        """Whether there are two nodes to compare."""
        return len(self.enough) > 1


def families(fleet: Fleet) -> tuple[Family, ...]:
    """Give what each application counted in each alias, role by role, summed up over each node.

    Commands are left out: most of them end before they have a ratio.
    """
    return tuple(
        _family(alias, role, sights, fleet)
        for alias in aliases(fleet)
        for role, sights in _by_role(alias).items()
        if role in {"web", "celery"}
    )


def shown(tried: Tried) -> str:
    """Show a ratio with what it is of: "90.0 % of 5,000"."""
    return f"{100 * tried.share:.1f} % of {tried.trials:,}"


def told(fleet: Fleet, alias: str) -> str | None:
    """Say in a sentence whether the hit ratios of an alias could be compared; None: none to be."""
    found = [one for one in families(fleet) if one.alias == alias and len(one.nodes) > 1]
    parts = [*_compared(found), *_lost(alias, fleet)]
    return "; ".join(parts) or None


def _compared(found: Sequence[Family]) -> Iterator[str]:
    few = [node for one in found for node in one.nodes if not node.is_enough]
    compared = sum(len(one.enough) for one in found if one.is_comparable)
    if compared:
        yield f"hit ratios compared over {compared} nodes"
    if few:
        least = min(few, key=lambda node: node.requests)
        names = enumerated([node.node for node in few])
        yield (
            f"too few requests to compare {'those' if compared else 'hit ratios'} of {names} "
            f"({least.requests} on {least.node}, {LEAST_REQUESTS} are needed)"
        )


def _lost(alias: str, fleet: Fleet) -> Iterator[str]:
    """Name who counts and of whom nothing is known: that comes of a window alone."""
    lost = [
        sight.label
        for one in aliases(fleet)
        if one.name == alias
        for sight in one.but(DUMMY)
        if sight.cache.is_counting and sight.cache.counters is None
    ]
    if lost:
        yield (
            f"what {name_views(lost, fleet)} counted in the window is not known: restarted, or not "
            "heard twice"
        )


def _by_role(alias: Alias) -> dict[Role, list[Sight]]:
    found: dict[Role, list[Sight]] = {}
    for sight in alias.but(DUMMY):
        if sight.cache.counters is not None:
            found.setdefault(sight.worker.worker.role, []).append(sight)
    return found


def _family(alias: Alias, role: Role, sights: list[Sight], fleet: Fleet) -> Family:
    return Family(
        application=alias.application,
        alias=alias.name,
        role=role,
        is_private=declared_scope(sights) in {"worker", "host"},
        nodes=tuple(_counted(sights, fleet)),
    )


def _counted(sights: list[Sight], fleet: Fleet) -> Iterator[Counted]:
    for node in fleet.nodes:
        here = [sight for sight in sights if sight.worker.node == node.name]
        counters = [sight.cache.counters for sight in here if sight.cache.counters is not None]
        if not counters:
            continue
        sums = NOTHING
        for one in counters:
            sums = sums.plus(Tried(one.hits, one.hits + one.misses))
        offset = node.clock.offset_seconds if node.clock else 0.0
        oldest = min(one.since for one in counters) - offset
        yield Counted(
            node=node.name,
            views=tuple(sight.label for sight in here),
            hits=sums.successes,
            requests=sums.trials,
            seconds=max(0.0, fleet.now - oldest),
        )
