"""What a worker keeps between pages: each page once, for one run, not for long, not too much."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cachecheck import wire
from cachecheck.agent import answers, holding
from cachecheck.agent.demands import Unmet
from cachecheck.agent.holding import KEEP_SECONDS, MOST_HOLDINGS, MOST_PAGES, Holdings
from cachecheck.errors import StoreError
from cachecheck.sums import Summer, Summing, counts
from cachecheck.survey import Summary
from summing import SUMMING, ask, locmem, survey

if TYPE_CHECKING:
    from cachecheck.agent.holding import AddPage, Outcome

FORKED = """
import json, os, time
from django.conf import settings
settings.configure()
from cachecheck.agent import answers
from cachecheck.agent.holding import Holdings
from cachecheck.sums import Summing
from cachecheck.survey import Summary
from cachecheck.wire import Survey
summing = Summing(buckets=16, lane_ms=1000, horizon=0.0)
request = Survey(run="r", cache="c", seed="00" * 16, sample=0, summing=summing)
answers._holdings.add_page(2, request, summing, lambda summer: (Summary(), None))
with answers._holdings._lock:  # as a thread may have it while another one forks
    child = os.fork()
    if child == 0:
        print(json.dumps(answers._holdings.gather("r", "c")), flush=True)
        os._exit(0)
