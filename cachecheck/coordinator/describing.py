"""Hear the whole fleet: Django nodes first, then the stores that are read by their namespaces."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from cachecheck.coordinator.ask import WebNode
from cachecheck.coordinator.describe import describe_fleet
from cachecheck.coordinator.direct import DirectNode
from cachecheck.coordinator.direct_nodes import describe_store
from cachecheck.coordinator.fleet import StoreNode, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.coordinator.client import Client
    from cachecheck.coordinator.direct import Stores
    from cachecheck.coordinator.fleet import AnyTarget
    from cachecheck.coordinator.probing import Asked
    from cachecheck.coordinator.progress import Progress
    from cachecheck.rules.observations import ObservedNode
    from cachecheck.wire import Describe


class Heard(NamedTuple):
    """A node of the fleet, and how to ask it again."""

    node: ObservedNode
    asked: Asked


async def describe_targets(
    targets: Sequence[AnyTarget],
    client: Client | None,
    stores: Stores,
    request: Describe,
    progress: Progress,
) -> tuple[Heard, ...]:
    """Describe all targets, in their order, a store followed by its replicas.

    ``client`` is there where one of them is a Django node.
    """
    found: dict[str, tuple[Heard, ...]] = {}
    webs = [target for target in targets if isinstance(target, Target)]
    if client is not None:
        nodes = await describe_fleet(client, webs, request, lambda _node: progress.advance())
        for target, node in zip(webs, _each_once(nodes), strict=True):
            found[target.name] = (Heard(node=node, asked=WebNode(client, target, node)),)
    heard = [one.node for several in found.values() for one in several]

    async def one(target: StoreNode) -> None:
        described = await describe_store(stores, target.spec, heard, request)
        progress.advance()
        found[target.name] = tuple(
            Heard(node=member.node, asked=DirectNode(stores, member.spec)) for member in described
        )

    await asyncio.gather(*(one(target) for target in targets if isinstance(target, StoreNode)))
    ordered = (one for target in targets for one in found[target.name])
    return tuple({heard.node.name: heard for heard in ordered}.values())


def _each_once(nodes: Sequence[ObservedNode]) -> Iterator[ObservedNode]:
    """Leave out whoever serves no requests and was heard through another server of its host.

    Several servers of one site on one host relay to the same Celery workers and commands.
    """
    by: dict[str, frozenset[str]] = {}
    for node in nodes:
        web = frozenset(one.worker.id for one in node.workers if one.worker.role == "web")
        others = {one.worker.id for one in node.workers} - web
        elsewhere = {worker for worker in others if by.get(worker, web) != web}
        by |= dict.fromkeys(others - elsewhere, web)
        if elsewhere:
            own = tuple(one for one in node.workers if one.worker.id not in elsewhere)
            yield msgspec.structs.replace(node, workers=own)
        else:
            yield node
