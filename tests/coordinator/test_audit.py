"""`--all` over nodes in memory: what differs is found, what agrees crosses no network twice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cachecheck import wire
from cachecheck.coordinator.audit import Ledger, State
from cachecheck.digest import key_digest
from cachecheck.model import Key, StoreIdentity
from cachecheck.sums import Buckets, Summer, Sums
from cachecheck.survey import SampledKey, Summary
from simulated import SimulatedNode, check, present

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cachecheck.model import Present, Reading, Report

SOON = 3600.0


class AuditedNode(SimulatedNode):
    """A node whose store can be summed, `per_page` keys at a time, as an agent does it.

    `loses_page` is a page after which its worker forgets what it kept, once; `lists_until` is how
    many of its keys it can list.
    """

    def __init__(
        self,
        name: str,
        values: Mapping[str, str | Reading],
        *,
        per_page: int = 100,
        loses_page: int | None = None,
        answers_pages: int = 10_000,
        lists_until: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, values, **options)
        self.per_page = per_page
        self.loses_page = loses_page
        self.answers_pages = answers_pages
        self.lists_until = lists_until
        self.asked: list[wire.AnyRequest] = []
        self.answer_bytes = 0
        self._held: Summer | None = None
        self._pages: dict[int, wire.Surveyed] = {}
        self._is_gathered = False

    async def answer(self, request: wire.AnyRequest) -> wire.Message:
        self.asked.append(request)
        found = await self._answer(request)
        self.answer_bytes += len(wire.encode(found))
        return found

    async def _answer(self, request: wire.AnyRequest) -> wire.Message:
        now = time.time()
        said: dict[str, Any] = {"worker": self._worker, "received_at": now, "sent_at": now}
        match request:
            case wire.Survey(summing=summing) if summing is not None:
                return self._summed(request, said)
            case wire.Gather():
                held, pages = self._held, tuple(sorted(self._pages))
                self._is_gathered = True
                return wire.Gathered(
                    **said, sums=None if held is None else held.sums(), pages=pages
                )
            case wire.Collect():
                return self._collected(request, said)
            case _:
                return await super().answer(request)

    def _summed(self, request: wire.Survey, said: dict[str, Any]) -> wire.Message:
        if self._is_gathered:
            self._held, self._pages, self._is_gathered = None, {}, False
        if request.page in self._pages:
            return self._pages[request.page]
        self.answers_pages -= 1
        if self.answers_pages < 0:
            return wire.Refused(
                reason="not-allowed",
                detail="the store broke",
                clock=time.time(),
                worker=self._worker,
            )
        names, cursor = self._page(request.cursor)
        summer = self._held or Summer(bytes.fromhex(request.seed), request.summing)
        before = summer.entries
        self._add(summer, names)
        counts = Summary(scanned=len(names), entries=summer.entries - before)
        if request.page is None or (request.page == 1 and cursor is None):
            return wire.Surveyed(**said, summary=counts, cursor=cursor, sums=summer.sums())
        self._held = summer
        page = wire.Surveyed(**said, summary=counts, cursor=cursor)
        self._pages[request.page] = page
        if request.page == self.loses_page:
            self._held, self._pages, self.loses_page = None, {}, None
        return page

    def _collected(self, request: wire.Collect, said: dict[str, Any]) -> wire.Message:
        seed = bytes.fromhex(request.seed)
        wanted = Buckets(seed, request.summing, request.wanted)
        names, cursor = self._page(request.cursor)
        names = [name for name in names if name in sorted(self.values)[: self.lists_until]]
        summer = Summer(seed, request.summing, most_rows=10_000)
        self._add(summer, [name for name in names if name.encode() in wanted])
        return wire.Collected(**said, listed=summer.listed(), scanned=len(names), cursor=cursor)

    def _page(self, cursor: str | None) -> tuple[list[str], str | None]:
        names, start = sorted(self.values), int(cursor or 0)
        end = start + self.per_page
        return names[start:end], str(end) if end < len(names) else None

    def _add(self, summer: Summer, names: list[str]) -> None:
        held = [self._reading_of(name) for name in names]
        summer.add(
            [name.encode() for name in names],
            [reading.digest.encode() for reading in held],
            [-1 if one.expires_at is None else round(one.expires_at * 1000) for one in held],
        )

    def _reading_of(self, name: str) -> Present:
        found = self.values[name]
        return present(found, b"1" * 16, self.expires_at) if isinstance(found, str) else found

    expires_at = time.time() + SOON


class DrawnNode(SimulatedNode):
    """A node of which a sample is drawn, as many keys at a time as it is asked for."""

    scanned = 0

    async def answer(self, request: wire.AnyRequest) -> wire.Message:
        if not isinstance(request, wire.Survey):
            return await super().answer(request)
        start = int(request.cursor or 0)
        names = sorted(self.values)[start : start + (request.most_keys or len(self.values))]
        self.scanned += len(names)
        seed = bytes.fromhex(request.seed)
        sample = sorted(
            SampledKey(digest=key_digest(seed, name), key=Key(name=name)) for name in names
        )
        end = start + len(names)
        return wire.Surveyed(
            worker=self._worker,
            received_at=time.time(),
            sent_at=time.time(),
            summary=Summary(
                scanned=len(names), entries=len(names), sample=tuple(sample[: request.sample])
            ),
            cursor=str(end) if end < len(self.values) else None,
        )


def values(count: int = 1000) -> dict[str, str]:
    return {f"item-{number:05}": f"value {number}" for number in range(count)}


def run(nodes: list[AuditedNode], monkeypatch: pytest.MonkeyPatch, **options: Any) -> Report:
    return check(nodes, monkeypatch, **{"all": True, "settle": 0.0, **options})


def subjects(report: Report, code: str) -> set[str]:
    return {one.subject for one in report.findings if one.code == code}


def test_equal_stores_are_consistent_and_nothing_is_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes = [AuditedNode(name, values()) for name in ("web-1", "web-2", "web-3")]
    report = run(nodes, monkeypatch)
    assert {one.code for one in report.findings} <= {"B003"}
    coverage = report.caches[0].coverage
    assert (coverage.mode, coverage.keys_compared, coverage.keys_known) == ("all", 1000, 1000)
    assert report.caches[0].agreement.agreeing == 1000
    assert report.caches[0].agreement.interval95 is None
    assert not any(isinstance(one, wire.Collect) for node in nodes for one in node.asked)


def test_every_key_that_differs_is_found_in_both_directions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = values(), values()
    del one["item-00100"]
    del other["item-00200"]
    other["item-00300"] = "changed"
    report = run([AuditedNode("web-1", one), AuditedNode("web-2", other)], monkeypatch, keys=())
    everything = subjects(report, "V001") | subjects(report, "V002")
    summary = [found.message for found in report.findings if found.cache == "default"]
    agreement = report.caches[0].agreement
    assert agreement.diverging == 3, summary
    assert agreement.agreeing == 997
    assert report.verdict == "divergent"
    assert everything


def test_buckets_cross_the_network_once_for_many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [AuditedNode(name, values(), per_page=20) for name in ("web-1", "web-2")]
    run(nodes, monkeypatch)
    for node in nodes:
        pages = [one for one in node.asked if isinstance(one, wire.Survey) and one.summing]
        assert len(pages) in range(50, 102)
        assert len([one for one in node.asked if isinstance(one, wire.Gather)]) == 1


def test_a_worker_is_asked_for_its_sums_before_it_keeps_too_many_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cachecheck.coordinator.audit.summing.MOST_HELD_PAGES", 20)
    nodes = [AuditedNode(name, values(), per_page=20) for name in ("web-1", "web-2")]
    report = run(nodes, monkeypatch)
    assert report.caches[0].coverage.keys_compared == 1000
    for node in nodes:
        assert len([one for one in node.asked if isinstance(one, wire.Gather)]) == 3


def test_sums_that_a_worker_lost_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [AuditedNode("web-1", values()), AuditedNode("web-2", values(), loses_page=4)]
    report = run(nodes, monkeypatch)
    coverage = report.caches[0].coverage
    assert (coverage.mode, coverage.keys_compared) == ("all", 1000)
    assert report.caches[0].agreement.diverging == 0


def test_a_store_that_passes_over_much_when_it_lists_leaves_the_run_undecided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its server was replaced in the middle, and the same cursor is another place there."""
    fewer = {name: value for name, value in values().items() if name < "item-00700"}
    nodes = [AuditedNode("web-1", values(), lists_until=700), AuditedNode("web-2", fewer)]
    report = run(nodes, monkeypatch)
    assert any("entries" in line and "web-1: it listed" in line for line in report.undecided)