os.waitpid(child, 0)
print(json.dumps(answers._holdings.gather("r", "c").pages))
"""


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def page_of(count: int, cursor: str | None = "next") -> AddPage:
    def add(summer: Summer) -> tuple[Summary, str | None]:
        names = [b"%d" % number for number in range(count)]
        summer.add(names, names, [-1] * count)
        return Summary(scanned=count, entries=count), cursor

    return add


def add(
    held: Holdings,
    number: int,
    count: int = 1,
    *,
    run: str = "r",
    cache: str = "c",
    cursor: str | None = None,
    next_cursor: str | None = "next",
    summing: Summing = SUMMING,
    **fields: str,
) -> Outcome:
    request = survey(cache, run=run, cursor=cursor, **fields)
    return held.add_page(number, request, summing, page_of(count, next_cursor))


def entries(held: Holdings, run: str = "r", cache: str = "c") -> tuple[int, tuple[int, ...]]:
    kept = held.gather(run, cache)
    return (0, ()) if kept is None else (sum(counts(kept.summer.sums())), kept.pages)


def reason(exc: pytest.ExceptionInfo[Unmet]) -> str:
    return exc.value.reason


def test_pages_are_gathered_in_order_and_again_after_a_lost_answer() -> None:
    held = Holdings()
    for number in (7, 2, 4):
        assert add(held, number, 10).sums is None
    assert entries(held) == (30, (2, 4, 7))
    assert entries(held) == (30, (2, 4, 7))


def test_the_page_after_a_gathering_begins_anew() -> None:
    held = Holdings()
    add(held, 1, 10)
    entries(held)
    add(held, 2, 5)
    assert entries(held) == (5, (2,))


def test_what_was_gathered_makes_place_for_another_run() -> None:
    held = Holdings()
    for run in ("one", "two"):
        add(held, 1, 10, run=run)
    entries(held, run="one")
    add(held, 1, 10, run="three")
    assert entries(held, run="three") == (10, (1,))


def test_a_page_that_is_asked_again_is_answered_from_memory() -> None:
    held = Holdings()
    first = add(held, 1, 10)
    assert add(held, 1, 99) == first
    assert entries(held) == (10, (1,))


def test_the_first_page_that_is_the_last_is_given_and_not_kept() -> None:
    held = Holdings()
    outcome = add(held, 1, 10, next_cursor=None)
    assert outcome.sums is not None
    assert sum(counts(outcome.sums)) == 10
    assert entries(held) == (0, ())


def test_a_later_page_that_is_the_last_is_kept() -> None:
    held = Holdings()
    assert add(held, 5, 10, next_cursor=None).sums is None
    assert entries(held) == (10, (5,))


def test_runs_and_caches_do_not_mix() -> None:
    held = Holdings()
    add(held, 1, 10, run="one")
    add(held, 2, 20, run="two")
    assert entries(held, "two") == (20, (2,))
    add(held, 3, 30, run="one", cache="other")
    assert entries(held, "one") == (10, (1,))
    assert entries(held, "one", "other") == (30, (3,))


@pytest.mark.parametrize(
    "other",
    [
        {"seed": "00" * 16},
        {"match": "a*"},
        {"summing": Summing(buckets=32, lane_ms=4, horizon=0.0)},
    ],
)
def test_pages_with_other_parameters_are_refused_and_change_nothing(other: dict[str, str]) -> None:
    held = Holdings()
    add(held, 1, 10)
    with pytest.raises(Unmet) as exc:
        add(held, 2, 10, **other)
    assert reason(exc) == "bad-request"
    assert entries(held) == (10, (1,))


def test_a_page_that_began_elsewhere_is_refused() -> None:
    held = Holdings()
    add(held, 2, 10, cursor="a")
    with pytest.raises(Unmet) as exc:
        add(held, 2, 10, cursor="b")
    assert reason(exc) == "bad-request"
    assert entries(held) == (10, (2,))


def test_a_page_that_fails_half_way_takes_all_sums_with_it() -> None:
    held = Holdings()
    add(held, 1, 10)

    def fail(summer: Summer) -> tuple[Summary, str | None]:
        page_of(5)(summer)
        raise StoreError("gone")

    with pytest.raises(StoreError):
        held.add_page(2, survey("c"), SUMMING, fail)
    assert entries(held) == (0, ())


def test_there_are_so_many_places_and_one_that_is_stale_is_free() -> None:
    clock = Clock()
    held = Holdings(clock)
    for number in range(MOST_HOLDINGS):
        clock.now += 1
        add(held, 1, 10, run=str(number))
    with pytest.raises(Unmet) as exc:
        add(held, 1, run="late")
    assert reason(exc) == "busy"
    clock.now += KEEP_SECONDS - MOST_HOLDINGS + 1  # the first of them is stale now
    add(held, 1, 20, run="late")
    assert entries(held, "0") == (0, ())
    assert entries(held, "1") == (10, (1,))
    assert entries(held, "late") == (20, (1,))


def test_what_nobody_asks_for_any_more_is_dropped() -> None:
    clock = Clock()
    held = Holdings(clock)
    add(held, 1)
    clock.now += KEEP_SECONDS - 1
    add(held, 2)
    clock.now += KEEP_SECONDS
    assert entries(held) == (0, ())


def test_a_thread_drops_it_where_no_probe_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "KEEP_SECONDS", 0.02)
    held = Holdings()
    add(held, 1)
    while held._held or held._is_watched:  # noqa: SLF001  it cannot be asked without dropping it
        time.sleep(0.005)


def test_there_are_so_many_pages() -> None:
    held = Holdings()
    for number in range(1, MOST_PAGES + 1):
        add(held, number, 0)
    with pytest.raises(Unmet) as exc:
        add(held, MOST_PAGES + 1)
    assert reason(exc) == "too-large"
    assert add(held, MOST_PAGES) is not None
    assert len(entries(held)[1]) == MOST_PAGES


def test_nobody_comes_between_while_a_page_is_added() -> None:
    clock = Clock()
    held = Holdings(clock)

    def meddle(summer: Summer) -> tuple[Summary, str | None]:
        clock.now += 10 * KEEP_SECONDS  # a slow page is no stale one
        for between in (lambda: held.gather("r", "c"), lambda: add(held, 2)):
            with pytest.raises(Unmet) as exc:
                between()
            assert reason(exc) == "busy"
        return page_of(10)(summer)

    held.add_page(1, survey("c"), SUMMING, meddle)
    assert entries(held) == (10, (1,))


def test_a_gather_that_comes_too_early_is_told_to_come_back() -> None:
    caches = {"c": locmem("too early")}
    add(answers._holdings, 1)  # noqa: SLF001  its pages are asked for over the wire elsewhere
    (kept,) = answers._holdings._held.values()  # noqa: SLF001
    kept.is_in_use = True
    refused = ask(caches, wire.Gather(run="r", cache="c"))
    assert (refused.reason, refused.retry_after_seconds) == ("busy", answers.BUSY_RETRY_SECONDS)
    kept.is_in_use = False
    assert ask(caches, wire.Gather(run="r", cache="c")).pages == (1,)


def test_a_child_keeps_nothing_of_its_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, check=True
    )
    child, parent = done.stdout.splitlines()
    assert json.loads(child) is None
    assert json.loads(parent) == [2]
