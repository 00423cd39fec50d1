"""Hear every worker of every node: who they are, and what they see of their caches."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cachecheck.coordinator.ask import LARGEST_BURST, burst
from cachecheck.coordinator.outcomes import Answered, NoAnswer
from cachecheck.rules.observations import Clock, ObservedNode, ObservedWorker
from cachecheck.wire import Describe, Described

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cachecheck.coordinator.client import Client
    from cachecheck.coordinator.fleet import Target
    from cachecheck.coordinator.outcomes import Outcome

SHARE_OF_DEADLINE = 0.25
PATIENCE = 3
PER_MISSING = 4
MAX_WORKERS = 512
MAX_DESCRIBED_BYTES = 16 << 20
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
    """Describe one node: one probe first, then bursts until all its workers are heard."""
    first = await client.probe(target, request, seconds)
    hearing = _Hearing(target)
    hearing.listen((first,))
    if not hearing.described:
        return await _silent(client, target, request, first)
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
        fruitless = 0 if news else fruitless + 1
        has_looked_behind = True
    return hearing.node()


class _Hearing:
    """What was heard of one node so far."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._clocks: list[Clock] = []
        self._own_names: set[str] = set()
        self.described: dict[str, Described] = {}
        self._described_bytes = 0

    @property
    def is_flooded(self) -> bool:
        """Whether more workers were heard than any node has: it makes them up."""
        return len(self.described) > MAX_WORKERS or self._described_bytes > MAX_DESCRIBED_BYTES

    def listen(self, outcomes: Sequence[Outcome]) -> int:
        """Take answers in; give the number of workers that are new."""
        before = len(self.described)
        for outcome in outcomes:
            if isinstance(outcome, Answered):
                self._clocks.append(outcome.clock)
                if isinstance(outcome.answer, Described):
                    self._described_bytes += outcome.answer_bytes
                    self._remember(outcome.answer)
            elif outcome.own_name:
                self._own_names.add(outcome.own_name)
        return len(self.described) - before

    def _remember(self, answer: Described) -> None:
        self.described[answer.worker.id] = answer
        if answer.node:
            self._own_names.add(answer.node)

    @property
    def expected(self) -> int | None:
        """How many workers there should be: added up over the servers that were heard."""
        by_server = {
            (answer.worker.host_id, answer.worker.parent): answer.workers_expected
            for answer in self.described.values()
        }
        counts = [count for count in by_server.values() if count is not None]
        return sum(counts) if len(counts) == len(by_server) else None

    @property
    def missing(self) -> int:
        if self.expected is None:
            return LARGEST_BURST // PER_MISSING
        return max(0, self.expected - len(self.described))

    @property
    def is_complete(self) -> bool:
        return self.expected is not None and not self.missing

    def node(self) -> ObservedNode:
        """Sum up; the clock is that of the exchange with the smallest round trip."""
        node = self._target.node
        clock = min(self._clocks, key=lambda clock: clock.rtt_seconds)
        return ObservedNode(
            name=node.name,
            url=node.url,
            state="answered",
            clock=clock,
            workers=label_workers(node.name, tuple(self.described.values())),
            workers_expected=self.expected,
            own_names=tuple(sorted(self._own_names)),
        )


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


def label_workers(node: str, described: Sequence[Described]) -> tuple[ObservedWorker, ...]:
    """Name workers by node and pid; those that share a pid get a part of their random id."""
    pids = [answer.worker.pid for answer in described]
    ordered = sorted(described, key=lambda answer: (answer.worker.pid, answer.worker.id))
    return tuple(
        ObservedWorker(
            label=_label(node, answer, is_unique=pids.count(answer.worker.pid) == 1),
            node=node,
            worker=answer.worker,
            application=answer.application,
            release=answer.release,
            versions=answer.versions,
            caches=answer.caches,
            builders=answer.builders,
        )
        for answer in ordered
    )


def _label(node: str, answer: Described, *, is_unique: bool) -> str:
    label = f"{node}:{answer.worker.pid}"
    return label if is_unique else f"{label}~{answer.worker.id[-4:]}"
