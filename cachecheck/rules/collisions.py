"""N005: one namespace of one store, used by two applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import DUMMY, Sight, by_application, enumerated, group_by, is_seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.model import Finding
    from cachecheck.rules.observations import Contents, Findings, Fleet

_SEVERAL = 2
ALIKE = 0.5
LEAST_ALIKE = 3
"""Where stores are not proven to be one, samples of both must be alike to that share, and so many
keys: each view of one store draws the same."""

_Place = tuple[str, str]


def check(fleet: Fleet, contents: Sequence[Contents]) -> Findings:
    """Give one N005 for each namespace of a store that views of several applications use.

    A store is one where its identity was observed. Where that is only suggested, what the surveys
    sampled through both applications must be the same keys.
    """
    return tuple(
        _finding(sights) for sights in _shared(fleet).values() if _is_one_store(sights, contents)
    )


def _shared(fleet: Fleet) -> dict[_Place, list[Sight]]:
    """Give the views of several applications that share a store and a namespace."""
    found: dict[_Place, list[Sight]] = {}
    for sight in _sights(fleet):
        token = sight.cache.identity.token
        if sight.cache.identity.grade in {"observed", "suggested"} and token:
            found.setdefault((token, sight.cache.namespace.stored_probe), []).append(sight)
    return {
        place: sights for place, sights in found.items() if len(_applications(sights)) >= _SEVERAL
    }


def _sights(fleet: Fleet) -> Iterator[Sight]:
    for workers in by_application(fleet).values():
        for worker in workers:
            for cache in worker.caches:
                if cache.kind != DUMMY and is_seen(cache):
                    yield Sight(worker=worker, cache=cache)


def _applications(sights: Sequence[Sight]) -> list[str]:
    return list(dict.fromkeys(sight.worker.application for sight in sights))


def _is_one_store(sights: Sequence[Sight], contents: Sequence[Contents]) -> bool:
    if all(sight.cache.identity.grade == "observed" for sight in sights):
        return True
    token = sights[0].cache.identity.token
    samples = {
        one.application: set(one.sample)
        for one in contents
        if one.store == token and one.application in _applications(sights)
    }
    first, *others = samples.values() or [set()]
    return bool(others) and all(_are_alike(first, other) for other in others)


def _are_alike(one: set[str], other: set[str]) -> bool:
    both = len(one & other)
    return both >= LEAST_ALIKE and both >= ALIKE * max(len(one), len(other))


def _finding(sights: Sequence[Sight]) -> Finding:
    applications = _applications(sights)
    aliases = sorted({sight.cache.alias for sight in sights})
    namespace = sights[0].cache.namespace
    named = enumerated([repr(name) for name in applications])
    return finding(
        "N005",
        message=f"applications {named} share one store and, in it, one namespace: each reads, "
        "overwrites and clears what the other keeps",
        cache=aliases[0] if len(aliases) == 1 else None,
        subject=" and ".join(sorted(applications)),
        groups=group_by({sight.label: sight.worker.application for sight in sights}),
        evidence={
            "applications": sorted(applications),
            "caches": aliases,
            "stored_keys": namespace.form or namespace.stored_probe,
            "store": sights[0].cache.identity.address,
        },
    )
