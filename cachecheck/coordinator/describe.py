"""Hear every worker of every node: who they are, and what they see of their caches."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from cachecheck.coordinator.ask import LARGEST_BURST, burst
from cachecheck.coordinator.hearing import PER_MISSING, Hearing
from cachecheck.coordinator.outcomes import NoAnswer, unfolded
from cachecheck.rules.observations import ObservedNode
from cachecheck.wire import Describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cachecheck.coordinator.client import Client
    from cachecheck.coordinator.fleet import Target
    from cachecheck.coordinator.outcomes import Outcome

SHARE_OF_DEADLINE = 0.25
PATIENCE = 3
LOOK_BEHIND = 6  # fresh connections that find out whether one address hides several hosts


async def describe_fleet(
    client: Client,
    targets: Sequence[Target],
    request: Describe,
    on_node: Callable[[ObservedNode], None],
) -> tuple[ObservedNode, ...]:
    """Describe all nodes at once, in the order of ``targets``; ``on_node`` is told of each."""
    seconds = client.remaining_seconds * SHARE_OF_DEADLINE

    async def one(target: Target) -> ObservedNode:
        node = await describe_node(client, target, request, seconds)
        on_node(node)
        return node

    return tuple(await asyncio.gather(*(one(target) for target in targets)))


async def describe_node(
    client: Client, target: Target, request: Describe, seconds: float
) -> ObservedNode:
    """Describe one node: one probe first, which its workers relay, then bursts for the others."""
    first = await client.probe(target, relayed(client, request), seconds)
    hearing = Hearing(target)
    hearing.listen((first,))
    if not hearing.described:
        return await _silent(client, target, request, _refusing(first))
    until = asyncio.get_running_loop().time() + seconds
    fruitless, has_looked_behind = 0, False
    while not (has_looked_behind and (hearing.is_complete or fruitless >= PATIENCE)):
        if asyncio.get_running_loop().time() > until:
            break
        if hearing.is_flooded:
            detail = "more workers, or longer descriptions, than a node can have"
            return ObservedNode(
                name=target.node.name, url=target.node.url, state="failed", detail=detail
            )
        asked = Describe(
            run=request.run, probe_keys=request.probe_keys, heard=tuple(hearing.described)
        )
        size = max(LOOK_BEHIND, PER_MISSING * hearing.missing)
        size = LARGEST_BURST if has_looked_behind else size
        news = hearing.listen(await burst(client, target, asked, size))
        if news and hearing.is_relayed and not hearing.is_complete:  # of another master, say
            again = relayed(client, asked)
            news += hearing.listen((await client.probe_once(target, again),))
        fruitless = 0 if news else fruitless + 1
        has_looked_behind = True
    return hearing.node()


def _refusing(outcome: Outcome) -> Outcome:
    """Give the refusal that stands for an answer in which nobody described itself."""
    refusals = (one for one in unfolded(outcome) if isinstance(one, NoAnswer))
    return next(refusals, outcome)


def relayed(client: Client, request: Describe) -> Describe:
    """Have a request handed on to the siblings of whoever hears it."""
    return msgspec.structs.replace(request, relay_seconds=client.relay_seconds)


async def _silent(
    client: Client, target: Target, request: Describe, outcome: Outcome
) -> ObservedNode:
    """Describe a node that did not; where it was another node's name, look who else is there."""
    node = target.node
    if not isinstance(outcome, NoAnswer):
        detail = "it answered with something else than a description"
        return ObservedNode(name=node.name, url=node.url, state="failed", detail=detail)
    names = {outcome.own_name} if outcome.own_name else set()
    if names:
        others = await burst(client, target, request, LOOK_BEHIND)
        names |= {
            other.own_name for other in others if isinstance(other, NoAnswer) and other.own_name
        }
    return ObservedNode(
        name=node.name,
        url=node.url,
        state=outcome.state,
        detail=outcome.detail,
        clock=outcome.clock,
        own_names=tuple(sorted(names)),
    )
