"""B005: replicas have to hold what was written to the server that they follow.

Keys that differed stood through the settle time. What a server says of its replication counts where
it said so twice: a replica that was just restarted is linked again a moment later.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cachecheck.rules.catalogue import finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cachecheck.model import Finding, Key, Member
    from cachecheck.rules.observations import Findings, Fleet, ReplicaOutcome

EXAMPLES = 10

_WORDS = {
    "divergent": "another value",
    "unknown-structure": "other bytes",
    "missing": "on one side only",
    "persistence-drift": "expires on one side only",
    "expiry-drift": "expires at another time",
}


def check(fleet: Fleet, outcomes: Iterable[ReplicaOutcome], show: Callable[[Key], str]) -> Findings:
    """Give a B005 for each replica that is none, is cut off, or holds something else.

    One that caught up in time is information. ``show`` gives the text of a key.
    """
    return tuple(found for one in outcomes for found in _judge(one, fleet, show))


def suspects(outcomes: Iterable[ReplicaOutcome]) -> tuple[str, ...]:
    """Name the workers to be asked again: those through which something seemed wrong."""
    return tuple(
        dict.fromkeys(
            one.through for one in outcomes if _complaint(one.primary, one.replica) or one.differing
        )
    )


def undecided(fleet: Fleet, outcomes: Iterable[ReplicaOutcome]) -> Iterator[str]:
    """Say of which replicas something seemed wrong that could not be confirmed."""
    for one in outcomes:
        complaint = _complaint(one.primary, one.replica)
        if complaint and _again(one, fleet) is None:
            yield (
                f"{one.cache}: {one.replica.address} {complaint}, and {one.through} could not be "
                "asked again whether that stands"
            )


def _judge(one: ReplicaOutcome, fleet: Fleet, show: Callable[[Key], str]) -> Iterator[Finding]:
    later = _again(one, fleet)
    primary, replica = later or (one.primary, one.replica)
    complaints = []
    if later and _complaint(one.primary, one.replica) and (said := _complaint(primary, replica)):
        complaints.append(said)
    if one.differing:
        complaints.append(f"has {_count(one)} otherwise")
    if not complaints and not one.caught_up:
        return
    lag = _lag(primary, replica)
    words = " and ".join(complaints) or (
        f"lagged behind: {one.caught_up} of {one.keys_compared} keys agreed only after "
        f"{one.caught_up_seconds:.1f} s"
    )
    behind = f", {lag} bytes behind" if lag and complaints else ""
    yield finding(
        "B005",
        severity=None if complaints else "info",
        message=f"the replica {replica.address} of {primary.address} {words}{behind}",
        cache=one.cache,
        subject=replica.address,
        evidence={
            "application": one.application,
            "primary": _shown(primary),
            "replica": _shown(replica),
            **({} if lag is None else {"lag_bytes": lag}),
            "keys_compared": one.keys_compared,
            "keys_differing": dict(Counter(_WORDS[verdict] for _, verdict in one.differing)),
            "examples": [show(key) for key, _ in one.differing[:EXAMPLES]],
            "read_through": one.through,
            "configured_on": list(one.configured_by),
        },
    )


def _complaint(primary: Member, replica: Member) -> str | None:
    """Say what is wrong with a replica by what both servers say of themselves."""
    ids = {primary.replication_id, replica.replication_id}
    if len(ids) > 1 and None not in ids:
        if replica.role == "primary":
            return "is no replica of it, but a primary of its own"
        return f"is no replica of it: it follows {replica.follows or 'another server'}"
    if replica.is_linked is False:
        return "has lost its link to it"
    return None


def _count(one: ReplicaOutcome) -> str:
    return f"{len(one.differing)} of {one.keys_compared} keys"


def _lag(primary: Member, replica: Member) -> int | None:
    """Give how many bytes of writes a replica has not yet; None: their offsets do not compare."""
    if primary.replication_id is None or primary.replication_id != replica.replication_id:
        return None
    if primary.offset_bytes is None or replica.offset_bytes is None:
        return None
    return max(0, primary.offset_bytes - replica.offset_bytes)


def _shown(member: Member) -> dict[str, object]:
    told = {
        "role": member.role,
        "follows": member.follows,
        "is_linked": member.is_linked,
        "offset_bytes": member.offset_bytes,
    }
    return {name: value for name, value in told.items() if value is not None}


def _again(one: ReplicaOutcome, fleet: Fleet) -> tuple[Member, Member] | None:
    """Give both servers as they described themselves again; None: nobody was asked, or heard."""
    said: Sequence[Member] = next(
        (
            cache.members
            for worker in fleet.workers
            if worker.label == one.through and worker.again is not None
            for cache in worker.again.caches
            if cache.alias == one.cache
        ),
        (),
    )
    by_address = {member.address: member for member in said}
    pair = by_address.get(one.primary.address), by_address.get(one.replica.address)
    if pair[0] is None or pair[1] is None or pair[0].failure or pair[1].failure:
        return None
    return pair[0], pair[1]
