"""B004: whether the views of one alias find each key on the same server.

Compared are views whose lists have a server in common, directly or through another view. Where
they have none they are different stores, which B003 says. A list whose hashing is not known is
compared as it stands: order, spelling and behaviours may or may not matter. What a client has given
up counts where it still had when its worker was asked again.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from cachecheck.model import Group, Value
from cachecheck.rules.catalogue import finding
from cachecheck.rules.failing import again_of
from cachecheck.rules.grouping import (
    Alias,
    Sight,
    aliases,
    contrast,
    enumerated,
    group_by,
    majority,
    name_views,
)
from cachecheck.rules.routes import Looked, Routes, routes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cachecheck.model import Finding
    from cachecheck.rules.observations import Findings, Fleet

_GROUPS_SHOWN = 3
_REASONS_KEPT = 20
_HASHING = frozenset(
    {
        "hasher",
        "behaviors.auto_eject",
        "behaviors.distribution",
        "behaviors.hash",
        "behaviors.ketama_weighted",
        "behaviors.num_replicas",
    }
)


class Routed(Value, frozen=True, kw_only=True):
    """A view of which is known where it finds keys."""

    sight: Sight
    routes: Routes

    @property
    def label(self) -> str:
        """The worker's label, by which the view is named."""
        return self.sight.label


def check(fleet: Fleet) -> Findings:
    """Give B004 for each alias of each application."""
    found: list[Finding] = []
    for alias, sights in _alike(fleet):
        for routed, groups in _drifting(sights):
            stood = [group for group in groups if _stands(group, routed)]
            if len(stood) > 1:
                found.append(_Drift(alias, routed, stood).finding(fleet))
        found += _listed_differently(alias, sights, fleet)
    return tuple(found)


def suspects(fleet: Fleet) -> tuple[str, ...]:
    """Name workers to be asked again: one for each way in which servers were given up."""
    return tuple(
        group.views[0]
        for _, sights in _alike(fleet)
        for routed, groups in _drifting(sights)
        for group in groups
        if routed[group.views[0]].routes.dead
    )


def undecided(fleet: Fleet) -> Iterator[str]:
    """Say where servers were given up, and nobody could confirm it."""
    for alias, sights in _alike(fleet):
        for routed, groups in _drifting(sights):
            passing = [group for group in groups if not _stands(group, routed)]
            if passing:
                views = [view for group in passing for view in group.views]
                yield (
                    f"{alias.name}: a server that was given up on {name_views(views, fleet)} was "
                    "not found so again, so where keys go there is not known"
                )


# --- where keys go -------------------------------------------------------------------------


def _alike(fleet: Fleet) -> Iterator[tuple[Alias, list[Sight]]]:
    """Give what is compared: other prefixes send a probe key elsewhere, which N001 says."""
    for alias in aliases(fleet):
        alike: dict[tuple[str, str], list[Sight]] = {}
        for sight in alias.sights:
            stored_probe = sight.cache.namespace.stored_probe
            alike.setdefault((sight.cache.kind, stored_probe), []).append(sight)
        for sights in alike.values():
            yield alias, sights


def _drifting(
    sights: Sequence[Sight],
) -> Iterator[tuple[dict[str, Routed], tuple[Group, ...]]]:
    """Give the views whose routes differ over common servers, by label, and how they differ."""
    told = routes_of([Looked(one.worker.worker.host_id, one.cache) for one in sights])
    routed = [
        Routed(sight=sight, routes=routes)
        for sight, routes in zip(sights, told, strict=True)
        if routes is not None
    ]
    for related in _related(routed):
        groups = group_by({one.label: one.routes.course for one in related}, lambda _course: None)
        if len(groups) > 1:
            yield {one.label: one for one in related}, groups


def _stands(group: Group, routed: Mapping[str, Routed]) -> bool:
    """Say whether a way of routing lasts: what a client has given up may come back any moment."""
    views = [routed[view].sight for view in group.views]
    if not routed[group.views[0]].routes.dead:
        return True
    again = [(sight.cache.dead_servers, again_of(sight)) for sight in views]
    return any(later is not None and later.dead_servers == first for first, later in again)


def _related(routed: Iterable[Routed]) -> list[list[Routed]]:
    """Divide views, in order, into those whose lists have servers in common."""
    roots: dict[str, str] = {}

    def root(server: str) -> str:
        while roots.setdefault(server, server) != server:
            server = roots[server]
        return server

    routed = tuple(routed)
    for one in routed:
        first, *others = one.routes.listed
        for other in others:
            roots[root(other)] = root(first)
    found: dict[str, list[Routed]] = {}
    for one in routed:
        found.setdefault(root(next(iter(one.routes.listed))), []).append(one)
    return list(found.values())