def test_a_store_that_breaks_while_it_is_summed_leaves_the_run_undecided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes = [
        AuditedNode("web-1", values(), seen=same_store_kind("a")),
        AuditedNode("web-2", values(), answers_pages=3, seen=same_store_kind("b")),
    ]
    report = run(nodes, monkeypatch)
    assert report.verdict == "divergent" or report.undecided
    assert any("the store broke" in line for line in report.undecided)


def same_store_kind(_name: str) -> dict[str, Any]:
    return {}


def test_far_more_than_can_be_listed_is_told_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cachecheck.coordinator.audit.scheme.FEW_ROWS", 100)
    monkeypatch.setattr("cachecheck.coordinator.audit.scheme.MOST_DIFFERENCES", 200)
    one = values()
    other = {key: f"{value}, but other" for key, value in one.items()}
    nodes = [AuditedNode("web-1", one, per_page=1000), AuditedNode("web-2", other, per_page=1000)]
    report = run(nodes, monkeypatch)
    coverage = report.caches[0].coverage
    assert coverage.mode == "sample"
    assert report.caches[0].agreement.rate == 0
    assert report.caches[0].agreement.interval95 is not None
    assert any("far more differs" in note for note in coverage.notes)
    assert report.verdict == "divergent"


def test_reading_every_key_where_that_moves_the_eviction_order_must_be_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nodes() -> list[AuditedNode]:
        lies = {"touches_recency": True}
        return [AuditedNode(name, values(), lies=lies) for name in ("web-1", "web-2")]

    report = run(nodes(), monkeypatch)
    assert any("--allow-touch" in line for line in report.undecided)
    assert report.caches[0].coverage.mode == "sample"
    allowed = run(nodes(), monkeypatch, allow_touch=True)
    assert not any("--allow-touch" in line for line in allowed.undecided)
    assert allowed.caches[0].coverage.mode == "all"


