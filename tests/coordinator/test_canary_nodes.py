"""Canaries through nodes that are slow, hollow or deaf: each costs its own views and no others."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cachecheck import wire
from cachecheck.model import CanaryResult, CanaryStep
from simulated import SimulatedNode, check

if TYPE_CHECKING:
    import pytest

    from cachecheck.model import Report

Store = dict[str, tuple[str | int, float]]


class CanaryNode(SimulatedNode):
    """A node whose cache is a dictionary that others may share.

    ``per_move`` is how many steps it makes at once; a deaf one cannot read, and of a lossy one the
    answer to increments is lost.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        *,
        per_move: int = 1000,
        is_deaf: bool = False,
        is_lossy: bool = False,
    ) -> None:
        super().__init__(name, {})
        self._store = store
        self._per_move = per_move
        self._is_deaf = is_deaf
        self._is_lossy = is_lossy
        self.moves: dict[str, wire.Canaried] = {}
        self.steps = 0

    async def answer(self, request: wire.AnyRequest) -> wire.Message:
        if not isinstance(request, wire.Canary):
            return await super().answer(request)
        if request.move not in self.moves:
            mine = [step for step in request.steps if step.worker == self._worker.id]
            made = tuple(self._made(step) for step in mine[: self._per_move])
            self.steps += len(made)
            now = time.time()
            self.moves[request.move] = wire.Canaried(
                worker=self._worker,
                received_at=now,
                sent_at=now,
                results=made,
                undone=len(mine) - len(made),
            )
        if self._is_lossy and any(step.operation == "incr" for step in request.steps):
            return wire.Refused(reason="too-large", detail="lost", clock=time.time())
        return self.moves[request.move]

    def _made(self, step: CanaryStep) -> CanaryResult:
        now = time.time()
        value, until = self._store.get(step.name, ("", 0.0))
        is_there = until > now
        said: dict[str, Any] = {"outcome": "done"}
        match step.operation:
            case "set":
                self._store[step.name] = (step.nonces[0], now + step.lasts_seconds)
            case "add" if is_there:
                said = {"outcome": "not-done"}
            case "add":
                first = 0 if step.value == "count" else step.nonces[0]
                self._store[step.name] = (first, now + step.lasts_seconds)
            case "incr":
                self._store[step.name] = (int(value) + step.times, until)
                said["count"] = step.times
            case "touch":
                self._store[step.name] = (value, now + step.lasts_seconds)
            case "delete":
                self._store.pop(step.name, None)
            case "get" if self._is_deaf:
                said = {"outcome": "failed", "error": "TimeoutError"}
            case "get" if not is_there:
                said = {"outcome": "missing"}
            case "get":
                said = {"outcome": "found"}
                said |= {"count": value} if isinstance(value, int) else {"nonce": value}
        return CanaryResult(at=now, took_seconds=0.0, **said)


def out(nodes: list[Any], monkeypatch: pytest.MonkeyPatch, **options: Any) -> Report:
    return check(nodes, monkeypatch, canary=True, sample=0, select=("C",), **options)


def test_nodes_that_do_little_cost_their_own_views_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shared: Store = {}
    hollow = CanaryNode("hollow", shared, per_move=0)
    deaf = CanaryNode("deaf", shared, is_deaf=True)
    lossy = CanaryNode("lossy", shared, is_lossy=True)
    nodes = [CanaryNode("a", shared), CanaryNode("slow", shared, per_move=1), hollow, deaf, lossy]
    report = out(nodes, monkeypatch)
    assert report.findings == ()
    assert report.verdict == "undecided"
    told = " ".join(report.undecided)
    assert "no canary went through hollow: it answered, and made none of the steps" in told
    assert "no canary went through lossy: refused as too-large: lost" in told
    assert "could not be looked for through deaf:1: TimeoutError" in told
    (canary,) = report.caches[0].canaries
    tried = {step.step: (step.tried, step.failed) for step in canary.steps}
    assert tried["set"] == (6, 0)  # from three writers, seen by the two that can read
    assert tried["incr"] == (2, 0)
    assert shared == {}  # all was deleted, through whoever wrote it


def test_a_rate_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [CanaryNode("a", {}), CanaryNode("b", {})]
    report = out(nodes, monkeypatch, rate=30.0, deadline=2.0)
    steps = sum(node.steps for node in nodes)
    assert 0 < steps <= 30 * (report.run.duration_seconds + 1)  # a move is begun, and then paid for


def test_at_the_deadline_it_says_so_and_cleans_up(monkeypatch: pytest.MonkeyPatch) -> None:
    store: Store = {}
    report = out([CanaryNode("a", store), CanaryNode("b", store)], monkeypatch, deadline=2.0)
    assert report.verdict == "undecided"
    assert any("before the canary was through" in sentence for sentence in report.undecided)
    assert report.findings == ()
    assert store == {}
