"""Stores that are read directly, as nodes of the fleet: each replica is one of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cachecheck.coordinator.adopting import adopt
from cachecheck.coordinator.outcomes import NoAnswer
from cachecheck.errors import UsageError
from cachecheck.model import Value
from cachecheck.rules.observations import ObservedNode, ObservedWorker
from cachecheck.stores.direct import StoreSpec, address
from cachecheck.wire import Described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.coordinator.direct import Stores
    from cachecheck.wire import Describe

_WITHOUT_REPLICAS = "?replicas=no leaves replicas out"


class DirectStore(Value, frozen=True, kw_only=True):
    """One store that is read directly: how it is asked, and what it is in the fleet."""

    spec: StoreSpec
    node: ObservedNode


async def describe_store(
    stores: Stores, named: StoreSpec, heard: Sequence[ObservedNode], request: Describe
) -> tuple[DirectStore, ...]:
    """Describe a store and each of its replicas, by the namespace of the nodes that were heard.

    Where even that cannot be known, it is one node that gave no usable answer, with the reason.
    """
    try:
        spec = adopt(named, heard)
    except UsageError as exc:
        return (_silent(named, NoAnswer(state="failed", detail=str(exc))),)
    found = await stores.members(spec)
    if isinstance(found, NoAnswer):
        hint = "" if found.state == "unreachable" else f"; {_WITHOUT_REPLICAS}"
        return (_silent(spec, found, hint),)
    return tuple(await asyncio.gather(*(_described(stores, member, request) for member in found)))


async def _described(stores: Stores, spec: StoreSpec, request: Describe) -> DirectStore:
    outcome = await stores.ask(spec, request)
    if isinstance(outcome, NoAnswer):
        return _silent(spec, outcome, f"; {_WITHOUT_REPLICAS}" if spec.member else "")
    if not isinstance(outcome.answer, Described):
        detail = "it answered with something else than a description"
        return _silent(spec, NoAnswer(state="failed", detail=detail))
    return DirectStore(spec=spec, node=_node(spec, outcome.answer))


def _node(spec: StoreSpec, described: Described) -> ObservedNode:
    return ObservedNode(
        name=spec.name,
        url=address(spec),
        state="answered",
        workers_expected=0,
        store=ObservedWorker(
            label=spec.name,
            node=spec.name,
            worker=described.worker,
            application=described.application,
            release=described.release,
            versions=described.versions,
            caches=described.caches,
        ),
        member=spec.member,
    )


def _silent(spec: StoreSpec, why: NoAnswer, hint: str = "") -> DirectStore:
    node = ObservedNode(
        name=spec.name,
        url=address(spec),
        state=why.state,
        detail=f"{why.detail}{hint}",
        workers_expected=0,
        member=spec.member,
    )
    return DirectStore(spec=spec, node=node)
