"""F: who was there, who was not, and what they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.rules import versions
from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import (
    by_application,
    contrast,
    enumerated,
    group_by,
    name_views,
    standing,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.model import Finding
    from cachecheck.rules.observations import (
        Clock,
        Findings,
        Fleet,
        ObservedNode,
        ObservedWorker,
    )

TOLERANCE_SECONDS = 2.0


def check(fleet: Fleet, *, tolerance_seconds: float = TOLERANCE_SECONDS) -> Findings:
    """Give F001 to F008; versions and releases are compared within one application."""
    return (
        *(found for node in fleet.nodes for found in _silent(node)),
        *_skewed(fleet, tolerance_seconds),
        *(found for node in fleet.nodes for found in _unseen(node)),
        *versions.check(fleet),
        *_releases(fleet),
        *(found for node in fleet.nodes for found in _restarted(node)),
        *(found for node in fleet.nodes for found in _balanced(node, fleet)),
    )


# --- F001, F002, F003 ----------------------------------------------------------------------


def _silent(node: ObservedNode) -> Iterator[Finding]:
    if node.state == "answered":
        return
    is_unreachable = node.state == "unreachable"
    what = "did not answer" if is_unreachable else f"gave no usable answer ({node.state})"
    yield finding(
        "F001" if is_unreachable else "F002",
        message=f"{node.name} {what}: {node.detail or 'no reason given'}",
        subject=node.name,
        evidence={"url": node.url, "state": node.state, "detail": node.detail},
    )


def _skewed(fleet: Fleet, tolerance_seconds: float) -> Iterator[Finding]:
    """Compare clocks with ours; a node that refused the probe as stale told its clock, too."""
    offsets = {node.name: node.clock.offset_seconds for node in fleet.nodes if node.clock}
    hint = _own_clock_hint(tuple(offsets.values()), tolerance_seconds)
    for node in fleet.nodes:
        clock = node.clock
        if clock is None or _surely_off(clock) <= tolerance_seconds:
            continue
        way = "ahead of" if clock.offset_seconds > 0 else "behind"
        yield finding(
            "F003",
            message=f"the clock of {node.name} is {abs(clock.offset_seconds):.1f} s {way} ours "
            f"(± {clock.uncertainty_seconds:.3f} s){hint}",
            subject=node.name,
            evidence={
                "offset_seconds": clock.offset_seconds,
                "uncertainty_seconds": clock.uncertainty_seconds,
                "tolerance_seconds": tolerance_seconds,
            },
        )


def _surely_off(clock: Clock) -> float:
    return abs(clock.offset_seconds) - clock.uncertainty_seconds


def _own_clock_hint(offsets: tuple[float, ...], tolerance_seconds: float) -> str:
    is_shared = len(offsets) > 1 and max(offsets) - min(offsets) <= tolerance_seconds
    return "; all nodes agree, so it may be this machine's clock" if is_shared else ""


# --- F004, F007 ----------------------------------------------------------------------------


def _unseen(node: ObservedNode) -> Iterator[Finding]:
    """Count web workers that stayed: the expectation is about the server's processes."""
    heard = sum(
        one.worker.role == "web" and one.label not in node.restarted for one in node.workers
    )
    expected = node.workers_expected
    if node.state != "answered" or (expected is not None and heard >= expected):
        return
    apart = sorted(
        {cache.alias for one in node.workers for cache in one.caches if cache.scope == "worker"}
    )
    yield finding(
        "F004",
        severity="warning" if apart else "info",
        message=f"{node.name}: {_count(heard, expected)}{_way(node)}; {_consequence(apart)}",
        subject=node.name,
        evidence={
            "heard": heard,
            "expected": expected,
            "expected_by": node.expected_by,
            "heard_by": node.heard_by,
            "relay_off": node.relay_off,
            "worker_scope": apart,
        },
    )


def _count(heard: int, expected: int | None) -> str:
    workers = "worker" if heard == 1 else "workers"
    if expected is None:
        return f"{heard} {workers} heard, and how many there should be is unknown"
    return f"{heard} of {expected} workers heard"


def _way(node: ObservedNode) -> str:
    return "" if node.relay_off is None else f", without the relay ({node.relay_off})"


def _consequence(apart: list[str]) -> str:
    if not apart:
        return "its caches are shared by its workers, so the verdict stands"
    return f"what the others hold in {enumerated(apart)} is undecided"


def _restarted(node: ObservedNode) -> Iterator[Finding]:
    if node.restarted:
        yield finding(
            "F007",
            message=f"{node.name}: ended during the run: {enumerated(node.restarted)}; what was "
            "read there does not count",
            subject=node.name,
            evidence={"workers": list(node.restarted)},
        )


# --- F006 ----------------------------------------------------------------------------------


def _releases(fleet: Fleet) -> Iterator[Finding]:
    for application, workers in by_application(fleet).items():
        releases = {one.label: one.release for one in workers if one.release}
        groups = group_by(releases)
        if len(groups) > 1:
            silent = [one.label for one in workers if not one.release]
            yield finding(
                "F006",
                message=f"different releases: {contrast(groups, fleet)}",
                subject=application,
                groups=groups,
                evidence={"application": application, "unstated": silent},
            )


# --- F008 ----------------------------------------------------------------------------------


def _balanced(node: ObservedNode, fleet: Fleet) -> Iterator[Finding]:
    workers = standing(node)
    hosts = {one.label: (one.worker.host, one.worker.host_id) for one in workers}
    servers = _servers(workers)
    names = tuple(dict.fromkeys(node.own_names))
    if len(set(hosts.values())) > 1:
        groups = group_by(hosts, lambda host: f"host {host[0]} ({host[1]})")
        why = f"{len(groups)} hosts ({enumerated([group.value or '' for group in groups])})"
    elif len(names) > 1:
        groups = ()
        why = f"{len(names)} nodes ({enumerated(names)})"
    elif len(set(servers.values())) > 1:
        groups = group_by(servers)
        told = [f"{group.value}: {name_views(group.views, fleet)}" for group in groups]
        why = f"{len(groups)} servers on one host ({enumerated(told)})"
    else:
        return
    yield finding(
        "F008",
        message=f"{node.name} ({node.url}) was answered by {why}: it is no node but a balancer",
        subject=node.name,
        groups=groups,
        evidence={"url": node.url, "own_names": list(names)},
    )


def _servers(workers: tuple[ObservedWorker, ...]) -> dict[str, str]:
    """Name the server of each worker whose listener is known by the first of its listeners.

    Two masters with one listener are one server (SO_REUSEPORT, a rolling restart), and so is one
    master reached at several addresses of one port (``localhost`` is two). Processes of one
    supervisor that listen on different ports are servers of their own.
    """
    listeners = {one.label: one.worker.listener for one in workers if one.worker.listener}
    servers: list[set[str]] = []
    for one in workers:
        if listener := listeners.get(one.label):
            port = listener.rpartition(":")[2]
            _join(servers, {listener, f"port {port} of {one.worker.parent}"})
    names = set(listeners.values())
    return {
        label: next(min(server & names) for server in servers if listener in server)
        for label, listener in listeners.items()
    }


def _join(servers: list[set[str]], places: set[str]) -> None:
    for server in [server for server in servers if server & places]:
        servers.remove(server)
        places |= server
    servers.append(places)
