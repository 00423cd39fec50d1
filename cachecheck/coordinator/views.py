"""Views, and which of them can be compared with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.model import CacheDescription, Key, Namespace, Value
from cachecheck.rules.grouping import enumerated
from cachecheck.rules.observations import Clock, View
from cachecheck.rules.routes import Looked, Routes, routes_of
from cachecheck.stores.namespaces import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cachecheck.rules.observations import Fleet

_NO_CLOCK = Clock(offset_seconds=0.0, uncertainty_seconds=0.0, rtt_seconds=0.0)


class SeenView(Value, frozen=True, kw_only=True):
    """A view with what its worker said of the cache; ``worker_id`` is how to ask it again.

    ``is_direct`` says that it is the coordinator's own view of a store. ``truths`` are the patterns
    of keys that its worker can hold against a source of truth. ``code`` is what the worker runs, as
    far as that is known: its release, Django and Python.
    """

    view: View
    worker_id: str
    host_id: str
    application: str
    cache: CacheDescription
    clock: Clock
    is_direct: bool = False
    truths: tuple[str, ...] = ()
    code: tuple[str, ...] = ()

    @property
    def expiry_shift_seconds(self) -> float:
        """What to take from an expiry in the store's clock to have it in the coordinator's.

        A store on the node goes by the node's clock. Zero where the clock of a store in the network
        is not known: expiries are then compared as they are.
        """
        offset = self.cache.identity.clock_offset_seconds
        if offset is None:
            return 0.0 if self.cache.scope == "network" else self.clock.offset_seconds
        return offset + self.clock.offset_seconds


class Cohort(Value, frozen=True, kw_only=True):
    """Views of one alias whose readings can be compared.

    One application, one kind of backend, one namespace, one codec, one way of dividing keys among
    the same servers: where one of these differs, a finding says so, and comparing entries would
    only repeat it a thousand times. Stores that are read directly may have namespaces of their own,
    which were said to correspond.
    """

    cache: str
    application: str
    kind: str
    views: tuple[SeenView, ...]

    @property
    def namespace(self) -> Namespace:
        """The namespace that all views share."""
        return self.views[0].cache.namespace


def seen_views(fleet: Fleet, aliases: tuple[str, ...]) -> tuple[SeenView, ...]:
    """All views of these aliases, node by node."""
    return tuple(
        SeenView(
            view=View(node=node.name, worker=worker.label, cache=cache.alias),
            worker_id=worker.worker.id,
            host_id=worker.worker.host_id,
            application=worker.application,
            cache=cache,
            clock=node.clock or _NO_CLOCK,
            is_direct=worker is node.store,
            truths=worker.truths,
            code=(worker.release or "", worker.versions.django, worker.versions.python),
        )
        for node in fleet.nodes
        for worker in node.onlookers
        for cache in worker.caches
        if cache.alias in aliases
    )


def cohorts(views: tuple[SeenView, ...]) -> tuple[Cohort, ...]:
    """Divide views into cohorts; those of backends that cannot be read are left out.

    A store that is read directly is of the cohort of nodes that has its namespace, or of the only
    one; where no node has its alias and kind, all such stores are one cohort.
    """
    readable = [seen for seen in views if seen.cache.capabilities.can_read]
    courses = courses_of(views)
    groups: dict[tuple[object, ...], list[SeenView]] = {}
    for seen in readable:
        if not seen.is_direct:
            groups.setdefault((*_sort_key(seen), courses[seen.view]), []).append(seen)
    of_nodes = tuple(groups)
    for seen in readable:
        if seen.is_direct:
            groups.setdefault(_joined(seen, of_nodes, groups), []).append(seen)
    return tuple(
        Cohort(
            cache=members[0].view.cache,
            application=members[0].application,
            kind=members[0].cache.kind,
            views=tuple(members),
        )
        for members in groups.values()
    )


def courses_of(views: Sequence[SeenView]) -> dict[View, object]:
    """Say of each view where it finds keys, of servers that others divide keys among otherwise.

    Views with equal courses find each key in one place. None: nobody divides keys among any of
    these servers in another way, or nothing is known of it. Such views are of one store, or of
    stores that have no server in common, and those are to be compared entry by entry.
    """
    found: dict[View, object] = {}
    aliases: dict[tuple[str, str], list[SeenView]] = {}
    for seen in views:
        aliases.setdefault((seen.view.cache, seen.application), []).append(seen)
    for members in aliases.values():
        told = routes_of([Looked(seen.host_id, seen.cache) for seen in members])
        comparable: dict[tuple[object, ...], list[Routes]] = {}
        for seen, routes in zip(members, told, strict=True):
            if routes is not None:
                comparable.setdefault(_sort_key(seen), []).append(routes)
        drifting = {key: _drifting(routes) for key, routes in comparable.items()}
        for seen, routes in zip(members, told, strict=True):
            is_drifting = routes is not None and routes.listed & drifting[_sort_key(seen)]
            found[seen.view] = routes.course if routes is not None and is_drifting else None
    return found


def _drifting(routes: Sequence[Routes]) -> frozenset[str]:
    """Give the servers among which views divide keys in several ways, also through other lists."""
    groups: list[tuple[frozenset[str], frozenset[object]]] = []
    for one in routes:
        own = [group for group in groups if group[0] & one.listed]
        groups = [group for group in groups if group not in own]
        servers = one.listed.union(*(group[0] for group in own))
        courses = frozenset[object]([one.course]).union(*(group[1] for group in own))
        groups.append((servers, courses))
    return frozenset[str]().union(*(servers for servers, courses in groups if len(courses) > 1))


def _joined(
    store: SeenView,
    of_nodes: Sequence[tuple[object, ...]],
    groups: Mapping[tuple[object, ...], Sequence[SeenView]],
) -> tuple[object, ...]:
    """Choose the group that a store joins: of several that differ in codec alone, the largest.

    Nodes that hash their keys name entries as they are stored, so only a store does that is read
    by stored names as well: by others no key would be the same.
    """
    alike = (store.view.cache, store.application, store.cache.kind)
    form = store.cache.namespace.form
    open_to = [
        key
        for key in of_nodes
        if key[:3] == alike and _have_names_in_common(groups[key][0].cache.namespace.form, form)
    ]
    equal = [key for key in open_to if groups[key][0].cache.namespace.form == form]
    chosen = equal or (open_to if len(open_to) == 1 else [])
    return max(chosen, key=lambda key: len(groups[key]), default=alike)


def _have_names_in_common(of_nodes: str | None, of_store: str | None) -> bool:
    return of_nodes is not None or of_store in {None, KEY}


def set_apart(found: Sequence[Cohort]) -> Iterator[str]:
    """Say which stores that are read directly are compared with nothing else, and why."""
    for number, one in enumerate(found):
        if not all(seen.is_direct for seen in one.views):
            continue
        others = [other for other in found if other is not one and other.cache == one.cache]
        if not others and len(one.views) == 1:
            yield (
                f"{one.cache}: {one.views[0].view.node} was compared with nothing: no other node "
                "or store has that cache (?cache=NAME says which it is)"
            )
        for other in others:
            is_told = other in found[:number] and all(seen.is_direct for seen in other.views)
            if not is_told:
                yield _why_apart(one, other)


def _why_apart(one: Cohort, other: Cohort) -> str:
    if one.kind != other.kind:
        why = f"the one is {one.kind}, the other {other.kind}"
    elif one.application != other.application:
        why = f"they are of the applications {one.application!r} and {other.application!r}"
    elif other.namespace.form is None:
        why = (
            "its stored keys do not show what the nodes call them, so it can be compared by stored "
            f"names alone (?form={KEY})"
        )
    else:
        why = "their namespaces differ (?prefix=PREFIX says which it is)"
    names = [
        enumerated(tuple(dict.fromkeys(seen.view.node for seen in cohort.views)))
        for cohort in (one, other)
    ]
    return f"{one.cache}: {names[0]} was not compared with {names[1]}: {why}"


def stored_form(key: Key, namespace: Namespace) -> Key:
    """Name a key as it is stored, so that views of other namespaces can look at it as well."""
    if key.naming != "logical" or namespace.form is None:
        return key
    return Key(name=namespace.form.replace("{key}", key.name), naming="stored")


def _sort_key(seen: SeenView) -> tuple[object, ...]:
    cache = seen.cache
    return (cache.alias, seen.application, cache.kind, cache.namespace.stored_probe, cache.codec)
