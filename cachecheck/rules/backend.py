"""B: does one alias mean one cache? All compared within one application.

Two applications may each have a ``default`` of their own. What a site declares in ``SCOPES`` counts
where all workers concerned declare the same; a store narrower than declared is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import (
    DUMMY,
    LOCMEM,
    UNDECLARED,
    UNSUPPORTED,
    Alias,
    Sight,
    aliases,
    by_application,
    contrast,
    declarations,
    declared_scope,
    enumerated,
    group_by,
    group_by_differing,
    name_views,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cachecheck.model import Finding, Group
    from cachecheck.rules.observations import Findings, Fleet, SharedStore, StoreMap

_NOT_KNOWN = ("unobserved", "none")


def check(fleet: Fleet, stores: Iterable[StoreMap] = ()) -> Findings:
    """Give B001, B002, B003, B007, B009 and B010 for each alias of each application."""
    maps = {(one.application, one.cache): one for one in stores}
    workers = by_application(fleet)
    found: list[Finding] = []
    for alias in aliases(fleet):
        everyone = [one.label for one in workers[alias.application]]
        found += _process_local(alias, fleet)
        found += _backend_drift(alias, fleet)
        found += _store_split(alias, maps.get((alias.application, alias.name)), fleet)
        found += _no_cache(alias, fleet)
        found += _missing(alias, everyone, fleet)
        found += _codec_drift(alias, fleet)
    return tuple(found)


# --- B001 ----------------------------------------------------------------------------------


def _process_local(alias: Alias, fleet: Fleet) -> Iterator[Finding]:
    local = tuple(sight for sight in alias.sights if sight.cache.kind == LOCMEM)
    counts = _processes(local, fleet)
    total = sum(counts.values())
    declared = declared_scope(local)
    is_as_meant = declared == "worker" or (
        declared == "host" and max(counts.values(), default=0) <= 1
    )
    if total <= 1 or is_as_meant:
        return
    groups = group_by({sight.label: sight.cache.backend for sight in local})
    heard = len({sight.worker.worker.id for sight in local})
    share = f", {heard} of them heard" if heard < total else ""
    yield finding(
        "B001",
        message=f"{alias.name!r} is {total} separate caches{share}, one in each process of "
        f"{enumerated(tuple(counts))}{_against(local)}",
        cache=alias.name,
        subject=alias.application,
        groups=groups,
        evidence={
            "application": alias.application,
            "separate_caches": total,
            "per_node": counts,
            "declared": declarations(local),
        },
    )


def _processes(local: tuple[Sight, ...], fleet: Fleet) -> dict[str, int]:
    """Count the processes of each node: those heard, or as many web workers as are expected.

    A server that is listed under two addresses is counted once.
    """
    counts: dict[str, int] = {}
    known: set[frozenset[str]] = set()
    for node in fleet.nodes:
        heard = [sight.worker.worker for sight in local if sight.worker.node == node.name]
        ids = frozenset(worker.id for worker in heard)
        if ids and ids not in known:
            known.add(ids)
            web = sum(worker.role == "web" for worker in heard)
            unheard = max(0, (node.workers_expected or 0) - web) if web else 0
            counts[node.name] = len(ids) + unheard
    return counts


def _against(sights: Iterable[Sight]) -> str:
    said = declarations(sights)
    if not isinstance(said, str):
        return "; SCOPES differs between workers"
    return "" if said == UNDECLARED else f"; declared as {said}"


# --- B002, B007, B009 ----------------------------------------------------------------------


def _backend_drift(alias: Alias, fleet: Fleet) -> Iterator[Finding]:
    """Compare kinds: a subclass reads and writes as its base does, or other rules will tell."""
    sights = alias.but()
    groups = group_by({sight.label: _kind(sight) for sight in sights})
    if len(groups) > 1:
        classes = {sight.label: sight.cache.backend for sight in sights}
        yield finding(
            "B002",
            message=f"{alias.name!r} has different backends: {contrast(groups, fleet)}",
            cache=alias.name,
            subject=alias.application,
            groups=groups,
            evidence={
                "application": alias.application,
                "classes": {
                    group.label: sorted({classes[view] for view in group.views}) for group in groups
                },
            },
        )


def _kind(sight: Sight) -> str:
    kind = sight.cache.kind
    return sight.cache.backend if kind == UNSUPPORTED else kind


def _no_cache(alias: Alias, fleet: Fleet) -> Iterator[Finding]:
    sights = alias.but()
    declared = declared_scope(sights)
    if declared == "none" or {sight.cache.kind for sight in sights} != {DUMMY}:
        return
    groups = group_by({sight.label: sight.cache.backend for sight in sights})
    yield finding(
        "B007",
        severity="error" if declared else "warning",
        message=f"{alias.name!r} is DummyCache on {name_views(_labels(sights), fleet)}: "
        f"nothing is cached{_against(sights)}",
        cache=alias.name,
        subject=alias.application,
        groups=groups,
        evidence={
            "application": alias.application,
            "declared": declarations(sights),
        },
    )


def _missing(alias: Alias, everyone: list[str], fleet: Fleet) -> Iterator[Finding]:
    having = set(_labels(alias.sights))
    lacking = [view for view in everyone if view not in having]
    if lacking:
        values = {view: "missing" if view in lacking else "defined" for view in everyone}
        yield finding(
            "B009",
            message=f"{alias.name!r} is missing on {name_views(lacking, fleet)}; "
            f"{len(having)} of {len(everyone)} workers have it",
            cache=alias.name,
            subject=alias.application,
            groups=group_by(values),
            evidence={"application": alias.application},
        )


def _labels(sights: Iterable[Sight]) -> tuple[str, ...]:
    return tuple(sight.label for sight in sights)


# --- B003 ----------------------------------------------------------------------------------


def _store_split(alias: Alias, stores: StoreMap | None, fleet: Fleet) -> Iterator[Finding]:
    """Tell stores of one kind apart that were confirmed to be several; B002 has other kinds."""
    if stores is None or not stores.is_split:
        return
    known = [one for one in stores.stores if one.identity not in _NOT_KNOWN]
    for kind in dict.fromkeys(one.kind for one in known if one.kind not in (LOCMEM, DUMMY)):
        yield from _split_kind(alias, kind, [one for one in known if one.kind == kind], fleet)


def _split_kind(
    alias: Alias, kind: str, stores: list[SharedStore], fleet: Fleet
) -> Iterator[Finding]:
    behind = {view.worker: one for one in stores for view in one.views}
    sights = tuple(sight for sight in alias.sights if sight.label in behind)
    ids = {sight.label: behind[sight.label].id for sight in sights}
    if len(set(ids.values())) < 2 or _is_split_as_meant(sights, ids):  # noqa: PLR2004  several
        return
    names = _store_names(behind[label] for label in ids)
    groups = group_by(ids, lambda id_: names[id_])
    yield finding(
        "B003",
        message=f"{alias.name!r} is {len(groups)} different {kind} stores: "
        f"{contrast(groups, fleet)}{_against(sights)}",
        cache=alias.name,
        subject=alias.application,
        groups=groups,
        evidence={
            "application": alias.application,
            "stores": {group.label: ids[group.views[0]] for group in groups},
            "identity": sorted({behind[label].identity for label in ids}),
            "declared": declarations(sights),
        },
    )


def _is_split_as_meant(sights: tuple[Sight, ...], ids: Mapping[str, str]) -> bool:
    """Say whether the site declares it so: a store per worker, or one per node."""
    declared = declared_scope(sights)
    if declared == "host":  # behind a balanced address (F008) one node is several hosts
        places = {sight.label: (sight.worker.node, sight.worker.worker.host_id) for sight in sights}
        return len({(places[view], ids[view]) for view in places}) == len(set(places.values()))
    return declared == "worker"


def _store_names(stores: Iterable[SharedStore]) -> dict[str, str]:
    """Name stores by their addresses; by their ids as well where addresses are equal."""
    distinct = {one.id: one.address or one.kind for one in stores}
    places = list(distinct.values())
    return {
        id_: f"{place} [{id_}]" if places.count(place) > 1 else place
        for id_, place in distinct.items()
    }


# --- B010 ----------------------------------------------------------------------------------


def _codec_drift(alias: Alias, fleet: Fleet) -> Iterator[Finding]:
    """Compare within a kind; what a process keeps to itself may look as it likes."""
    sights = alias.but(LOCMEM, DUMMY)
    for kind in dict.fromkeys(_kind(sight) for sight in sights):
        codecs = {sight.label: dict(sight.cache.codec) for sight in sights if _kind(sight) == kind}
        differing, groups = group_by_differing(codecs)
        if differing:
            yield _different_codecs(alias, differing, groups, fleet)


def _different_codecs(
    alias: Alias, differing: list[str], groups: tuple[Group, ...], fleet: Fleet
) -> Finding:
    return finding(
        "B010",
        message=f"{alias.name!r} is encoded differently: {contrast(groups, fleet)}",
        cache=alias.name,
        subject=alias.application,
        groups=groups,
        evidence={"application": alias.application, "differs": differing},
    )
