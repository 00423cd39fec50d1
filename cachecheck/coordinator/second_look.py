"""Ask workers again of whom something was heard that has to be confirmed: it may have passed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from cachecheck.coordinator.outcomes import Answered
from cachecheck.coordinator.probing import Unit
from cachecheck.rules import builders, failing, replica, routing
from cachecheck.rules.observations import Again, Fleet
from cachecheck.wire import Describe, Described

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from cachecheck.coordinator.probing import Prober
    from cachecheck.rules.observations import ObservedWorker, ReplicaOutcome

SHARE_OF_REMAINING = 0.5  # of the run's time that may be spent on waiting


async def look_again(
    prober: Prober,
    fleet: Fleet,
    request: Describe,
    labels: Collection[str],
    *,
    settle_seconds: float,
) -> Fleet:
    """Ask the workers of these labels again, once ``settle_seconds`` have passed since they spoke.

    Where there are none nothing is asked. Who is not heard again has no second statement.
    """
    asked = [worker for worker in fleet.workers if worker.label in labels]
    if not asked or not prober.deadline.remaining_seconds:
        return fleet
    passed_seconds = time.time() - fleet.now
    longest = prober.deadline.remaining_seconds * SHARE_OF_REMAINING
    await asyncio.sleep(max(0.0, min(settle_seconds - passed_seconds, longest)))
    found = await asyncio.gather(*(_ask(prober, worker, request) for worker in asked))
    return _with(fleet, {one.label: again for one, again in zip(asked, found, strict=True)})


def suspects(fleet: Fleet, replicas: Sequence[ReplicaOutcome]) -> frozenset[str]:
    """Name the workers that said something that has to be confirmed, by what rules suspect."""
    return frozenset(
        (
            *replica.suspects(replicas),
            *builders.suspects(fleet),
            *failing.suspects(fleet),
            *routing.suspects(fleet),
        )
    )


async def _ask(prober: Prober, worker: ObservedWorker, request: Describe) -> Again | None:
    unit = Unit(
        node=worker.node,
        cache="",
        workers=frozenset({worker.worker.id}),
        stands_for=(),
        shift_seconds=0.0,
    )

    def request_for(audience: tuple[str, ...]) -> Describe:
        return msgspec.structs.replace(request, audience=audience)

    outcome = await prober.ask_one(unit, request_for)
    if not isinstance(outcome, Answered) or not isinstance(outcome.answer, Described):
        return None
    return Again(caches=outcome.answer.caches, builders=outcome.answer.builders)


def _with(fleet: Fleet, again: Mapping[str, Again | None]) -> Fleet:
    return Fleet(
        nodes=tuple(
            msgspec.structs.replace(
                node,
                workers=tuple(
                    msgspec.structs.replace(worker, again=again.get(worker.label))
                    for worker in node.workers
                ),
            )
            for node in fleet.nodes
        ),
        now=fleet.now,
    )
