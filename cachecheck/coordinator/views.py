"""Views, and which of them can be compared with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.model import CacheDescription, Key, Namespace, Value
from cachecheck.rules.observations import Clock, View

if TYPE_CHECKING:
    from cachecheck.rules.observations import Fleet

_NO_CLOCK = Clock(offset_seconds=0.0, uncertainty_seconds=0.0, rtt_seconds=0.0)


class SeenView(Value, frozen=True, kw_only=True):
    """A view with what its worker said of the cache; ``worker_id`` is how to ask it again."""

    view: View
    worker_id: str
    host_id: str
    application: str
    cache: CacheDescription
    clock: Clock

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

    One application, one kind of backend, one namespace, one codec: where one of these differs, a
    finding says so, and comparing entries would only repeat it a thousand times.
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
        )
        for node in fleet.nodes
        for worker in node.workers
        for cache in worker.caches
        if cache.alias in aliases
    )


def cohorts(views: tuple[SeenView, ...]) -> tuple[Cohort, ...]:
    """Divide views into cohorts; those of backends that cannot be read are left out."""
    groups: dict[tuple[object, ...], list[SeenView]] = {}
    for seen in views:
        if seen.cache.capabilities.can_read:
            groups.setdefault(_sort_key(seen), []).append(seen)
    return tuple(
        Cohort(
            cache=members[0].view.cache,
            application=members[0].application,
            kind=members[0].cache.kind,
            views=tuple(members),
        )
        for members in groups.values()
    )


def stored_form(key: Key, namespace: Namespace) -> Key:
    """Name a key as it is stored, so that views of other namespaces can look at it as well."""
    if key.naming != "logical" or namespace.form is None:
        return key
    return Key(name=namespace.form.replace("{key}", key.name), naming="stored")


def _sort_key(seen: SeenView) -> tuple[object, ...]:
    cache = seen.cache
    return (cache.alias, seen.application, cache.kind, cache.namespace.stored_probe, cache.codec)
