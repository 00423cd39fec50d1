"""Ask particular workers of a node through the relay: one request, whoever of them hears it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import msgspec

from cachecheck.coordinator.answering import pause_after, sorted_out
from cachecheck.coordinator.outcomes import Answered, NoAnswer, unfolded
from cachecheck.wire import Relayed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cachecheck.coordinator.client import Client
    from cachecheck.coordinator.fleet import Target
    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.model import Worker
    from cachecheck.wire import AnyRequest

FEWEST_TRIES = 3
MOST_TRIES = 8
GONE = "its process ended, or listens no more"

Group = TypeVar("Group")


async def ask_relayed(
    client: Client,
    target: Target,
    wanted: Mapping[Group, frozenset[str]],
    request_for: Callable[[tuple[str, ...]], AnyRequest],
    known: Mapping[str, Worker],
) -> dict[Group, Outcome]:
    """Ask one worker of each wanted group, again while that brings news.

    A group of which nobody was heard stands in the result with the reason, which names no worker.
    ``known`` are the workers by their ids.
    """
    missing = dict(wanted)
    heard: dict[Group, Outcome] = {}
    instead: dict[Group, NoAnswer] = {}
    tries = max(FEWEST_TRIES, min(MOST_TRIES, max(map(len, missing.values()))))
    turn = fruitless = 0
    while missing and fruitless < tries and client.remaining_seconds > 0:
        chosen = {group: sorted(ids)[turn % len(ids)] for group, ids in missing.items()}
        asked = request_for(tuple(sorted(set(chosen.values()))))
        relayed = msgspec.structs.replace(asked, relay_seconds=client.relay_seconds)
        outcome = await client.probe_once(target, relayed)
        outcomes = unfolded(outcome)
        news = sorted_out(outcomes, missing)
        heard |= news
        missing = {group: ids for group, ids in missing.items() if group not in news}
        instead |= {group: _why(outcome, chosen[group], known) for group in missing}
        turn, fruitless = turn + 1, 0 if news else fruitless + 1
        if isinstance(outcome, NoAnswer):  # nobody handed it on: it cost a time-out, say
            break
        if missing and not news:
            await asyncio.sleep(pause_after(outcomes))
    return heard | {group: instead[group] for group in missing if group in instead}


def is_gone(outcome: Outcome | None) -> bool:
    """Whether ``ask_relayed`` found out that a worker is no more."""
    return isinstance(outcome, NoAnswer) and outcome.worker is None and outcome.detail == GONE


def _why(outcome: Outcome, worker: str, known: Mapping[str, Worker]) -> NoAnswer:
    """Say why a worker was not heard, by what came instead."""
    if isinstance(outcome, NoAnswer):
        return msgspec.structs.replace(outcome, worker=None)
    for one in unfolded(outcome):
        if isinstance(one, NoAnswer) and one.worker == worker:  # it was busy
            return msgspec.structs.replace(one, worker=None)
    return NoAnswer(state="failed", detail=_missed(outcome, worker, known))


def _missed(outcome: Answered, worker: str, known: Mapping[str, Worker]) -> str:
    answer = outcome.answer
    if not isinstance(answer, Relayed):
        return "another worker answered, without asking it"
    if answer.off is not None:
        return f"the relay is off: {answer.off}"
    told = next((one.reason for one in answer.unheard if one.worker == worker), None)
    if told is not None:
        return f"not heard through the relay: {told}"
    wanted = known.get(worker)
    if wanted is not None and wanted.role == "web" and wanted.parent != answer.worker.parent:
        return "a worker of another server answered, which does not know it"
    return GONE
