"""Workers that went away during the run, and those that came in their place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from cachecheck.coordinator.describe import describe_node
from cachecheck.rules.observations import Fleet, ObservedNode, ObservedWorker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.coordinator.client import Client
    from cachecheck.coordinator.fleet import Target
    from cachecheck.coordinator.probing import Prober
    from cachecheck.wire import Describe


async def look_for_restarts(
    client: Client, targets: Sequence[Target], fleet: Fleet, request: Describe, prober: Prober
) -> Fleet:
    """Describe nodes of which a worker was not heard again: it may have been restarted."""
    by_name = {target.node.name: target for target in targets}
    suspects = [node for node in fleet.nodes if node.name in prober.nodes_with_lost_workers]
    found = await asyncio.gather(
        *(
            describe_node(client, by_name[node.name], request, client.remaining_seconds / 2)
            for node in suspects
        )
    )
    pairs = zip(suspects, found, strict=True)
    again = {before.name: with_restarts(before, after) for before, after in pairs}
    return Fleet(nodes=tuple(again.get(node.name, node) for node in fleet.nodes), now=fleet.now)


def _relabelled(worker: ObservedWorker, taken: set[str]) -> ObservedWorker:
    """Keep labels apart: in a container a successor often has the pid of the one before."""
    if worker.label not in taken:
        return worker
    label = f"{worker.label}~{worker.worker.id[-4:]}"
    return msgspec.structs.replace(worker, label=label)


def with_restarts(before: ObservedNode, after: ObservedNode) -> ObservedNode:
    """Mark the workers that went while others came, and add those that came."""
    had = {worker.worker.id for worker in before.workers}
    has = {worker.worker.id for worker in after.workers}
    taken = {worker.label for worker in before.workers}
    came = tuple(
        _relabelled(worker, taken) for worker in after.workers if worker.worker.id not in had
    )
    gone = tuple(worker.label for worker in before.workers if worker.worker.id not in has)
    if not (came and gone):
        return before
    return msgspec.structs.replace(before, workers=before.workers + came, restarted=gone)
