"""B006: the store behind an alias has to answer, and to take what is written.

A client that hides errors makes an outage look like a cache without entries. What is said here was
said twice, the second time after the settle time: a store that was restarted answers again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import aliases, contrast, enumerated, group_by, name_views

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cachecheck.model import CacheDescription, Finding, Group
    from cachecheck.rules.grouping import Alias, Sight
    from cachecheck.rules.observations import Findings, Fleet

_ANSWERS = "answers"


def check(fleet: Fleet) -> Findings:
    """Give a B006 for each alias whose store does not answer some views, or takes no writes.

    So is each of its replicas that does not answer: reads go to any of them.
    """
    return tuple(
        found
        for alias in aliases(fleet)
        for found in (*_silent(alias, fleet), *_members(alias, fleet))
    )


def suspects(fleet: Fleet) -> tuple[str, ...]:
    """Name workers to be asked again: one of each node for each thing that was said there."""
    chosen: dict[tuple[object, ...], str] = {}
    for alias in aliases(fleet):
        for sight in alias.sights:
            if (said := sight.cache.failing) is not None:
                chosen.setdefault((sight.worker.node, alias.name, said), sight.label)
            for address, fault in _faults(sight.cache).items():
                chosen.setdefault((sight.worker.node, alias.name, address, fault), sight.label)
    return tuple(dict.fromkeys(chosen.values()))


def undecided(fleet: Fleet) -> Iterator[str]:
    """Say which replicas were not compared, since they or their primary were silent at first.

    One that another view of the node can read is compared through that, once for all.
    """
    for alias in aliases(fleet):
        told = [(sight, *one) for sight in alias.sights for one in _replicas(sight.cache)]
        compared = {(sight.worker.node, address) for sight, address, why in told if why is None}
        missed: dict[tuple[str, str], list[str]] = {}
        for sight, address, why in told:
            if why is not None and (sight.worker.node, address) not in compared:
                missed.setdefault((address, why), []).append(sight.label)
        for (address, why), views in missed.items():
            where = name_views(views, fleet)
            yield f"{alias.name}: the replica {address} was not compared through {where}: {why}"


def _replicas(cache: CacheDescription) -> Iterator[tuple[str, str | None]]:
    """Give each replica, and why it could not be compared; None: it could."""
    for replica in cache.members[1:]:
        silent = cache.members[0] if cache.members[0].failure is not None else replica
        is_read = silent.failure is None
        yield (
            replica.address,
            None if is_read else f"{silent.address} did not answer ({silent.failure})",
        )


def _silent(alias: Alias, fleet: Fleet) -> Iterator[Finding]:
    nodes = {sight.worker.node for sight in alias.sights if _is_confirmed(sight)}
    failing = {
        sight.label: sight.cache.failing
        for sight in alias.sights
        if sight.cache.failing is not None and sight.worker.node in nodes
    }
    if not failing:
        return
    groups = group_by(
        {sight.label: failing.get(sight.label) for sight in alias.but()},
        lambda reason: _ANSWERS if reason is None else f"does not answer: {reason}",
    )
    hiding = [sight.label for sight in alias.sights if _hides(sight, failing)]
    yield finding(
        "B006",
        message=f"the store of {alias.name!r} {_where(groups, fleet)}{_hidden(hiding, failing)}",
        cache=alias.name,
        subject=alias.application,
        groups=groups,
        evidence={
            "application": alias.application,
            "reasons": list(dict.fromkeys(failing.values())),
            "addresses": sorted(
                {sight.cache.identity.address for sight in alias.sights if sight.label in failing}
            ),
            "errors_hidden_on": hiding,
        },
    )


def _is_confirmed(sight: Sight) -> bool:
    later = again_of(sight)
    return sight.cache.failing is not None and later is not None and later.failing is not None


def again_of(sight: Sight) -> CacheDescription | None:
    """Give what the worker said of the alias when it was asked again; None: it was not heard."""
    said = sight.worker.again.caches if sight.worker.again else ()
    return next((cache for cache in said if cache.alias == sight.cache.alias), None)


def _hides(sight: Sight, failing: Iterable[str]) -> bool:
    return sight.label in failing and sight.cache.hides_errors


def _where(groups: tuple[Group, ...], fleet: Fleet) -> str:
    if len(groups) == 1:
        return f"{groups[0].value} on all {len(groups[0].views)} views"
    if all(group.value != _ANSWERS for group in groups):
        views = [view for group in groups for view in group.views]
        reasons = enumerated([str(group.value).partition(": ")[2] for group in groups])
        return f"does not answer on any of {len(views)} views: {reasons}"
    return contrast(groups, fleet)


def _hidden(hiding: list[str], failing: dict[str, str]) -> str:
    if not hiding:
        return ""
    where = "there" if len(hiding) == len(failing) else f"on {len(hiding)} of these views"
    return f"; the client hides errors {where}, so the site sees misses"


# --- servers by themselves -----------------------------------------------------------------


def _faults(cache: CacheDescription) -> dict[str, str]:
    """Say of servers what is wrong with them; one that takes writes and is silent is the store."""
    found: dict[str, str] = {}
    for member in cache.members:
        if member.takes_writes and member.is_read_only:
            found[member.address] = "read-only"
        elif member.failure is not None and not member.takes_writes:
            found[member.address] = member.failure
    return found


def _members(alias: Alias, fleet: Fleet) -> Iterator[Finding]:
    confirmed: set[tuple[str, str]] = set()
    seen: dict[tuple[str, str], list[str]] = {}
    for sight in alias.sights:
        later = again_of(sight)
        again = _faults(later) if later is not None else {}
        for address, fault in _faults(sight.cache).items():
            seen.setdefault((address, fault), []).append(sight.label)
            if address in again:
                confirmed.add((address, fault))
    for (address, fault), views in seen.items():
        if (address, fault) in confirmed:
            yield _member(alias, address, fault, views, fleet)


def _member(alias: Alias, address: str, fault: str, views: list[str], fleet: Fleet) -> Finding:
    where = name_views(views, fleet)
    if fault == "read-only":
        what = f"writes to {alias.name!r} on {where} go to {address}, a read-only replica"
    else:
        what = f"the replica {address} of {alias.name!r} does not answer {where}: {fault}"
    return finding(
        "B006",
        message=what,
        cache=alias.name,
        subject=address,
        groups=group_by(dict.fromkeys(views, fault)),
        evidence={
            "application": alias.application,
            "reasons": [fault],
            "addresses": [address],
        },
    )
