"""Ask particular workers of a node, through an address that hides them.

Every request goes over a fresh connection and carries the ids of the workers that are still wanted
as its ``audience``; whoever else hears it says so and does nothing. Bursts grow while nobody new is
heard, because a few connections at a time may all end at one idle worker.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, TypeVar

from cachecheck.coordinator.outcomes import Answered, NoAnswer
from cachecheck.wire import Collect, Elsewhere, Gather, Survey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cachecheck.coordinator.client import Client
    from cachecheck.coordinator.fleet import Target
    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.wire import AnyRequest

LARGEST_BURST = 40
PER_WORKER = 2
PATIENCE = 6
GAP_SECONDS = 0.003
_HEAVY = (Survey, Gather, Collect)  # where a second worker that answers has worked for nothing

Group = TypeVar("Group")


class WebNode:
    """A Django node as the prober asks it: by bursts, until the workers that are meant answer."""

    is_direct = False

    def __init__(self, client: Client, target: Target) -> None:
        self._client = client
        self._target = target

    async def ask(
        self,
        wanted: Mapping[Group, frozenset[str]],
        request_for: Callable[[tuple[str, ...]], AnyRequest],
    ) -> dict[Group, Outcome]:
        """Ask for one worker of each wanted group."""
        return await ask(self._client, self._target, wanted, request_for)


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
        news = _sort(outcomes, missing)
        heard |= news
        missing = {group: ids for group, ids in missing.items() if group not in news}
        fruitless = 0 if news else fruitless + _wasted(outcomes)
        size = len(missing) * (2**fruitless if is_heavy else PER_WORKER * 4**fruitless)
        if missing and not news:
            instead = _instead(outcomes) or instead
            await asyncio.sleep(_pause(outcomes))
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


def _sort(
    outcomes: tuple[Outcome, ...], missing: Mapping[Group, frozenset[str]]
) -> dict[Group, Outcome]:
    by_worker = {
        worker: outcome for outcome in outcomes if (worker := _answering(outcome)) is not None
    }
    return {
        group: by_worker[worker]
        for group, ids in missing.items()
        for worker in ids & by_worker.keys()
    }


def _answering(outcome: Outcome) -> str | None:
    """Name the worker that did the work or refused it; None where nobody that was meant did."""
    if isinstance(outcome, NoAnswer):
        return None if outcome.is_worth_retrying else outcome.worker
    if isinstance(outcome.answer, Elsewhere):
        return None
    worker = getattr(outcome.answer, "worker", None)
    return worker.id if worker else None


def _wasted(outcomes: tuple[Outcome, ...]) -> int:
    """Count a burst in which the node did not answer at all as several: it costs a time-out."""
    return 1 if any(isinstance(outcome, Answered) for outcome in outcomes) else PATIENCE // 2


def _pause(outcomes: tuple[Outcome, ...]) -> float:
    asked = [
        outcome.retry_after_seconds or 0.0 for outcome in outcomes if isinstance(outcome, NoAnswer)
    ]
    return max(asked, default=0.0)