@pytest.mark.parametrize("per_page", [100, 10_000])
def test_a_rate_holds_for_the_whole_run(monkeypatch: pytest.MonkeyPatch, per_page: int) -> None:
    nodes = [AuditedNode(name, values(600), per_page=per_page) for name in ("web-1", "web-2")]
    started = time.monotonic()
    run(nodes, monkeypatch, rate=1000.0)
    taken_seconds = time.monotonic() - started
    asked = [one for node in nodes for one in node.asked if isinstance(one, wire.Survey)]
    assert all(one.most_keys for one in asked if one.summing)
    assert 1200 / taken_seconds < 1500 or per_page > 1000  # the last page is paid after the end


class GarbledNode(AuditedNode):
    """A node whose sums hold nothing together."""

    def _summed(self, request: wire.Survey, said: dict[str, Any]) -> wire.Message:
        page = super()._summed(request, said)
        assert isinstance(page, wire.Surveyed)
        return msgspec.structs.replace(page, sums=Sums(buckets=16, packed=b"x"))


def test_a_rate_holds_while_a_sample_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [DrawnNode(name, values(4000)) for name in ("web-1", "web-2")]
    report = check(nodes, monkeypatch, sample=20, rate=1000.0, deadline=6.0, settle=0.0)
    asked = sum(node.scanned for node in nodes)
    assert 1000 <= asked <= 6000
    assert report.undecided == (), "it looked at as many as it may"
    assert any("only the first" in note for note in report.caches[0].coverage.notes)


def test_sums_that_cannot_be_read_cost_that_store_only(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [AuditedNode(name, values(100)) for name in ("web-1", "web-2")]
    report = run([*nodes, GarbledNode("web-3", values(100))], monkeypatch)
    assert any("web-3: its sums cannot be read" in line for line in report.undecided)


def test_one_store_of_three_that_fails_leaves_no_exact_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes = [AuditedNode(name, values(100)) for name in ("web-1", "web-2")]
    report = run([*nodes, AuditedNode("web-3", {}, answers_pages=0)], monkeypatch)
    assert report.caches[0].coverage.mode == "sample"
    assert report.undecided


def test_stores_that_only_witnesses_call_one_are_audited_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Witnesses are equal in a copy as well."""
    one, other = values(2000), values(2000)
    other["item-00300"] = "changed"
    unknown = {"identity": StoreIdentity(grade="unobserved", reason="INFO is denied")}
    nodes = [
        AuditedNode("web-1", one, seen=unknown, per_page=2000),
        AuditedNode("web-2", other, seen=unknown, per_page=2000),
    ]
    report = run(nodes, monkeypatch)
    assert report.caches[0].coverage.mode == "all"
    assert report.caches[0].agreement.diverging == 1


def test_two_stores_with_one_identity_are_told_apart_when_a_run_is_resumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Containers that are started together have memcached processes of one pid and second."""
    token = StoreIdentity(grade="suggested", token="memcached:1:1000", address="localhost:11211")
    one, other = values(1000), {key: f"{value}!" for key, value in values(1000).items()}

    def nodes() -> list[AuditedNode]:
        seen = {"identity": token, "kind": "memcached"}
        return [AuditedNode("web-1", one, seen=seen), AuditedNode("web-2", other, seen=seen)]

    ledger = Ledger(State(run="0" * 32, seed="0" * 32, started_at=time.time(), question=""))
    for _ in range(2):
        report = run(nodes(), monkeypatch, ledger=ledger)
        assert report.caches[0].agreement.diverging >= 1000
    assert len(ledger.state.summed) == 2