class _Drift:
    """Views that find keys on different servers, and why; compared with the largest group."""

    def __init__(self, alias: Alias, routed: Mapping[str, Routed], groups: Sequence[Group]) -> None:
        self._alias = alias
        self._by_label = routed
        self._names: dict[str, str] = {}
        for one in routed.values():
            for label, server in one.routes.servers:
                self._names.setdefault(server, label)
        self._groups = groups
        self._usual = self._first(groups[0])
        self._others = groups[1:]

    def finding(self, fleet: Fleet) -> Finding:
        """Say it."""
        parts = [self._told(group, fleet) for group in islice(self._others, _GROUPS_SHOWN)]
        if len(self._others) > _GROUPS_SHOWN:
            parts.append(f"and in {len(self._others) - _GROUPS_SHOWN} other ways")
        than = name_views(self._groups[0].views, fleet)
        against = "" if majority(self._groups) else f", than on {than}: a split without a majority"
        return finding(
            "B004",
            message=f"keys of {self._alias.name!r} go to other servers {'; '.join(parts)}{against}",
            cache=self._alias.name,
            subject=self._alias.application,
            groups=tuple(self._shown(group) for group in self._groups),
            evidence={
                "application": self._alias.application,
                "probe_keys": len(self._usual.routes.by_key),
                "moved": {group.label: self._moves(group) for group in self._others},
                "keys_per_server": {group.label: self._shares(group) for group in self._groups},
                "why": {
                    group.label: self._why(self._first(group))[:_REASONS_KEPT]
                    for group in self._others
                },
            },
        )

    def _told(self, group: Group, fleet: Fleet) -> str:
        first = self._first(group)
        moved = sum(self._moves(group).values())
        share = f"{moved} of {len(first.routes.by_key)} probe keys"
        return f"on {name_views(group.views, fleet)} ({share}: {enumerated(self._why(first))})"

    def _shown(self, group: Group) -> Group:
        routes = self._first(group).routes
        given_up = [label for label, server in routes.servers if server in routes.dead]
        listed = ", ".join(label for label, _ in routes.servers)
        value = f"{listed}; given up: {', '.join(given_up)}" if given_up else listed
        return Group(label=group.label, views=group.views, value=value)

    def _shares(self, group: Group) -> dict[str, int]:
        return dict(Counter(self._name(one) for one in self._first(group).routes.by_key))

    def _moves(self, group: Group) -> dict[str, int]:
        """Count probe keys by the server that they should be on and the one they go to."""
        pairs = zip(self._usual.routes.by_key, self._first(group).routes.by_key, strict=True)
        moved = Counter(
            f"{self._name(here)} to {self._name(there)}" for here, there in pairs if here != there
        )
        return dict(moved)

    def _why(self, one: Routed) -> list[str]:
        """Name what differs from the usual: servers, their spelling, their order, the hashing."""
        theirs, usual = one.routes, self._usual.routes
        why = [f"{self._name(each)} is not listed" for each in _sorted(usual.listed, theirs.listed)]
        why += [f"{self._name(each)} is listed" for each in _sorted(theirs.listed, usual.listed)]
        why += [f"{self._name(each)} is given up" for each in _sorted(theirs.dead, usual.dead)]
        why += [f"{self._name(each)} is not given up" for each in _sorted(usual.dead, theirs.dead)]
        labels = {server: label for label, server in usual.servers}
        why += [
            f"{labels[server]} is spelled {label}"
            for label, server in theirs.servers
            if labels.get(server, label) != label
        ]
        if _hashing(one.sight) != _hashing(self._usual.sight):
            why.append("keys are hashed in another way")
        if not why:
            why.append("the servers stand in another order")
        return why

    def _first(self, group: Group) -> Routed:
        return self._by_label[group.views[0]]

    def _name(self, server: str) -> str:
        return self._names.get(server, server)


def _sorted(these: frozenset[str], others: frozenset[str]) -> list[str]:
    return sorted(these - others)


def _hashing(sight: Sight) -> Mapping[str, str]:
    settings = sight.cache.settings
    return {name: value for name, value in settings if name in _HASHING}


# --- lists alone ---------------------------------------------------------------------------


def _listed_differently(alias: Alias, sights: Sequence[Sight], fleet: Fleet) -> Iterator[Finding]:
    """Compare lists of servers where nobody can say how keys are divided among them.

    Those of which it is known are compared by where keys go; here they count as one.
    """
    unknown = [sight for sight in sights if sight.cache.routing_unknown is not None]
    known = [sight for sight in sights if sight.cache.routing] if unknown else []
    groups = group_by(
        {
            sight.label: _listed(known[0] if sight.cache.routing else sight)
            for sight in unknown + known
        }
    )
    if len(groups) > 1:
        reasons = sorted({sight.cache.routing_unknown or "" for sight in unknown})
        yield finding(
            "B004",
            severity="warning",
            message=f"servers of {alias.name!r} are listed differently, and where keys go cannot "
            f"be known ({enumerated(reasons)}): {contrast(groups, fleet)}",
            cache=alias.name,
            subject=alias.application,
            groups=groups,
            evidence={"application": alias.application, "routing": "unknown", "why": reasons},
        )


def _listed(sight: Sight) -> str:
    servers = ", ".join(label for label, _ in sight.cache.identity.servers)
    hashing = [f"{name.rpartition('.')[2]}={value}" for name, value in _hashing(sight).items()]
    return "; ".join((servers, *hashing))
