"""One node that is slow or lies costs its own row, and nothing that the others say."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cachecheck import wire
from cachecheck.coordinator import hearing, probing
from cachecheck.model import Key, Missing, Reading
from cachecheck.survey import SampledKey, Summary
from simulated import SimulatedNode, check, present

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.model import Report

KEYS = tuple(f"k{number}" for number in range(30))
HONEST = {"a": "1", "b": "2"}


def codes(report: Report) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in report.findings:
        found[one.code] = found.get(one.code, 0) + 1
    return found


def honest() -> list[SimulatedNode]:
    """Make two nodes that differ in every key."""
    return [SimulatedNode(name, dict.fromkeys(KEYS, value)) for name, value in HONEST.items()]


def test_two_nodes_that_differ_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    report = check(honest(), monkeypatch, keys=KEYS)
    assert codes(report)["V001"] == len(KEYS)


def test_a_node_that_trickles_does_not_take_the_verdict_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = SimulatedNode("c", dict.fromkeys(KEYS, "3"), pause_seconds=1.0, per_read=1)
    report = check([*honest(), slow], monkeypatch, keys=KEYS)
    assert codes(report)["V001"] == len(KEYS)
    assert report.verdict == "divergent"
    assert not any("a:" in sentence or "b:" in sentence for sentence in report.undecided)


def test_a_node_is_not_asked_again_once_it_was_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SimulatedNode("c", dict.fromkeys(KEYS, "3"), pause_seconds=20.0)
    report = check([*honest(), slow], monkeypatch, keys=KEYS, timeout=1.0, deadline=20.0)
    assert codes(report)["V001"] == len(KEYS)
    assert report.run.duration_seconds < 15


def test_a_node_that_claims_coarse_expiries_excuses_no_drift_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expiry = time.time() + 3600
    seen: list[SimulatedNode] = []
    for name, shift in (("a", 0.0), ("b", 30.0)):
        node = SimulatedNode(name, {})
        node._reading = _fixed(expiry + shift)  # type: ignore[method-assign]  # noqa: SLF001
        seen.append(node)
    liar = SimulatedNode("c", {}, lies={"expiry_resolution_seconds": 60.0})
    liar._reading = _fixed(expiry)  # type: ignore[method-assign]  # noqa: SLF001
    assert "T001" in codes(check([*seen, liar], monkeypatch, keys=("k",)))


def _fixed(expires_at: float) -> Any:
    def reading(_key: object, request: Any) -> Reading:
        return present("same", bytes.fromhex(request.seed), expires_at)

    return reading


def test_a_node_whose_entries_expire_at_once_hides_nothing_that_others_miss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    liar = SimulatedNode("c", {})
    liar._reading = lambda _key, request: present(  # type: ignore[method-assign]  # noqa: SLF001
        "1", bytes.fromhex(request.seed), time.time() + 1
    )
    seen = [SimulatedNode("a", {"k": "1"}), SimulatedNode("b", {"k": Missing()}), liar]
    assert "V002" in codes(check(seen, monkeypatch, keys=("k",)))


def test_a_node_that_echoes_both_sides_reconciles_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = deque(("1", "2"))
    liar = SimulatedNode("c", {})

    def echo(_key: object, request: Any) -> Reading:
        turns.rotate(1)
        return present(turns[0], bytes.fromhex(request.seed))

    liar._reading = echo  # type: ignore[method-assign]  # noqa: SLF001
    seen = [SimulatedNode("a", {"k": "1"}), SimulatedNode("b", {"k": "2"}), liar]
    assert "V001" in codes(check(seen, monkeypatch, keys=("k",)))


@pytest.mark.parametrize("born_at", [-200_000_000_000.0, 1e300])
def test_a_node_born_before_time_fails_alone(
    monkeypatch: pytest.MonkeyPatch, born_at: float
) -> None:
    report = check([*honest(), SimulatedNode("c", {}, born_at=born_at)], monkeypatch, keys=KEYS[:2])
    assert {node.name: node.state for node in report.nodes} == {
        "a": "answered",
        "b": "answered",
        "c": "failed",
    }
    assert codes(report)["V001"] == 2


def test_a_node_that_makes_workers_up_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "MAX_WORKERS", 20)
    report = check([*honest(), Multiplying("c", {})], monkeypatch, keys=KEYS[:2])
    assert {node.name: node.state for node in report.nodes}["c"] == "failed"
    assert codes(report)["V001"] == 2


class Multiplying(SimulatedNode):
    """A node of which every answer comes from another worker, of ever more."""

    async def answer(self, request: wire.AnyRequest) -> wire.Message:
        self.reads += 1
        self._worker = msgspec.structs.replace(self._worker, id=f"c:{self.reads}", pid=self.reads)
        said = await super().answer(request)
        if isinstance(said, wire.Described):
            return msgspec.structs.replace(said, workers_expected=10**6)
        return said


class Surveyed(SimulatedNode):
    """A node whose surveys are what a test wants."""

    def __init__(self, name: str, page: Callable[[wire.Survey, dict[str, Any]], Any]) -> None:
        super().__init__(name, {})
        self._page = page

    async def answer(self, request: wire.AnyRequest) -> wire.Message:
        if isinstance(request, wire.Survey):
            now = time.time()
            said = {"worker": self._worker, "received_at": now, "sent_at": now}
            answer: wire.Message = self._page(request, said)
            return answer
        return await super().answer(request)


def test_a_survey_without_end_ends_within_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(_request: wire.Survey, said: dict[str, Any]) -> wire.Surveyed:
        return wire.Surveyed(**said, summary=Summary(), cursor="more")

    report = check([Surveyed("a", endless)], monkeypatch, deadline=2.0)
    assert report.verdict == "undecided"
    assert any("took too long" in sentence for sentence in report.undecided)


def test_a_sample_with_forged_digests_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def forged(_request: wire.Survey, said: dict[str, Any]) -> wire.Surveyed:
        sampled = SampledKey(digest="0" * 32, key=Key(name="k"))
        summary = Summary(scanned=1, entries=1, sample=(sampled,))
        return wire.Surveyed(**said, summary=summary, cursor=None)

    report = check([Surveyed("a", forged)], monkeypatch)
    assert report.verdict == "undecided"
    assert any("digests" in sentence for sentence in report.undecided)


def test_a_survey_that_is_refused_is_undecided_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(_request: wire.Survey, said: dict[str, Any]) -> wire.Refused:
        return wire.Refused(
            reason="not-allowed", detail="no listing here", clock=1.0, worker=said["worker"]
        )

    report = check([Surveyed("a", refused)], monkeypatch)
    assert report.verdict == "undecided"
    assert any("no listing here" in sentence for sentence in report.undecided)


def test_the_rate_spreads_keys_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(probing.asyncio, "sleep", sleep)
    monkeypatch.setattr(probing.time, "monotonic", lambda: 100.0)

    async def take() -> None:
        rate = probing.Rate(50.0)
        for _ in range(3):
            await rate.take(100)
        await probing.Rate(None).take(10**9)

    asyncio.run(take())
    assert slept == [0.0, 2.0, 4.0]
