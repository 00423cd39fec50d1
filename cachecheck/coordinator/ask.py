"""Ask particular workers of a node, through an address that hides them.

Where they relay, whoever hears a request hands it on. Where they do not, every request goes over a
fresh connection and carries the ids of the workers that are still wanted as its ``audience``;
whoever else hears it says so and does nothing. Bursts grow while nobody new is heard, because a few
connections at a time may all end at one idle worker.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, TypeVar

from cachecheck.coordinator.answering import pause_after, sorted_out
from cachecheck.coordinator.outcomes import Answered, NoAnswer
from cachecheck.coordinator.relaying import ask_relayed, is_gone
from cachecheck.wire import Collect, Gather, Survey, Verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cachecheck.coordinator.client import Client
    from cachecheck.coordinator.fleet import Target
    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.rules.observations import ObservedNode
    from cachecheck.wire import AnyRequest

LARGEST_BURST = 40
PER_WORKER = 2
PATIENCE = 6
GAP_SECONDS = 0.003
_HEAVY = (
    Survey,
    Gather,
    Collect,
    Verify,
)  # where a second worker that answers has worked for nothing

Group = TypeVar("Group")


class WebNode:
    """A Django node as the prober asks it: through the relay, or by bursts.

    Through the relay one request reaches the workers that are meant, whoever hears it. Where any
    worker of the node will do, no relay is needed, and a plain request reaches one.
    """

    is_direct = False
    shares_hashes = False

    def __init__(self, client: Client, target: Target, node: ObservedNode | None = None) -> None:
        self._client = client
        self._target = target
        workers = node.workers if node and node.heard_by == "relay" else ()
        self._is_relayed = bool(workers)
        self._of = {one.worker.id: one.worker for one in workers}
        self._web = frozenset(one.worker.id for one in workers if one.worker.role == "web")

    async def ask(
        self,
        wanted: Mapping[Group, frozenset[str]],
        request_for: Callable[[tuple[str, ...]], AnyRequest],
    ) -> dict[Group, Outcome]:
        """Ask for one worker of each wanted group."""
        relayed = {
            group: ids for group, ids in wanted.items() if self._is_relayed and self._web - ids
        }
        found: dict[Group, Outcome] = {}
        if relayed:
            found = await ask_relayed(self._client, self._target, relayed, request_for, self._of)
        lost = {group for group, outcome in found.items() if is_gone(outcome)}
        left = {
            group: ids
            for group, ids in wanted.items()
            if group not in lost and is_unheard(found.get(group)) and self._answers_itself(ids)
        }
        if left:
            found |= await ask(self._client, self._target, left, request_for)
        return found

    def _answers_itself(self, ids: frozenset[str]) -> bool:
        """Whether one of these can be reached without the relay: it serves requests."""
        return not self._is_relayed or bool(ids & self._web)


async def ask(
    client: Client,
    target: Target,
    wanted: Mapping[Group, frozenset[str]],
    request_for: Callable[[tuple[str, ...]], AnyRequest],
) -> dict[Group, Outcome]:
    """Ask until one worker of each wanted group has answered, or bursts brought nobody new.

    ``wanted`` gives for each group the ids of workers of which any one will do; ``request_for``
    makes the request for an audience. A group of which nobody was heard is absent from the result,
    or stands there with what came instead, which names no worker; one that refused stands there
    with its refusal, which does.
    """
    missing = dict(wanted)
    heard: dict[Group, Outcome] = {}
    instead: NoAnswer | None = None
    is_heavy = isinstance(request_for(()), _HEAVY)
    fruitless, size = 0, sum(1 if len(ids) > 1 else PER_WORKER for ids in missing.values())
    size = len(missing) if is_heavy else size
    while missing and fruitless < PATIENCE and client.remaining_seconds > 0:
        audience = tuple(sorted(frozenset().union(*missing.values())))
        outcomes = await burst(client, target, request_for(audience), size)
        news = sorted_out(outcomes, missing)
        heard |= news
        missing = {group: ids for group, ids in missing.items() if group not in news}
        fruitless = 0 if news else fruitless + _wasted(outcomes)
        size = len(missing) * (2**fruitless if is_heavy else PER_WORKER * 4**fruitless)
        if missing and not news:
            instead = _instead(outcomes) or instead
            await asyncio.sleep(pause_after(outcomes))
    return heard | ({} if instead is None else dict.fromkeys(missing, instead))


def _instead(outcomes: tuple[Outcome, ...]) -> NoAnswer | None:
    failures = (one for one in outcomes if isinstance(one, NoAnswer) and one.worker is None)
    return next(failures, None)


def is_unheard(outcome: Outcome | None) -> bool:
    """Whether what ``ask`` gave for a group comes from none of its workers."""
    return outcome is None or (isinstance(outcome, NoAnswer) and outcome.worker is None)


async def burst(
    client: Client, target: Target, request: AnyRequest, size: int
) -> tuple[Outcome, ...]:
    """Send one request ``size`` times, each over a connection of its own, milliseconds apart.

    Connections that come all at once are taken in one go by the first worker to wake; some
    milliseconds apart, each finds another one idle (``tests/benchmarks/bench_bursts.py``).
    """

    async def one(number: int) -> Outcome:
        await asyncio.sleep(number * GAP_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311  jitter
        return await client.probe_once(target, request)

    count = max(1, min(size, LARGEST_BURST))
    return tuple(await asyncio.gather(*(one(number) for number in range(count))))


def _wasted(outcomes: tuple[Outcome, ...]) -> int:
    """Count a burst in which the node did not answer at all as several: it costs a time-out."""
    return 1 if any(isinstance(outcome, Answered) for outcome in outcomes) else PATIENCE // 2
