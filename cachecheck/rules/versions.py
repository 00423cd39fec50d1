"""F005: whether each worker can read what others write, by its versions and libraries.

What is shared decides. Where no pickles are, or none that another process reads, other versions of
Python and Django are information; a library matters where an alias is written with it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cachecheck.model import CacheDescription, Value
from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import by_application, contrast, enumerated, group_by, name_views
from cachecheck.rules.observations import ObservedWorker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cachecheck.model import Finding, Severity
    from cachecheck.rules.observations import Findings, Fleet

_ABSENT = "not installed"
_PROTOCOL = "pickle protocol"
_FEATURE = re.compile(r"\d+(\.\d+)?")
_OF_PICKLES = {
    "Python": "objects of the standard library",
    "Django": "model instances and querysets",
}


class _Sharing(Value, frozen=True, kw_only=True):
    """Workers that read what the others of them write under one alias."""

    alias: str
    workers: tuple[ObservedWorker, ...]
    caches: tuple[CacheDescription, ...]

    @property
    def written_protocol(self) -> int | None:
        """The highest protocol in which pickles are written; None: there are none."""
        told = (cache.pickle_protocol for cache in self.caches)
        return max((protocol for protocol in told if protocol is not None), default=None)

    @property
    def needs(self) -> tuple[str, ...]:
        """The libraries that reading takes."""
        return tuple(dict.fromkeys(name for cache in self.caches for name in cache.needs))


class _Compared(Value, frozen=True, kw_only=True):
    """The workers of one application, and what they have in each part that counts."""

    application: str
    workers: tuple[ObservedWorker, ...]
    parts: dict[str, dict[str, str]]
    sharing: tuple[_Sharing, ...]

    @property
    def differing(self) -> tuple[str, ...]:
        """The names of the parts that differ."""
        names = dict.fromkeys(name for had in self.parts.values() for name in had)
        return tuple(name for name in names if len(self.spread(name)) > 1)

    def spread(self, name: str, among: Iterable[ObservedWorker] | None = None) -> list[str]:
        """Give what these workers, or all, have of one part, in the order of the fleet."""
        labels = [one.label for one in (self.workers if among is None else among)]
        return list(dict.fromkeys(self.parts[label].get(name, _ABSENT) for label in labels))

    def is_feature(self, name: str, among: Iterable[ObservedWorker] | None = None) -> bool:
        """Say whether more than patch releases of a part differ between these workers, or all."""
        return len({_feature(version) for version in self.spread(name, among)}) > 1


def check(fleet: Fleet) -> Findings:
    """Give one F005 for each application whose workers differ in versions or libraries."""
    return tuple(found for one in _compared(fleet) for found in _judge(one, fleet))


def _compared(fleet: Fleet) -> Iterator[_Compared]:
    for application, workers in by_application(fleet).items():
        sharing = tuple(_sharing(workers))
        needed = dict.fromkeys(library for each in sharing for library in each.needs)
        yield _Compared(
            application=application,
            workers=workers,
            parts={one.label: _parts(one, needed) for one in workers},
            sharing=sharing,
        )


def _judge(one: _Compared, fleet: Fleet) -> Iterator[Finding]:
    differing = one.differing
    if not differing:
        return
    groups = group_by({view: _told(had, differing) for view, had in one.parts.items()})
    unreadable = [*_pickles(one), *_protocols(one, fleet), *_libraries(one, fleet)]
    severity: Severity = "warning" if unreadable else "info"
    yield finding(
        "F005",
        severity=severity,
        message="; ".join([contrast(groups, fleet), *(unreadable or [_harmless(one, differing)])]),
        subject=one.application,
        groups=groups,
        evidence={
            "application": one.application,
            "differs": {name: one.spread(name) for name in differing},
            "unreadable": unreadable,
        },
    )


def _parts(worker: ObservedWorker, needed: Iterable[str]) -> dict[str, str]:
    versions = worker.versions
    libraries = {name: "installed" for name in needed if name in versions.libraries}
    return {
        "Python": versions.python,
        "Django": versions.django,
        "cachecheck": versions.agent,
        _PROTOCOL: str(versions.pickle_protocol),
        **dict(versions.clients),
        **libraries,
    }


def _told(had: Mapping[str, str], differing: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {had.get(name, _ABSENT)}" for name in differing)


def _harmless(one: _Compared, differing: tuple[str, ...]) -> str:
    if any(one.is_feature(name) for name in differing):
        return "feature releases differ, which makes no shared entry unreadable"
    return "patch releases only"


# --- what may not be readable --------------------------------------------------------------


def _sharing(workers: tuple[ObservedWorker, ...]) -> Iterator[_Sharing]:
    """Divide workers by alias and, where a cache is one host's own, by host."""
    found: dict[tuple[str, str], list[tuple[ObservedWorker, CacheDescription]]] = {}
    for worker in workers:
        for cache in worker.caches:
            scope = cache.declared_scope or cache.scope
            if "worker" not in {scope, cache.scope} and scope != "none":
                host = worker.worker.host_id if "host" in {scope, cache.scope} else ""
                found.setdefault((cache.alias, host), []).append((worker, cache))
    for (alias, _), pairs in found.items():
        sharers, caches = zip(*pairs, strict=True)
        yield _Sharing(alias=alias, workers=sharers, caches=caches)


def _pickles(one: _Compared) -> Iterator[str]:
    """Name the aliases whose pickles cross a difference of feature releases."""
    for name, what in _OF_PICKLES.items():
        aliases = {
            each.alias
            for each in one.sharing
            if each.written_protocol is not None and one.is_feature(name, each.workers)
        }
        if aliases:
            yield (
                f"pickles of {what} in {enumerated(sorted(aliases))} may not be readable under "
                f"every {name}"
            )


def _protocols(one: _Compared, fleet: Fleet) -> Iterator[str]:
    """Name the workers that cannot read a protocol in which others write."""
    for each in one.sharing:
        written = each.written_protocol or 0
        short = [had.label for had in each.workers if had.versions.pickle_protocol < written]
        if short:
            yield (
                f"pickles of protocol {written}, in which {each.alias} is written, cannot be read "
                f"on {name_views(short, fleet)}"
            )


def _libraries(one: _Compared, fleet: Fleet) -> Iterator[str]:
    """Name the workers that lack a library without which an alias cannot be read."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for each in one.sharing:
        for library in each.needs:
            lacking = [had.label for had in each.workers if library not in had.versions.libraries]
            if lacking:
                found.setdefault((library, tuple(lacking)), []).append(each.alias)
    for (library, views), aliases in found.items():
        yield (
            f"entries of {enumerated(aliases)} are written with {library}, which is missing on "
            f"{name_views(views, fleet)}"
        )


def _feature(version: str) -> str:
    match = _FEATURE.match(version)
    return match[0] if match else version
