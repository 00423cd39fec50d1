"""Workers that went away during the run, and those that came in their place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from cachecheck.coordinator.describe import describe_node, relayed
from cachecheck.coordinator.outcomes import Answered
from cachecheck.rules.observations import Fleet, ObservedNode, ObservedWorker
from cachecheck.wire import Describe, Elsewhere, Relayed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.coordinator.client import Client
    from cachecheck.coordinator.fleet import Target
    from cachecheck.coordinator.probing import Prober


async def look_for_restarts(
    client: Client, targets: Sequence[Target], fleet: Fleet, request: Describe, prober: Prober
) -> Fleet:
    """Describe nodes again of which a worker may have gone.

    That is where one was not heard again, and where workers relay, where it does not answer to its
    name any more at the end of the run.
    """
    by_name = {target.node.name: target for target in targets}

    async def one(node: ObservedNode) -> ObservedNode:
        target = by_name.get(node.name)
        is_lost = node.name in prober.nodes_with_lost_workers
        if target is None or not (is_lost or await _has_changed(client, target, node, request)):
            return node
        after = await describe_node(client, target, request, client.remaining_seconds / 2)
        return with_restarts(node, after)

    nodes = await asyncio.gather(*(one(node) for node in fleet.nodes))
    return Fleet(nodes=tuple(nodes), now=fleet.now)


async def _has_changed(
    client: Client, target: Target, node: ObservedNode, request: Describe
) -> bool:
    """Call the roll through the relay, which costs workers that are still there next to nothing."""
    if node.heard_by != "relay" or not client.remaining_seconds:
        return False
    ids = {one.worker.id for one in node.workers}
    roll = Describe(run=request.run, probe_keys=request.probe_keys, heard=tuple(sorted(ids)))
    outcome = await client.probe_once(target, relayed(client, roll))
    if not isinstance(outcome, Answered) or not isinstance(outcome.answer, Relayed):
        return False
    there = {outcome.answer.worker.id}
    there |= {one.worker.id for one in outcome.answer.answers if isinstance(one, Elsewhere)}
    return bool(ids - there)


def _relabelled(worker: ObservedWorker, taken: set[str]) -> ObservedWorker:
    """Keep labels apart: in a container a successor often has the pid of the one before."""
    if worker.label not in taken:
        return worker
    label = f"{worker.label}~{worker.worker.id[-4:]}"
    return msgspec.structs.replace(worker, label=label)


def with_restarts(before: ObservedNode, after: ObservedNode) -> ObservedNode:
    """Mark the workers that went, and add those that came to serve requests.

    Without the relay, one that is not heard again may be there all the same: it went where others
    came.
    """
    if after.state != "answered":
        return before
    had = {worker.worker.id for worker in before.workers}
    has = {worker.worker.id for worker in after.workers}
    taken = {worker.label for worker in before.workers}
    came = tuple(
        _relabelled(worker, taken)
        for worker in after.workers
        if worker.worker.id not in had and worker.worker.role == "web"
    )
    gone = tuple(worker.label for worker in before.workers if worker.worker.id not in has)
    is_sure = before.heard_by == after.heard_by == "relay"
    if not gone or not (came or is_sure):
        return before
    return msgspec.structs.replace(before, workers=before.workers + came, restarted=gone)
