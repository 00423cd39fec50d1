"""Nodes whose workers relay: asked by one request, heard once, and only while they live."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from cachecheck import wire
from cachecheck.coordinator.ask import WebNode, is_unheard
from cachecheck.coordinator.client import Client
from cachecheck.coordinator.confirm import Look
from cachecheck.coordinator.describe import describe_node
from cachecheck.coordinator.describing import _each_once
from cachecheck.coordinator.entries import Entries
from cachecheck.coordinator.fleet import Target, Transport, parse_node
from cachecheck.coordinator.outcomes import Answered, NoAnswer
from cachecheck.coordinator.probing import Unit
from cachecheck.coordinator.relaying import is_gone
from cachecheck.coordinator.restarts import with_restarts
from cachecheck.coordinator.suspects import Examination, Examined
from cachecheck.coordinator.views import Cohort
from cachecheck.coordinator.voiding import ended_workers, without
from cachecheck.model import Key, Missing, Present, Reading, Worker
from cachecheck.rules.observations import ObservedNode, View
from observed import fleet, node, worker
from simulated import KEYRING, _signed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.model import Role

SEED = "0" * 32
TARGET = Target(node=parse_node("web-1=http://web-1/", Transport()), keyring=KEYRING)


def one(pid: int, role: Role = "web", parent: str = "web-1:1:100") -> Worker:
    return worker("web-1", pid, role=role, parent=parent, listener=None).worker


class Relaying:
    """A node whose workers relay, as it is seen from outside; ``heard_by`` receives requests."""

    def __init__(self, *workers: Worker) -> None:
        self.workers = {each.id: each for each in workers}
        self.hears = workers[0]
        self.slow: set[str] = set()
        self.busy: list[str] = []
        self.most = 100
        self.off: str | None = None
        self.requests: list[wire.AnyRequest] = []

    def answer(self, request: wire.AnyRequest) -> wire.Message:
        self.requests.append(request)
        if request.relay_seconds is None:
            return self._one(self.hears, request)
        if self.off is not None:
            own = self._one(self.hears, request)
            mine = () if isinstance(own, wire.Elsewhere) else (own,)
            return self._relayed(mine, (), self.off)
        meant = [each for each in self.workers.values() if self._is_meant(each, request)]
        answers = [self._one(each, request) for each in meant if each.id not in self.slow]
        late = [
            wire.Unheard(pid=each.pid, role=each.role, reason="no answer in time", worker=each.id)
            for each in meant
            if each.id in self.slow or each in meant[self.most :]
        ]
        return self._relayed(tuple(answers[: self.most]), tuple(late), None)

    def _is_meant(self, each: Worker, request: wire.AnyRequest) -> bool:
        kin = each.role != "web" or each.parent == self.hears.parent
        return kin and (not request.audience or each.id in request.audience)

    def _relayed(
        self, answers: Sequence[Any], late: Sequence[wire.Unheard], off: str | None
    ) -> wire.Relayed:
        return wire.Relayed(
            worker=self.hears,
            received_at=time.time(),
            sent_at=time.time(),
            answers=tuple(answers),
            unheard=tuple(late),
            off=off,
        )

    def _one(self, each: Worker, request: wire.AnyRequest) -> wire.OneAnswer:
        said: dict[str, Any] = {"worker": each, "received_at": time.time(), "sent_at": time.time()}
        if request.audience and each.id not in request.audience:
            return wire.Elsewhere(**said)
        if isinstance(request, wire.Describe) and each.id in request.heard:
            return wire.Elsewhere(**said)
        if each.id in self.busy:
            self.busy.remove(each.id)
            return wire.Refused(
                reason="busy", detail="", clock=time.time(), retry_after_seconds=0.01, worker=each
            )
        if isinstance(request, wire.Describe):
            seen = worker("web-1", each.pid)
            return wire.Described(
                **said,
                node=None,
                application=seen.application,
                release=None,
                versions=seen.versions,
                workers_expected=sum(other.role == "web" for other in self.workers.values()),
                expected_by="siblings",
                caches=seen.caches,
            )
        return wire.Readings(**said, readings=(Missing(),))


def run(here: Relaying, work: Callable[[Client], Any]) -> Any:
    def handle(request: httpx.Request) -> httpx.Response:
        return _signed(request, wire.encode(here.answer(wire.decode_request(request.content))))

    async def running() -> Any:
        async with Client(
            timeout_seconds=5.0,
            concurrency=50,
            deadline=time.monotonic() + 20,
            transport=httpx.MockTransport(handle),
        ) as client:
            return await work(client)

    return asyncio.run(running())


def described(here: Relaying) -> ObservedNode:
    request = wire.Describe(run="run", probe_keys=("probe",))
    seen: ObservedNode = run(here, lambda client: describe_node(client, TARGET, request, 5.0))
    return seen


def read(
    here: Relaying, wanted: dict[str, Sequence[Worker]], seen: ObservedNode | None = None
) -> dict[str, Outcome]:
    seen = described(here) if seen is None else seen
    here.requests.clear()

    def request_for(audience: tuple[str, ...]) -> wire.Read:
        return wire.Read(
            run="run", audience=audience, cache="default", seed=SEED, keys=(Key(name="k"),)
        )

    ids = {group: frozenset(each.id for each in several) for group, several in wanted.items()}
    found: dict[str, Outcome] = run(
        here, lambda client: WebNode(client, TARGET, seen).ask(ids, request_for)
    )
    return found


WEB = (one(1), one(2), one(3))
CELERY = one(9, "celery", "celery:5:1")


# --- hearing ---------------------------------------------------------------------------------


def test_one_request_hears_all_and_those_beside_are_not_expected() -> None:
    here = Relaying(*WEB, CELERY)
    seen = described(here)
    assert [each.worker.role for each in seen.workers] == ["web", "web", "web", "celery"]
    assert (seen.workers_expected, seen.heard_by, seen.expected_by) == (3, "relay", "siblings")
    relayed = [request for request in here.requests if request.relay_seconds is not None]
    assert len(relayed) == 1


def test_a_second_master_behind_the_address_is_heard_as_well() -> None:
    other = (one(11, parent="web-1:2:200"), one(12, parent="web-1:2:200"))
    here = Relaying(*WEB, *other)
    turns = iter(range(10**6))
    answer = here.answer

    def in_turn(request: wire.AnyRequest) -> wire.Message:
        here.hears = other[0] if next(turns) % 2 else WEB[0]
        return answer(request)

    here.answer = in_turn  # type: ignore[method-assign]
    assert {each.worker.pid for each in described(here).workers} == {1, 2, 3, 11, 12}


def test_where_the_relay_is_off_the_reason_is_told() -> None:
    here = Relaying(WEB[0])
    here.off = "switched off by RELAY"
    seen = described(here)
    assert (seen.heard_by, seen.relay_off) == ("bursts", "switched off by RELAY")


def test_processes_that_two_servers_relay_to_are_of_the_first() -> None:
    beside = worker("web-1", 9, role="celery")
    first = node("web-1", [worker("web-1", 1), beside])
    second = node("web-2", [worker("web-2", 2), beside])
    twice = node("again", [worker("web-1", 1), beside])
    seen = [len(each.workers) for each in _each_once((first, second, twice))]
    assert seen == [2, 1, 2]


# --- asking ----------------------------------------------------------------------------------


def test_one_request_reaches_each_worker_that_is_meant() -> None:
    here = Relaying(*WEB, CELERY)
    found = read(here, {"first": WEB[:1], "third": WEB[2:], "celery": [CELERY]})
    assert {group: _worker_of(outcome) for group, outcome in found.items()} == {
        "first": 1,
        "third": 3,
        "celery": 9,
    }
    assert len(here.requests) == 1


def test_where_any_worker_will_do_nothing_is_handed_on() -> None:
    here = Relaying(*WEB)
    found = read(here, {"all": WEB})
    assert _worker_of(found["all"]) == 1
    assert all(request.relay_seconds is None for request in here.requests)


def test_a_worker_that_is_busy_is_asked_again() -> None:
    here = Relaying(*WEB)
    seen = described(here)
    here.busy = [WEB[1].id]
    assert _worker_of(read(here, {"second": WEB[1:2]}, seen)["second"]) == 2
    assert len(here.requests) == 2


def test_what_does_not_fit_into_one_answer_comes_in_the_next() -> None:
    here = Relaying(*WEB)
    seen = described(here)
    here.most = 1
    found = read(here, {str(each.pid): [each] for each in WEB}, seen)
    assert {group: _worker_of(outcome) for group, outcome in found.items()} == {
        "1": 1,
        "2": 2,
        "3": 3,
    }


def test_a_worker_that_ended_is_known_to_have() -> None:
    here = Relaying(*WEB)
    seen = described(here)
    del here.workers[WEB[2].id]
    outcome = read(here, {"third": WEB[2:]}, seen)["third"]
    assert is_unheard(outcome)
    assert is_gone(outcome)
    assert all(request.relay_seconds is not None for request in here.requests)


@pytest.mark.parametrize("fault", ["slow", "off", "another master"])
def test_a_worker_that_may_be_there_is_looked_for_by_bursts(fault: str) -> None:
    here = Relaying(*WEB)
    seen = described(here)
    if fault == "slow":
        here.slow = {WEB[0].id}
    elif fault == "off":
        here.off, here.hears = "switched off by RELAY", WEB[1]
    else:
        here.workers[WEB[1].id] = msgspec.structs.replace(WEB[1], parent="web-1:2:200")
        here.hears = here.workers[WEB[1].id]
    found = read(here, {"first": WEB[:1]}, seen)
    assert not is_gone(found["first"])
    assert any(request.relay_seconds is None for request in here.requests)
    assert _worker_of(found["first"]) == (1 if fault == "slow" else None)


def test_a_celery_worker_that_is_slow_is_not_looked_for_where_it_cannot_be() -> None:
    here = Relaying(*WEB, CELERY)
    seen = described(here)
    here.slow = {CELERY.id}
    outcome = read(here, {"celery": [CELERY]}, seen)["celery"]
    assert isinstance(outcome, NoAnswer)
    assert "no answer in time" in outcome.detail
    assert all(request.relay_seconds is not None for request in here.requests)


def test_of_several_that_will_do_each_is_tried() -> None:
    others = tuple(one(number, "celery", "celery:5:1") for number in range(21, 26))
    here = Relaying(*WEB, *others)
    seen = described(here)
    for ended in others[:-1]:
        del here.workers[ended.id]
    assert _worker_of(read(here, {"celery": others}, seen)["celery"]) == 25


def test_a_node_that_fails_as_a_whole_is_asked_through_the_relay_once() -> None:
    here = Relaying(*WEB)
    seen = described(here)
    asked: list[wire.AnyRequest] = []

    def refusing(request: wire.AnyRequest) -> wire.Message:
        asked.append(request)
        return _refuse(request)

    here.answer = refusing  # type: ignore[method-assign]
    assert is_unheard(read(here, {"first": WEB[:1]}, seen)["first"])
    assert sum(request.relay_seconds is not None for request in asked) == 1


def _refuse(_request: wire.AnyRequest) -> wire.Message:
    return wire.Refused(reason="not-allowed", detail="closed", clock=time.time())


def _worker_of(outcome: Outcome) -> int | None:
    return outcome.answer.worker.pid if isinstance(outcome, Answered) else None


# --- what ended workers said -----------------------------------------------------------------


def seen_by(way: Any, *pids: int) -> ObservedNode:
    return node("web-1", [worker("web-1", pid) for pid in pids], heard_by=way)


def test_a_worker_without_successor_ended_where_the_relay_says_so() -> None:
    assert with_restarts(seen_by("relay", 1, 2), seen_by("relay", 1)).restarted == ("web-1:2",)
    assert with_restarts(seen_by("bursts", 1, 2), seen_by("bursts", 1)).restarted == ()


def test_a_node_that_is_silent_at_the_end_restarted_nothing() -> None:
    silent = ObservedNode(name="web-1", url="", state="unreachable")
    assert with_restarts(seen_by("relay", 1, 2), silent).restarted == ()


def present(digest: str) -> Present:
    return Present(digest=digest * 32, structure=digest * 32, size_bytes=1, expires_at=None)


def entries(*readings: Reading) -> Entries:
    """What was found of one key, of which each worker has another reading, in two looks."""
    units = tuple(
        Unit(
            node="web-1",
            cache="default",
            workers=frozenset({f"id-{number}"}),
            stands_for=(View(node="web-1", worker=f"web-1:{number}", cache="default"),),
            shift_seconds=0.0,
        )
        for number in range(len(readings))
    )
    looks = tuple(Look(at=at, readings=readings) for at in (0.0, 1.0))
    examined = Examined(key=Key(name="k"), judgement="divergent", looks=looks)
    return Entries(
        cohort=Cohort(cache="default", application="shop", kind="locmem", views=()),
        surveys=(),
        keys_known=None,
        named=Examination(units=units, keys=(examined,)),
        sampled=Examination(),
        is_apart=False,
        is_meant_apart=False,
        are_stores_distinct=True,
        tolerance_seconds=2.0,
    )


@pytest.mark.parametrize(
    ("readings", "ended", "judgement"),
    [
        (("a", "a", "b"), {"id-2"}, "healed"),
        (("a", "b", "b"), {"id-2"}, "divergent"),
        (("a", "b"), {"id-1"}, "closed"),
        (("a", "b"), set(), "divergent"),
    ],
)
def test_a_key_is_judged_anew_by_those_that_stayed(
    readings: tuple[str, ...], ended: set[str], judgement: str
) -> None:
    found = without(entries(*map(present, readings)), frozenset(ended), time.time())
    assert found.named.keys[0].judgement == judgement
    assert len(found.named.units) == len(readings) - len(ended)
    assert [view.worker for view in found.lost] == [f"web-1:{name[3:]}" for name in ended]


def test_what_one_of_several_workers_of_a_store_said_stands() -> None:
    found = entries(present("a"), present("b"))
    shared = msgspec.structs.replace(found.named.units[1], workers=frozenset({"id-1", "id-7"}))
    named = msgspec.structs.replace(found.named, units=(found.named.units[0], shared))
    found = msgspec.structs.replace(found, named=named)
    assert without(found, frozenset({"id-1"}), time.time()) == found


def test_workers_that_ended_are_known_by_their_ids() -> None:
    seen = node("web-1", [worker("web-1", 1), worker("web-1", 2)], restarted=("web-1:2",))
    assert ended_workers(fleet(seen)) == {seen.workers[1].worker.id}
