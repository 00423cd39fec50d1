"""What is heard of one node, answer by answer: its workers, its clock, its names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cachecheck.coordinator.ask import LARGEST_BURST
from cachecheck.coordinator.outcomes import Answered, NoAnswer, unfolded
from cachecheck.rules.observations import Clock, ObservedNode, ObservedWorker
from cachecheck.wire import Described, Relayed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.coordinator.fleet import Target
    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.model import ExpectedBy, Worker

PER_MISSING = 4
MAX_WORKERS = 512
MAX_DESCRIBED_BYTES = 16 << 20


class Hearing:
    """What was heard of one node so far."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._clocks: list[Clock] = []
        self._own_names: set[str] = set()
        self.is_relayed = False
        self._relay_off: str | None = None
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
            self._note_relay(outcome)
            for one in unfolded(outcome):
                self._take(one)
        return len(self.described) - before

    def _note_relay(self, outcome: Outcome) -> None:
        if isinstance(outcome, Answered) and isinstance(outcome.answer, Relayed):
            self._clocks.append(outcome.clock)
            self.is_relayed = self.is_relayed or outcome.answer.off is None
            self._relay_off = outcome.answer.off

    def _take(self, outcome: Outcome) -> None:
        if isinstance(outcome, NoAnswer):
            self._own_names |= {outcome.own_name} if outcome.own_name else set()
            return
        self._clocks.append(outcome.clock)
        if isinstance(outcome.answer, Described):
            self._described_bytes += outcome.answer_bytes
            self._remember(outcome.answer)
        elif (known := self.described.get(outcome.answer.worker.id)) is not None:
            self.described[known.worker.id] = _with_listener(known, outcome.answer.worker)

    def _remember(self, answer: Described) -> None:
        self.described[answer.worker.id] = answer
        if answer.node:
            self._own_names.add(answer.node)

    @property
    def _web(self) -> tuple[Described, ...]:
        """Those that serve requests: of them alone there are so many to be expected."""
        return tuple(one for one in self.described.values() if one.worker.role == "web")

    @property
    def expected(self) -> int | None:
        """How many workers there should be: added up over the servers that were heard."""
        by_server = {
            (answer.worker.host_id, answer.worker.parent): answer.workers_expected
            for answer in self._web
        }
        counts = [count for count in by_server.values() if count is not None]
        return sum(counts) if len(counts) == len(by_server) else None

    @property
    def _expected_by(self) -> ExpectedBy:
        told = {answer.expected_by for answer in self._web}
        return told.pop() if len(told) == 1 else "unknown"

    @property
    def missing(self) -> int:
        if self.expected is None:
            return LARGEST_BURST // PER_MISSING
        return max(0, self.expected - len(self._web))

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
            expected_by=self._expected_by,
            heard_by="relay" if self.is_relayed else "bursts",
            relay_off=None if self.is_relayed else self._relay_off,
            own_names=tuple(sorted(self._own_names)),
        )


def _with_listener(known: Described, worker: Worker) -> Described:
    """Add where a worker listens, which it cannot tell while nobody connects to it."""
    if known.worker.listener is not None or worker.listener is None:
        return known
    with_listener = msgspec.structs.replace(known.worker, listener=worker.listener)
    return msgspec.structs.replace(known, worker=with_listener)


def label_workers(node: str, described: Sequence[Described]) -> tuple[ObservedWorker, ...]:
    """Name workers by node and pid, and by their role where they serve no requests.

    Those that share a pid get a part of their random id.
    """
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
            truths=answer.truths,
            builders=answer.builders,
        )
        for answer in ordered
    )


def _label(node: str, answer: Described, *, is_unique: bool) -> str:
    apart = "" if is_unique else f"~{answer.worker.id[-4:]}"
    role = "" if answer.worker.role == "web" else f" ({answer.worker.role})"
    return f"{node}:{answer.worker.pid}{apart}{role}"
