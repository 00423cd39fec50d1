"""Find out which views share a store, with witnesses where identities do not tell."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from cachecheck.coordinator.stores import map_stores, needs_witnesses
from cachecheck.coordinator.witness import find_stores
from cachecheck.model import Key
from cachecheck.rules.observations import StoreMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.coordinator.options import Options
    from cachecheck.coordinator.probing import Prober
    from cachecheck.coordinator.progress import Progress
    from cachecheck.coordinator.views import SeenView

ROUTING_PROBES = 16


def probe_keys(run: str) -> tuple[str, ...]:
    """Name keys that occur nowhere else; the first shows the namespace, all show the routing.

    They differ in many characters: some hashes hardly spread keys that are numbered.
    """
    numbers = (f"{run}:{number}".encode() for number in range(ROUTING_PROBES))
    return tuple(f"cachecheck:probe:{blake2b(one, digest_size=12).hexdigest()}" for one in numbers)


async def map_all(
    prober: Prober,
    views: Sequence[SeenView],
    options: Options,
    progress: Progress,
    *,
    with_witnesses: bool,
) -> tuple[StoreMap, ...]:
    """Map stores for each alias of each application, backends of one kind together."""
    groups: dict[tuple[str, str, str], list[SeenView]] = {}
    for seen in views:
        key = (seen.view.cache, seen.application, seen.cache.kind)
        groups.setdefault(key, []).append(seen)
    progress.stage("Finding out who shares a store", len(groups))
    named = tuple(Key(name=key) for key in options.keys)

    found = []
    for members in groups.values():  # one after the other: aliases often share a server
        if with_witnesses and needs_witnesses(members):
            found.append(await find_stores(prober, members, named, probe_keys(prober.run)))
        else:
            cache = members[0].view.cache
            found.append(map_stores(cache, members, {}, differed_twice=with_witnesses))
        progress.advance()
    return _united(found)


def _united(maps: Sequence[StoreMap]) -> tuple[StoreMap, ...]:
    """Put the maps of one alias and application together, whatever the kinds of backend."""
    united: dict[tuple[str, str], StoreMap] = {}
    for one in maps:
        key = (one.cache, one.application)
        other = united.get(key)
        united[key] = one if other is None else _both(other, one)
    return tuple(united.values())


def _both(one: StoreMap, other: StoreMap) -> StoreMap:
    return StoreMap(
        cache=one.cache,
        application=one.application,
        stores=one.stores + other.stores,
        is_split=one.is_split or other.is_split,
        undecided=one.undecided or other.undecided,
    )
