"""Find keys whose values the application cannot read somewhere, though they are there.

One store is read once for many views, and whether the bytes are the same is then known. Whether
each node has the classes in them is not: nodes of one store may run different releases, and so may
the workers of a node that is being restarted. So a few keys are read as structures on every node,
through a worker of each release.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cachecheck.coordinator.suspects import SETTLED_PAUSE_SECONDS
from cachecheck.coordinator.witness import unit_of
from cachecheck.model import Present
from cachecheck.rules.observations import KeyOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cachecheck.coordinator.entries import Entries
    from cachecheck.coordinator.probing import Prober, Unit
    from cachecheck.coordinator.views import SeenView
    from cachecheck.model import Key, Reading
    from cachecheck.rules.observations import StoreMap, View

MOST_SAMPLED = 100
MOST_OF_ANOTHER_CODEC = 3
"""Beside the keys that are named: that codecs differ is said already, and of all keys."""

Readings = dict["Unit", dict["Key", "Present"]]


async def find_unreadable(
    prober: Prober, entries: Sequence[Entries], stores: Sequence[StoreMap]
) -> tuple[Entries, ...]:
    """Give the entries with what was found to be unreadable, in two looks."""
    identity = {view: store.id for one in stores for store in one.stores for view in store.views}
    told: set[tuple[object, ...]] = set()
    found = []
    for one in entries:
        looked = await _Looking(prober, one, _others(one, entries, identity)).look()
        family = _family(one)
        news = tuple(each for each in looked.unreadable if (*family, each.key) not in told)
        told.update((*family, each.key) for each in news)
        found.append(replace(looked, unreadable=news))
    return tuple(found)


def _others(
    one: Entries, entries: Iterable[Entries], identity: Mapping[View, str]
) -> tuple[SeenView, ...]:
    """Give the views that share a store and its names, and differ in codec alone."""
    own = {identity.get(seen.view) for seen in one.cohort.views}
    return tuple(
        seen
        for other in entries
        if other is not one and _family(other) == _family(one)
        for seen in other.cohort.views
        if identity.get(seen.view) in own
    )


def _family(one: Entries) -> tuple[str, ...]:
    cohort = one.cohort
    stored = cohort.views[0].cache.namespace.stored_probe
    return (cohort.cache, cohort.application, cohort.kind, stored)


class _Looking:
    """Looks at some keys of one cohort through each of its releases, and through ``others``."""

    def __init__(self, prober: Prober, entries: Entries, others: Sequence[SeenView]) -> None:
        self._prober = prober
        self._entries = entries
        self._own = _by_code(entries.cohort.views)
        self._others = _by_code(others)

    async def look(self) -> Entries:
        """Read through one unit, then what refers to anything through the rest; then once more."""
        keys = _keys(self._entries)
        if not keys or not self._own or not self._prober.deadline.remaining_seconds:
            return self._entries
        first, *rest = self._own
        readings = await self._read([first], keys)
        told = readings[first]
        referring = [key for key in keys if key in told and _may_differ(told[key])]
        readings |= await self._read(rest, [*referring, *(key for key in keys if key not in told)])
        there = [key for key in keys if key in told]
        most = len(self._entries.named.keys) + MOST_OF_ANOTHER_CODEC
        readings |= await self._read(self._others, there[:most])
        return await self._confirmed(readings)

    async def _confirmed(self, before: Readings) -> Entries:
        """Look once more at what seemed unreadable; what is not the same again is left out."""
        suspects = {key for found in before.values() for key in found if found[key].unreadable}
        if not suspects:
            return self._entries
        await asyncio.sleep(SETTLED_PAUSE_SECONDS)
        keys = [key for key in _keys(self._entries) if key in suspects]
        after = await self._read(list(before), keys)
        outcomes = [self._outcome(key, before, after) for key in keys]
        return replace(self._entries, unreadable=tuple(one for one in outcomes if one is not None))

    def _outcome(self, key: Key, before: Readings, after: Readings) -> KeyOutcome | None:
        units = [
            unit
            for unit, found in after.items()
            if key in found and key in before[unit] and _is_same(before[unit][key], found[key])
        ]
        if not any(after[unit][key].unreadable for unit in units):
            return None
        entries = self._entries
        return KeyOutcome(
            cache=entries.cohort.cache,
            key=key,
            verdict="unreadable",
            is_named=any(one.key == key for one in entries.named.keys),
            is_apart=entries.is_apart,
            are_stores_distinct=entries.are_stores_distinct,
            readings=tuple((unit.view, after[unit][key]) for unit in units),
            stand_for=tuple(unit.stands_for for unit in units),
            looked=2,
            persisted_seconds=SETTLED_PAUSE_SECONDS,
            tolerance_seconds=entries.tolerance_seconds,
            is_codec_drift=any(
                after[unit][key].unreadable for unit in units if unit in self._others
            ),
        )

    async def _read(self, units: Sequence[Unit], keys: Sequence[Key]) -> Readings:
        if not units or not keys or not self._prober.deadline.remaining_seconds:
            return {}
        found = await self._prober.read(units, keys, with_structure=True)
        return {unit: _present(keys, readings) for unit, readings in found.items()}


def _by_code(views: Iterable[SeenView]) -> tuple[Unit, ...]:
    """Make a unit of what runs the same code on one node.

    Caches of single workers are read by nobody else.
    """
    found: dict[tuple[str, tuple[str, ...]], list[SeenView]] = {}
    for seen in views:
        if not seen.is_direct and seen.cache.scope != "worker":
            found.setdefault((seen.view.node, seen.code), []).append(seen)
    return tuple(unit_of(members) for members in found.values())


def _keys(entries: Entries) -> list[Key]:
    chosen = [one.key for one in entries.named.keys]
    others = [one.key for one in (*entries.sampled.keys, *entries.examples.keys)]
    return [*chosen, *others[:MOST_SAMPLED]]


def _may_differ(reading: Present) -> bool:
    """Whether another node may be able to read a value that this one cannot, or the reverse."""
    return bool(reading.globals or reading.unreadable or reading.structure_unknown)


def _is_same(one: Present, other: Present) -> bool:
    return one.digest == other.digest and one.unreadable == other.unreadable


def _present(keys: Sequence[Key], readings: Sequence[Reading]) -> dict[Key, Present]:
    told = zip(keys, readings, strict=True)
    return {key: reading for key, reading in told if isinstance(reading, Present)}
