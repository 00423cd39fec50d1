"""What is read as one, and who speaks for a store. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.coordinator.witness import unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.coordinator.probing import Unit
    from cachecheck.coordinator.views import Cohort, SeenView
    from cachecheck.rules.observations import StoreMap

_OWN_TIME = frozenset({"worker", "host"})
_SEVERAL = 2


def units_of(cohort: Cohort, stores: StoreMap) -> tuple[Unit, ...]:
    """Divide a cohort into what is read as one.

    Views that are proven to share a store and the server of it are one unit; where only witnesses
    say so, there is one unit for each node; an unknown store is a unit for each view.
    """
    identity = {view: store for store in stores.stores for view in store.views}
    groups: dict[tuple[object, ...], list[SeenView]] = {}
    for seen in cohort.views:
        store = identity[seen.view]
        member = seen.cache.identity.member
        match store.identity:
            case "observed" | "confirmed":
                key: tuple[object, ...] = (store.id, member)
            case "witnessed":
                key = (store.id, member, seen.view.node)
            case _:
                key = (store.id, seen.view)
        groups.setdefault(key, []).append(seen)
    return tuple(unit_of(_listing_first(members)) for members in groups.values())


def _listing_first(members: Sequence[SeenView]) -> Sequence[SeenView]:
    """Let a view speak that can list the store, where there is one."""
    return sorted(members, key=lambda seen: not seen.cache.capabilities.can_scan)


def surveyors(cohort: Cohort, units: Sequence[Unit], stores: StoreMap) -> tuple[Unit, ...]:
    """Choose who surveys: one unit for each store, and for each node where that is not known."""
    can_scan = {seen.view for seen in cohort.views if seen.cache.capabilities.can_scan}
    identity = {view: store for store in stores.stores for view in store.views}
    chosen: dict[str, Unit] = {}
    for unit in units:
        store = identity[unit.view]
        if unit.view not in can_scan:
            continue
        chosen.setdefault(f"@{unit.node}" if store.identity == "unobserved" else store.id, unit)
    return tuple(chosen.values())


def auditors(cohort: Cohort, units: Sequence[Unit], stores: StoreMap) -> tuple[Unit, ...]:
    """Choose who sums: one unit for each server of each store, so that replicas are compared.

    Where witnesses alone say that nodes share a store, each of them sums: a copy has them too.
    """
    seen = {seen.view: seen for seen in cohort.views}
    identity = {view: store for store in stores.stores for view in store.views}
    chosen: dict[tuple[str | None, ...], Unit] = {}
    for unit in units:
        store, cache = identity[unit.view], seen[unit.view].cache
        if cache.capabilities.can_scan:
            is_known = store.identity not in {"witnessed", "unobserved"}
            where = None if is_known else unit.node
            known_by = None if store.identity == "unobserved" else store.id
            chosen.setdefault((known_by, cache.identity.member, where), unit)
    return tuple(chosen.values())


def is_meant_apart(cohort: Cohort) -> bool:
    """Whether the site declares that each worker or host has a store of its own."""
    return all(seen.cache.declared_scope in _OWN_TIME for seen in cohort.views)


def touches(cohort: Cohort) -> bool:
    return any(seen.cache.capabilities.touches_recency for seen in cohort.views)


def stores_behind(cohort: Cohort, stores: StoreMap) -> set[str]:
    views = {seen.view for seen in cohort.views}
    return {store.id for store in stores.stores if views & set(store.views)}


def is_apart(cohort: Cohort, stores: StoreMap) -> bool:
    """Whether these stores fill at their own time: per worker or host, declared or found."""
    if len(stores_behind(cohort, stores)) < _SEVERAL:
        return False
    if any(seen.is_direct for seen in cohort.views):
        return False  # whoever names a store wants it compared
    if is_meant_apart(cohort):
        return True
    is_found = stores.is_split or cohort.views[0].cache.scope in _OWN_TIME
    return is_found and not stores.undecided
