"""Find out which views share a store, asking for witnesses where identities leave it open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cachecheck.coordinator.outcomes import Answered
from cachecheck.coordinator.probing import Unit
from cachecheck.coordinator.sample import Draw, chosen_keys, survey_units
from cachecheck.coordinator.stores import agreement, anchor, map_stores
from cachecheck.coordinator.views import stored_form
from cachecheck.wire import Describe, Described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.coordinator.probing import Prober
    from cachecheck.coordinator.views import SeenView
    from cachecheck.model import Key, Reading, StoreIdentity
    from cachecheck.rules.observations import StoreMap, View

SPARE_NODES = 2
WITNESSES = 20
WITNESS_SCAN = 5_000
WITNESS_VIEWS = 4
PAUSES_SECONDS = (0.0, 0.2, 0.6)


def unit_of(views: Sequence[SeenView], spare_nodes: int = SPARE_NODES) -> Unit:
    """Make a unit of views that prove each other: any worker of the first one's node will do.

    Up to ``spare_nodes`` others stand in, one after the other, should that node be lost.
    """
    node = views[0].view.node
    others = [seen for seen in views if seen.view.node != node]
    return Unit(
        node=node,
        cache=views[0].view.cache,
        workers=frozenset(seen.worker_id for seen in views if seen.view.node == node),
        stands_for=tuple(seen.view for seen in views),
        shift_seconds=views[0].expiry_shift_seconds,
        instead=unit_of(others, spare_nodes - 1) if others and spare_nodes else None,
    )


async def find_stores(
    prober: Prober, views: Sequence[SeenView], named: Sequence[Key], probe_keys: tuple[str, ...]
) -> StoreMap:
    """Map the stores behind views of one alias and one kind of backend by witnesses.

    ``named`` keys serve as witnesses beside those that a short survey finds.
    """
    cache = views[0].view.cache
    units = _speakers(views)
    witnesses = await _choose(prober, units, views, named)
    testimony = await _testify(prober, units, witnesses) if witnesses else {}
    spread = {seen.view: testimony.get(_speaker(units, seen), ()) for seen in views}
    looked_twice = await _look_twice(prober, units, views, probe_keys)
    return map_stores(cache, views, spread, differed_twice=looked_twice)


def _speakers(views: Sequence[SeenView]) -> tuple[Unit, ...]:
    """Give who testifies: one for all views that are surely of one store."""
    groups: dict[object, list[SeenView]] = {}
    for seen in views:
        groups.setdefault(anchor(seen), []).append(seen)
    return tuple(unit_of(members) for members in groups.values())


def _speaker(units: Sequence[Unit], seen: SeenView) -> View:
    return next(unit.view for unit in units if seen.view in unit.stands_for)


async def _choose(
    prober: Prober, units: Sequence[Unit], views: Sequence[SeenView], named: Sequence[Key]
) -> tuple[Key, ...]:
    """Choose keys, in the form in which they are stored: views may differ in namespace."""
    namespaces = {seen.view: seen.cache.namespace for seen in views}
    can_scan = {seen.view for seen in views if seen.cache.capabilities.can_scan}
    asked = [unit for unit in _one_per_token(units, views) if unit.view in can_scan]
    a_second = prober.rate.per_second or WITNESS_SCAN  # of a rate, so that it is not all used up
    most = max(WITNESSES, min(WITNESS_SCAN, int(a_second)))
    draw = Draw(size=WITNESSES, match="*", max_scan=most)
    chosen: set[Key] = set()
    for unit in asked[:WITNESS_VIEWS]:  # one after the other: they may be one server after all
        surveys = await survey_units(prober, (unit,), draw, lambda: None)
        found = chosen_keys(tuple(surveys.values()), WITNESSES)
        chosen |= {stored_form(key, namespaces[unit.view]) for key in found}
    chosen |= {stored_form(key, namespaces[unit.view]) for unit in units for key in named}
    return tuple(sorted(chosen, key=lambda key: key.name)[: WITNESSES * WITNESS_VIEWS])


def _one_per_token(units: Sequence[Unit], views: Sequence[SeenView]) -> list[Unit]:
    """Choose a unit for each identity, and for each node where there is none."""
    tokens = {seen.view: seen.cache.identity.token for seen in views}
    chosen: dict[str, Unit] = {}
    for unit in units:
        chosen.setdefault(tokens[unit.view] or f"node {unit.node}", unit)
    return list(chosen.values())


async def _testify(
    prober: Prober, units: Sequence[Unit], witnesses: Sequence[Key]
) -> dict[View, list[tuple[Reading, ...]]]:
    """Read the witnesses through every unit, twice at least, again while anything is open.

    In one look a witness can speak for one store, and never against it.
    """
    looks: dict[View, list[tuple[Reading, ...]]] = {unit.view: [] for unit in units}
    for pause in PAUSES_SECONDS:
        await asyncio.sleep(pause)
        for unit, readings in (await prober.read(units, witnesses)).items():
            looks[unit.view].append(readings)
        first = looks[units[0].view]
        agreeing = all(agreement(first, looks[unit.view]) == "agree" for unit in units[1:])
        if agreeing and len(first) > 1:
            break
    return looks


async def _look_twice(
    prober: Prober, units: Sequence[Unit], views: Sequence[SeenView], probe_keys: tuple[str, ...]
) -> bool:
    """Ask for the identities again; whether each is what it was."""
    before = {seen.view: seen.cache.identity for seen in views}
    of_nodes = {seen.cache.identity.token for seen in views if not seen.is_direct}
    if len(of_nodes) == 1:
        return True
    found = await asyncio.gather(*(_identity(prober, unit, probe_keys) for unit in units))
    return all(
        identity is not None and identity.token == before[unit.view].token
        for unit, identity in zip(units, found, strict=True)
    )


async def _identity(
    prober: Prober, unit: Unit, probe_keys: tuple[str, ...]
) -> StoreIdentity | None:
    def request_for(audience: tuple[str, ...]) -> Describe:
        return Describe(run=prober.run, audience=audience, probe_keys=probe_keys)

    outcome = await prober.ask_one(unit, request_for)
    if not isinstance(outcome, Answered) or not isinstance(outcome.answer, Described):
        return None
    caches = {cache.alias: cache for cache in outcome.answer.caches}
    return caches[unit.cache].identity if unit.cache in caches else None
