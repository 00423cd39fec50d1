"""Hits and misses by what keys begin with."""

from __future__ import annotations

import random
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import CacheHandler
from django.test.utils import override_settings
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.agent import conf, counters
from cachecheck.agent.counting import atomic
from cachecheck.agent.counting.atomic import Count
from cachecheck.agent.counting.key_groups import MOST_NAMED, KeyGroups
from cachecheck.agent.counting.tally import Tally
from counted import FILEBASED, LOCMEM, Counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from cachecheck.model import KeyGroup


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CacheHandler, "create_connection", CacheHandler.create_connection)
    counters.install()


def told(groups: tuple[KeyGroup, ...]) -> dict[str | None, tuple[int, int]]:
    return {group.name: (group.hits, group.misses) for group in groups}


def of(*keys: Any) -> dict[str | None, tuple[int, int]]:
    groups = KeyGroups()
    for key in keys:
        groups.add(key, is_hit=True)
    return told(groups.told(lambda _key: False))


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("user:17:profile", "user"),
        ("views.decorators.cache.cache_page.x", "views"),
        ("pages/about", "pages"),
        ("a.b:c", "a"),
        ("api-v2:list", "api-v2"),
        ("s3:object", "s3"),
        ("config", None),
        ("", None),
        (":x", None),
        ("4711:orders", None),
        ("user-17:profile", None),
        ("user42:profile", None),
        ("anna@example.com:profile", None),
        ("7f3c21d09ab4e655:cart", None),
        ("x" * 40 + ":profile", None),
        ("über:uns", None),
        (17, None),
        (None, None),
    ],
)
def test_a_group_is_what_looks_like_a_word_before_the_first_separator(key: Any, name: Any) -> None:
    assert of(key, key) == {name: (2, 0)}


def test_hits_and_misses_are_counted_by_group_on_a_slow_backend_every_one(tmp_path: Path) -> None:
    counted = Counted(FILEBASED, str(tmp_path))
    cache = counted.cache
    cache.set_many({"user:1": 1, "user:2": 2, "page.home": 3})
    cache.get_many(["user:1", "user:2", "user:3"])
    cache.get("page.home")
    cache.has_key("page.none")
    cache.get("alone")
    found = counted.counted()
    assert found.looks_per_grouped == 1
    assert [group.name for group in found.groups] == ["user", "page", None]
    assert told(found.groups) == {"user": (2, 1), "page": (1, 1), None: (0, 1)}


def test_groups_of_a_locmem_cache_are_a_sample_of_the_looks() -> None:
    counted = Counted(LOCMEM)
    cache = counted.cache
    cache.set("user:1", 1)
    for number in range(64_000):
        cache.get("user:1" if number % 4 else "page:1")
    found = counted.counted()
    assert found.looks_per_grouped == 64
    groups = told(found.groups)
    assert groups.keys() == {"user", "page"}
    assert (found.hits, found.misses) == (48_000, 16_000)
    assert groups["user"][0] == pytest.approx(48_000 / 64, rel=0.3)
    assert groups["page"][1] == pytest.approx(16_000 / 64, rel=0.3)


def test_a_pattern_in_what_is_asked_does_not_fall_in_with_the_sample() -> None:
    tally = Tally(looks_per_grouped=64)
    for number in range(64_000):
        tally.found("hot:1" if number % 64 else "rare:1")
    groups = told(tally.groups.told(lambda _key: False))
    assert groups["hot"][0] > 20 * groups.get("rare", (0, 0))[0]


def test_the_sites_own_random_numbers_stay_what_they_are() -> None:
    cache = Counted(LOCMEM).cache
    random.seed(7)
    expected = random.random()
    random.seed(7)
    for _ in range(1000):
        cache.get("user:1")
    assert random.random() == expected


def test_groups_are_bounded_in_number() -> None:
    groups = KeyGroups()
    for one in "abcdefghijklmnopqrstuvwxyz":
        for other in "abcdefghijklmnopqrstuvwxyz":
            groups.add(f"{one}{other}:1", is_hit=False)
    found = told(groups.told(lambda _key: False))
    assert len(found) == MOST_NAMED + 1
    assert found["aa"] == (0, 1)
    assert found[None] == (0, 26 * 26 - MOST_NAMED)


def test_whatever_a_site_asks_for_makes_no_table_grow() -> None:
    groups = KeyGroups()
    for number in range(3_000):
        groups.add(f"{number}:x", is_hit=True)
        groups.add(f"x{number}" * 200, is_hit=True)
    assert len(groups._known) <= 1000  # noqa: SLF001  that is the bound
    assert told(groups.told(lambda _key: False)) == {None: (6_000, 0)}


@given(st.lists(st.text(max_size=12)))
def test_no_key_is_lost(keys: list[str]) -> None:
    assert sum(hits for hits, _ in of(*keys).values()) == len(keys)


def test_sessions_and_what_is_withheld_make_no_group() -> None:
    assert of("django.contrib.sessions.cache4f3a") == {None: (1, 0)}
    with override_settings(CACHECHECK={"WITHHOLD": ["token:*", "*:secret:*"]}):
        assert of("token:17", "user:secret:1", "page:1") == {None: (2, 0), "page": (1, 0)}
    with override_settings(CACHECHECK={"WITHHOLD": 3}):  # a mistake shuts all in
        assert of("page:1") == {None: (1, 0)}


def test_a_name_that_is_withheld_by_now_is_not_told_any_more() -> None:
    counted = Counted(LOCMEM)
    counted.cache.get("page:1")
    with override_settings(CACHECHECK={"WITHHOLD": ["page*"]}):
        assert told(counted.counted(conf.load().withholds).groups) == {None: (0, 1)}


def test_groups_are_exact_under_threads() -> None:
    groups = KeyGroups()

    def work() -> None:
        for number in range(5_000):
            groups.add(f"g{'abcdefgh'[number % 8]}:{number}", is_hit=True)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(told(groups.told(lambda _key: False)).values()) == {(2_500, 0)}


# --- calls within calls ----------------------------------------------------------------------


def is_done_in_time(work: Callable[[], object]) -> bool:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(10)
    return not thread.is_alive()


def test_settings_that_read_a_cache_do_not_stop_the_call_that_is_counted() -> None:
    groups = KeyGroups()

    class Dynamic(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            groups.add(f"setting{len(name)}:x", is_hit=True)
            return super().get(name, default)

    with override_settings(CACHECHECK=Dynamic(SECRET="s" * 40)):
        assert is_done_in_time(lambda: groups.add("user:1", is_hit=True))


@pytest.mark.parametrize("work", [lambda count: count.add_many(1), lambda count: count.look()])
def test_a_signal_or_a_finalizer_may_count_while_its_thread_does(
    work: Callable[[Count], object],
) -> None:
    count = Count()
    again = iter([True])

    def interrupt(frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line" and frame.f_code.co_filename == atomic.__file__:
            inside = frame.f_lineno > frame.f_code.co_firstlineno + 2
            if inside and next(again, False):
                count.add_many(1)
        return interrupt

    def interrupted() -> None:
        sys.settrace(interrupt)
        try:
            work(count)
        finally:
            sys.settrace(None)

    assert is_done_in_time(interrupted)
