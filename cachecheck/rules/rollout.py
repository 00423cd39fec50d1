"""Rollout: differences that coincide with two releases while the newer one is still arriving."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cachecheck.model import Finding
    from cachecheck.rules.observations import Findings, Fleet, ObservedWorker

_RELEASE_DRIFT = "F006"
# F006 would explain itself. F008 is about addresses: a load balancer in front of two releases is
# still no node. The other fleet findings name nodes, not groups.
_NEVER = frozenset({_RELEASE_DRIFT, "F008"})

_Release = tuple[str, str]


def explain(findings: Findings, fleet: Fleet, grace_seconds: float) -> Findings:
    """Turn what a rollout explains into information, ``explained_by`` F006; leave the rest.

    A rollout explains a finding whose groups are exactly the releases of one application, all of
    them known, where every process of all but the oldest release is younger than the grace.
    """
    workers = {worker.label: worker for worker in fleet.workers}
    ages = _ages(fleet)
    return tuple(_explained(one, workers, ages, grace_seconds) for one in findings)


def _explained(
    one: Finding,
    workers: dict[str, ObservedWorker],
    ages: dict[_Release, list[float]],
    grace_seconds: float,
) -> Finding:
    releases = None if one.code in _NEVER else _releases_of_groups(one, workers)
    newest = releases and _arriving(releases, ages, grace_seconds)
    if not newest:
        return one
    message = f"{one.message}; coincides with the rollout of {newest}"
    return msgspec.structs.replace(
        one, severity="info", message=message, explained_by=_RELEASE_DRIFT
    )


def _releases_of_groups(
    one: Finding, workers: dict[str, ObservedWorker]
) -> tuple[_Release, ...] | None:
    """Give the release of each group, where groups and releases are the same partition."""
    releases = tuple(
        release for group in one.groups if (release := _only_release(group.views, workers))
    )
    is_partition = len(releases) == len(one.groups) == len(set(releases)) > 1
    is_one_application = len({application for application, _ in releases}) == 1
    return releases if is_partition and is_one_application else None


def _only_release(views: Iterable[str], workers: dict[str, ObservedWorker]) -> _Release | None:
    found = {_release(workers[view]) if view in workers else None for view in views}
    return found.pop() if len(found) == 1 else None


def _arriving(
    releases: tuple[_Release, ...], ages: dict[_Release, list[float]], grace_seconds: float
) -> str | None:
    """Give the newest release, where all but the oldest have only just come.

    The oldest is the one whose first process started first: of its others some may have been
    recycled a moment ago.
    """
    newer = sorted(releases, key=lambda release: -max(ages[release]))[1:]
    is_young = all(max(ages[release]) < grace_seconds for release in newer)
    return newer[-1][1] if is_young else None


def _ages(fleet: Fleet) -> dict[_Release, list[float]]:
    """Give the ages of all processes by release, corrected for the clocks of their nodes."""
    found: dict[_Release, list[float]] = {}
    for node in fleet.nodes:
        offset = node.clock.offset_seconds if node.clock else 0.0
        for worker in node.workers:
            if (release := _release(worker)) is not None:
                age = fleet.now + offset - worker.worker.started_at
                found.setdefault(release, []).append(age)
    return found


def _release(worker: ObservedWorker) -> _Release | None:
    return (worker.application, worker.release) if worker.release else None
