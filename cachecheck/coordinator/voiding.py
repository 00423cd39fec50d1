"""Take the readings of workers that ended during the run out of what was found. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cachecheck.coordinator.compare import Tolerance
from cachecheck.coordinator.confirm import MIN_LOOKS, Look, judge
from cachecheck.coordinator.suspects import Examination, Examined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.coordinator.entries import Entries
    from cachecheck.rules.observations import Fleet

ENDED = "its process ended during the run"


def ended_workers(fleet: Fleet) -> frozenset[str]:
    """Give the ids of the workers that were there at first and gone at the end."""
    return frozenset(
        one.worker.id for node in fleet.nodes for one in node.workers if one.label in node.restarted
    )


def without(entries: Entries, ended: frozenset[str], now: float) -> Entries:
    """Leave out what only workers that ``ended`` can have said.

    What is left of a key is judged anew; ``now`` is the coordinator's clock. A store that others
    share was read through one of them, and what was read there stands.
    """
    tolerance = Tolerance(seconds=entries.tolerance_seconds, horizon=now)

    def of(group: Examination) -> Examination:
        return _without(group, ended, tolerance)

    return msgspec.structs.replace(
        entries, named=of(entries.named), sampled=of(entries.sampled), examples=of(entries.examples)
    )


def _without(group: Examination, ended: frozenset[str], tolerance: Tolerance) -> Examination:
    kept = [at for at, unit in enumerate(group.units) if not unit.workers <= ended]
    if len(kept) == len(group.units):
        return group
    void = tuple(unit for unit in group.units if unit.workers <= ended)
    return Examination(
        units=tuple(group.units[at] for at in kept),
        lost=group.lost + void,
        reasons=group.reasons + (ENDED,) * len(void),
        keys=tuple(_judged_anew(one, kept, tolerance) for one in group.keys),
    )


def _judged_anew(one: Examined, kept: Sequence[int], tolerance: Tolerance) -> Examined:
    looks = tuple(
        Look(at=look.at, readings=tuple(look.readings[at] for at in kept)) for look in one.looks
    )
    if len(kept) < MIN_LOOKS:  # a key that one view alone has said something of agrees with nobody
        return Examined(key=one.key, judgement="closed", looks=looks)
    if len(looks) < MIN_LOOKS:
        return msgspec.structs.replace(one, looks=looks)
    judgement = judge(looks, settle_seconds=0.0, tolerance=tolerance)
    return Examined(key=one.key, judgement=judgement, looks=looks)
