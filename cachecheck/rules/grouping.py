"""Who agrees with whom: groups of views, majority or split, and how to say it in one line.

Views are named by the labels of their workers. All order is that of the fleet, never of names, so
that renaming a node changes nothing but its name.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from cachecheck.model import CacheDescription, Group, Scope, Value
from cachecheck.rules.observations import Fleet, ObservedNode, ObservedWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

_LETTERS = 26
_NAMES_SHOWN = 3
_GROUPS_SHOWN = 3
_VALUE_CHARS = 60
UNDECLARED = "undeclared"
UNSET = "unset"

LOCMEM = "locmem"
DUMMY = "dummy"
UNSUPPORTED = "unsupported"

_H = TypeVar("_H", bound="Hashable")


class Sight(Value, frozen=True, kw_only=True):
    """What one worker said of one alias."""

    worker: ObservedWorker
    cache: CacheDescription

    @property
    def label(self) -> str:
        """The worker's label, by which the view is named."""
        return self.worker.label


class Alias(Value, frozen=True, kw_only=True):
    """One alias as the workers of one application see it; what rules compare."""

    application: str
    name: str
    sights: tuple[Sight, ...]

    def but(self, *kinds: str) -> tuple[Sight, ...]:
        """Give the sights whose backend is of none of these kinds and could be looked at."""
        return tuple(
            sight for sight in self.sights if sight.cache.kind not in kinds and is_seen(sight.cache)
        )


# --- who is compared -----------------------------------------------------------------------


def standing(node: ObservedNode) -> tuple[ObservedWorker, ...]:
    """Give the workers that speak for a node: those that did not go away during the run.

    Where all of them went and their successors were not heard, they are the last that is known.
    """
    stayed = tuple(worker for worker in node.workers if worker.label not in node.restarted)
    return stayed or node.workers


def by_application(fleet: Fleet) -> dict[str, tuple[ObservedWorker, ...]]:
    """Give the standing workers of each application, in the order of the fleet."""
    found: dict[str, list[ObservedWorker]] = {}
    for node in fleet.nodes:
        for worker in standing(node):
            found.setdefault(worker.application, []).append(worker)
    return {application: tuple(workers) for application, workers in found.items()}


def aliases(fleet: Fleet) -> Iterator[Alias]:
    """Give every alias of every application: two applications need not agree in anything."""
    for application, workers in by_application(fleet).items():
        found: dict[str, list[Sight]] = {}
        for worker in workers:
            for cache in worker.caches:
                found.setdefault(cache.alias, []).append(Sight(worker=worker, cache=cache))
        for name, sights in sorted(found.items()):
            yield Alias(application=application, name=name, sights=tuple(sights))


def is_seen(cache: CacheDescription) -> bool:
    """Say whether the agent could look at the backend; one that raised has no namespace."""
    return bool(cache.namespace.stored_probe)


def declared_scope(sights: Iterable[Sight]) -> Scope | None:
    """Give the scope that all declare; None where one declares none, or two differ.

    A declaration that not all share silences nothing: a site that means it sets it everywhere.
    """
    scopes = {sight.cache.declared_scope for sight in sights}
    return scopes.pop() if len(scopes) == 1 else None


def declarations(sights: Iterable[Sight]) -> str | dict[str, list[str]]:
    """Give what ``SCOPES`` declares, as evidence: one scope, or who declares which."""
    said: dict[str, list[str]] = {}
    for sight in sights:
        said.setdefault(sight.cache.declared_scope or UNDECLARED, []).append(sight.label)
    return next(iter(said)) if len(said) == 1 else said


# --- groups --------------------------------------------------------------------------------


def group_by(values: Mapping[str, _H], show: Callable[[_H], str | None] = str) -> tuple[Group, ...]:
    """Group views by what they have in common, the largest group first, labelled A, B, ….

    Groups partition the views; equally large ones stand in the order of their first view.
    """
    found: dict[_H, list[str]] = {}
    for view, value in values.items():
        found.setdefault(value, []).append(view)
    ranked = sorted(found.items(), key=lambda item: -len(item[1]))
    return tuple(
        Group(label=label(index), views=tuple(views), value=show(value))
        for index, (value, views) in enumerate(ranked)
    )


def group_by_differing(
    told: Mapping[str, Mapping[str, str]],
) -> tuple[list[str], tuple[Group, ...]]:
    """Name the settings that differ between views, and group the views by these; none: no names."""
    names = dict.fromkeys(name for pairs in told.values() for name in pairs)
    differing = [name for name in names if len({pairs.get(name) for pairs in told.values()}) > 1]
    shown = {
        view: ", ".join(f"{name}={pairs.get(name, UNSET)}" for name in differing)
        for view, pairs in told.items()
    }
    return differing, group_by(shown)


def label(index: int) -> str:
    """Give the label of the group at this index: A to Z, then AA, AB, …."""
    head, last = divmod(index, _LETTERS)
    return (label(head - 1) if head else "") + chr(ord("A") + last)


def majority(groups: Sequence[Group]) -> Group | None:
    """Give the group with more than half of all views; None is a split, and nobody is blamed."""
    total = sum(len(group.views) for group in groups)
    return next((group for group in groups if 2 * len(group.views) > total), None)


def outliers(groups: Sequence[Group]) -> tuple[str, ...]:
    """Give the views outside the majority; none where there is no majority."""
    most = majority(groups)
    return tuple(view for group in groups if most and group != most for view in group.views)


# --- words ---------------------------------------------------------------------------------


def name_views(views: Iterable[str], fleet: Fleet) -> str:
    """Name views shortly, a node where all its workers are among them: "web-1 and 7 more"."""
    return enumerated(tuple(_names(tuple(views), fleet)))


def _names(views: tuple[str, ...], fleet: Fleet) -> Iterator[str]:
    asked = set(views)
    for node in fleet.nodes:
        labels = tuple(worker.label for worker in standing(node))
        is_whole = bool(labels) and asked.issuperset(labels)
        named = [worker.label for worker in node.workers if worker.label in asked]
        asked.difference_update(named)
        yield from [node.name] if is_whole else named
    yield from (view for view in views if view in asked)


def enumerated(names: Sequence[str]) -> str:
    """Join names as prose, the first two and a count where there are more than three."""
    if len(names) > _NAMES_SHOWN:
        return f"{names[0]}, {names[1]} and {len(names) - 2} more"
    *head, last = names or ("",)
    return f"{', '.join(head)} and {last}" if head else last


def contrast(groups: Sequence[Group], fleet: Fleet) -> str:
    """Say in one line who differs from the majority, or that there is none.

    "'blog' on web-3; 'shop' on the other 6 of 7 views", or "'blog' on web-2; 'shop' on web-1: a
    split without a majority".
    """
    most = majority(groups)
    told = [group for group in groups if group != most]
    parts = [_told(group, fleet) for group in islice(told, _GROUPS_SHOWN)]
    if len(told) > _GROUPS_SHOWN:
        parts.append(f"{len(told) - _GROUPS_SHOWN} other values")
    if most is None:
        return "; ".join(parts) + ": a split without a majority"
    total = sum(len(group.views) for group in groups)
    return "; ".join((*parts, f"{_shown(most)} on the other {len(most.views)} of {total} views"))


def _told(group: Group, fleet: Fleet) -> str:
    return f"{_shown(group)} on {name_views(group.views, fleet)}"


def _shown(group: Group) -> str:
    value = group.value if group.value is not None else f"value {group.label}"
    short = value if len(value) <= _VALUE_CHARS else f"{value[:_VALUE_CHARS]}…"
    return short if short and short.isprintable() else repr(short)
