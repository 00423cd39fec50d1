"""B008: caches that push entries out, and limits on that which differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import (
    DUMMY,
    UNSUPPORTED,
    aliases,
    contrast,
    group_by_differing,
    name_views,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.model import Finding, Group, ServerCounters
    from cachecheck.rules.grouping import Alias, Sight
    from cachecheck.rules.observations import Findings, Fleet

_CULLING = ("max_entries", "cull_frequency")


def check(fleet: Fleet, window_seconds: float | None) -> Findings:
    """Give B008 where limits differ, where processes cull, and where servers evict.

    What servers evicted counts where two looks were taken, ``window_seconds`` apart: a server says
    how many entries it evicted since it was started, perhaps years ago.
    """
    return tuple(
        one
        for alias in aliases(fleet)
        for one in (
            *_different_limits(alias, fleet),
            *_culled(alias, fleet),
            *(_evicted(alias, window_seconds) if window_seconds is not None else ()),
        )
    )


# --- limits --------------------------------------------------------------------------------


def _different_limits(alias: Alias, fleet: Fleet) -> Iterator[Finding]:
    """Compare within a kind of backend; what a server did not say is no difference."""
    sights = alias.but(DUMMY, UNSUPPORTED)
    for kind in dict.fromkeys(sight.cache.kind for sight in sights):
        limits = {sight.label: _limits(sight) for sight in sights if sight.cache.kind == kind}
        told = {label: pairs for label, pairs in limits.items() if pairs}
        differing, groups = group_by_differing(told)
        if differing:
            yield _drift(alias, differing, groups, fleet)


def _limits(sight: Sight) -> dict[str, str]:
    culling = {name: value for name, value in sight.cache.settings if name in _CULLING}
    server = sight.cache.server_counters
    return culling | dict(server.limits if server else ())


def _drift(alias: Alias, differing: list[str], groups: tuple[Group, ...], fleet: Fleet) -> Finding:
    return finding(
        "B008",
        message=f"entries are pushed out by different rules: {contrast(groups, fleet)}",
        cache=alias.name,
        subject=alias.application,
        groups=groups,
        evidence={"application": alias.application, "differs": differing},
        severity="warning",
    )


# --- evictions -----------------------------------------------------------------------------


def _culled(alias: Alias, fleet: Fleet) -> Iterator[Finding]:
    """Say how many entries Django's own backends removed, since they were more than MAX_ENTRIES."""
    counted = {
        sight.label: sight.cache.counters
        for sight in alias.but(DUMMY, UNSUPPORTED)
        if sight.cache.counters is not None and sight.cache.counters.evictions
    }
    if not counted:
        return
    many = sum(one.evictions or 0 for one in counted.values())
    sets = sum(one.sets for one in counted.values())
    room = f" to make room for {sets:,} that were set" if sets else ""
    limits = {dict(sight.cache.settings).get("max_entries", "") for sight in alias.sights}
    bound = f"MAX_ENTRIES is {limits.pop()}" if len(limits) == 1 else "MAX_ENTRIES differs"
    yield finding(
        "B008",
        message=f"{many:,} entries were culled{room}, on {name_views(counted, fleet)}: {bound}",
        cache=alias.name,
        subject=alias.application,
        evidence={
            "application": alias.application,
            "evictions": {label: one.evictions for label, one in counted.items()},
            "sets": {label: one.sets for label, one in counted.items()},
        },
    )


def _evicted(alias: Alias, window_seconds: float) -> Iterator[Finding]:
    servers = _evicting(alias.sights)
    if not servers:
        return
    many = sum(server.evictions or 0 for server in servers)
    yield finding(
        "B008",
        message=f"{many:,} entries were evicted in {window_seconds:g} s "
        f"by {len(servers)} server{'s' * (len(servers) != 1)}",
        cache=alias.name,
        subject=alias.application,
        evidence={
            "application": alias.application,
            "evictions": {server.server: server.evictions for server in servers},
            "evicted": {name: count for server in servers for name, count in server.evicted},
            "limits": dict(servers[0].limits),
        },
    )


def _evicting(sights: Sequence[Sight]) -> list[ServerCounters]:
    """Give each server once that evicted something: many views share it."""
    told = {
        sight.cache.server_counters.server: sight.cache.server_counters
        for sight in sights
        if sight.cache.server_counters is not None
    }
    return [server for server in told.values() if server.evictions]
