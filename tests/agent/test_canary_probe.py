"""Canaries on a node: what they may name, how long it lives, and that a copy does nothing."""

from __future__ import annotations

import lzma
import pickle
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from django.core.cache import CacheHandler, caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings

from cachecheck import wire
from cachecheck.agent import answers, canary, conf, counters
from cachecheck.agent.moves import MOST_MOVES, Moves
from cachecheck.agent.worker import this_worker
from cachecheck.errors import MalformedMessage
from cachecheck.model import CanaryStep
from cachecheck.wire import Canaried, Canary, Elsewhere, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
FILES = "django.core.cache.backends.filebased.FileBasedCache"
DUMMY = "django.core.cache.backends.dummy.DummyCache"
RUN = "ab" * 16
ONE, OTHER = "1" * 32, "2" * 32


class Fussy(LocMemCache):
    """A client that raises what a site's own might."""

    def set(self, *_args: Any, **_options: Any) -> None:
        raise ConnectionRefusedError("redis://:hunter2@cache")

    def incr(self, *_args: Any, **_options: Any) -> int:
        raise UnicodeDecodeError("utf-8", b"hunter2", 0, 1, "a ValueError, and no miss")


@pytest.fixture(name="site")
def _site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    backend = getattr(request, "param", LOCMEM)
    location = str(tmp_path) if backend == FILES else uuid.uuid4().hex
    default = {"BACKEND": backend, "LOCATION": location, "TIMEOUT": None, "KEY_PREFIX": "shop"}
    settings = {"SECRET": "s" * 40, "ALLOW_CANARY": True}
    with override_settings(CACHES={"default": default}, CACHECHECK=settings):
        yield


def move(*steps: CanaryStep, **changed: Any) -> Canary:
    fields = {"run": RUN, "cache": "default", "audience": (this_worker().id,)}
    return Canary(**{**fields, "move": uuid.uuid4().hex, "steps": steps, **changed})


def ask(request: Canary) -> Any:
    return answers.answer(request, conf.load(), this_worker(), time.time())


def made(*steps: CanaryStep) -> list[tuple[Any, ...]]:
    found = ask(move(*steps))
    assert isinstance(found, Canaried)
    return [(one.outcome, one.nonce, one.count, one.error) for one in found.results]


def step(operation: str, name: str = "a", **fields: Any) -> CanaryStep:
    fields = {"nonces": (ONE,), **fields}
    return msgspec.convert({"operation": operation, "name": name, **fields}, CanaryStep)


DONE, NOT_DONE, MISSING = [(word, None, None, None) for word in ("done", "not-done", "missing")]


@pytest.mark.parametrize("site", [LOCMEM, FILES], indirect=True)
def test_steps_say_what_the_client_said(site: None) -> None:  # noqa: ARG001
    assert made(step("get"), step("set"), step("get"), step("get", nonces=(OTHER, ONE))) == [
        MISSING,
        DONE,
        ("found", ONE, None, None),
        ("found", ONE, None, None),
    ]
    assert made(step("get", nonces=(OTHER,))) == [("found", None, None, None)]
    assert made(step("add"), step("add", "b"), step("touch"), step("touch", "c")) == [
        NOT_DONE,
        DONE,
        DONE,
        NOT_DONE,
    ]
    assert made(step("delete"), step("delete"), step("get")) == [DONE, NOT_DONE, MISSING]


@pytest.mark.parametrize("kind", ["text", "unicode", "none", "large"])
def test_every_kind_of_value_is_known_again_and_stays_on_the_node(
    site: None,  # noqa: ARG001
    kind: str,
) -> None:
    assert made(step("set", value=kind)) == [DONE]
    request = move(step("get", value=kind, nonces=(OTHER, ONE)))
    answer = ask(request)
    assert answer.results[0].nonce == (OTHER if kind == "none" else ONE)  # None has no nonce
    assert len(wire.encode(request)) + len(wire.encode(answer)) < 2_000


def test_a_large_value_is_a_text_that_does_not_compress_below_a_mebibyte() -> None:
    made_value = canary.make_value("large", ONE)
    assert isinstance(made_value, str)
    assert len(made_value) == canary.LARGE_BYTES
    assert len(lzma.compress(made_value.encode(), preset=0)) > 1 << 20


def test_only_keys_of_the_run_under_the_reserved_prefix_are_written(site: None) -> None:  # noqa: ARG001
    made(step("set"), step("set", "u", value="unicode"), step("add", "n", value="none"))
    stored = set(caches["default"]._cache)  # noqa: SLF001
    assert len(stored) == 3
    assert all(key.startswith(f"shop:1:cachecheck:canary:{RUN}:") for key in stored)


@pytest.mark.parametrize("site", [LOCMEM, FILES], indirect=True)
def test_no_entry_lives_longer_than_a_minute(site: None) -> None:  # noqa: ARG001
    """Not one that ``BaseCache.incr`` sets anew without a timeout either, nor a touched one."""
    made(
        step("add", value="count"),
        step("incr", times=3),
        step("set", "b", lasts_seconds=1),
        step("touch", "b"),
        step("set", "c"),
    )
    expiries = expiries_of(caches["default"])
    assert len(expiries) == 3
    assert all(0 < expiry - time.time() <= 60 for expiry in expiries)
    assert caches["default"].default_timeout is None


def expiries_of(cache: Any) -> list[float]:
    if isinstance(cache, LocMemCache):
        return list(cache._expire_info.values())  # noqa: SLF001
    files = (Path(name) for name in cache._list_cache_files())  # noqa: SLF001
    return [pickle.loads(file.read_bytes()) for file in files]


@pytest.mark.parametrize("lasts", [0, -1, 61, None])
def test_no_longer_life_can_be_asked_for(lasts: int | None) -> None:
    body = msgspec.json.decode(wire.encode(move(step("set"))))
    body["steps"][0]["lasts_seconds"] = lasts
    with pytest.raises(MalformedMessage, match="lasts_seconds"):
        wire.decode_request(msgspec.json.encode(body))


@pytest.mark.parametrize("name", ["", "a:b", "../a", "A", "é", "x" * 41, "a\n"])
def test_no_other_key_can_be_named(name: str) -> None:
    body = msgspec.json.decode(wire.encode(move(step("set"))))
    body["steps"][0]["name"] = name
    with pytest.raises(MalformedMessage, match="name"):
        wire.decode_request(msgspec.json.encode(body))


def test_increments_are_counted_and_a_missing_key_is_a_miss(site: None) -> None:  # noqa: ARG001
    assert made(step("incr", times=2)) == [("missing", None, 0, None)]
    assert made(step("add", value="count"), step("incr", times=20), step("get")) == [
        DONE,
        ("done", None, 20, None),
        ("found", None, 20, None),
    ]


@pytest.mark.parametrize("site", [f"{__name__}.Fussy"], indirect=True)
def test_what_the_client_raises_is_told_by_its_type_alone(site: None) -> None:  # noqa: ARG001
    answer = ask(move(step("set"), step("incr"), step("get")))
    assert [one.error for one in answer.results] == [
        "ConnectionRefusedError",
        "UnicodeDecodeError",
        None,
    ]
    assert [one.outcome for one in answer.results] == ["failed", "failed", "missing"]
    assert b"hunter2" not in wire.encode(answer)


# --- who may -------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"ALLOW_CANARY": False}])
def test_a_node_refuses_unless_its_settings_allow_it(site: None, settings: dict[str, Any]) -> None:  # noqa: ARG001
    with override_settings(CACHECHECK={"SECRET": "s" * 40, **settings}):
        refused = ask(move(step("set")))
    assert isinstance(refused, Refused)
    assert refused.reason == "not-allowed"
    assert "CACHECHECK['ALLOW_CANARY'] = True" in refused.detail
    assert not caches["default"]._cache  # noqa: SLF001


def test_a_setting_that_is_no_bool_shuts_the_endpoint(site: None) -> None:  # noqa: ARG001
    with override_settings(CACHECHECK={"SECRET": "s" * 40, "ALLOW_CANARY": "yes"}):
        loaded = conf.load()
    assert not loaded.is_open
    assert not loaded.allows_canary


@pytest.mark.parametrize("changed", [{"audience": ()}, {"run": "../else"}, {"run": "ab"}])
def test_a_canary_needs_an_audience_and_a_run(site: None, changed: dict[str, Any]) -> None:  # noqa: ARG001
    refused = ask(move(step("set"), **changed))
    assert isinstance(refused, Refused)
    assert refused.reason == "bad-request"


def test_steps_of_other_workers_are_left_to_them(site: None) -> None:  # noqa: ARG001
    mine, theirs = step("set", worker=this_worker().id), step("set", "b", worker="somebody")
    assert len(ask(move(theirs, mine)).results) == 1
    assert made(step("get"), step("get", "b")) == [("found", ONE, None, None), MISSING]
    assert isinstance(ask(move(mine, audience=("somebody",))), Elsewhere)


# --- copies --------------------------------------------------------------------------------


def test_a_copy_of_a_move_is_answered_and_not_made_again(site: None) -> None:  # noqa: ARG001
    made(step("add", value="count"))
    counted = move(step("incr", times=5))
    assert ask(counted).results == ask(counted).results
    assert made(step("get")) == [("found", None, 5, None)]


def test_a_copy_with_other_steps_is_refused(site: None) -> None:  # noqa: ARG001
    first = move(step("set"))
    ask(first)
    other = ask(msgspec.structs.replace(first, steps=(step("delete"),)))
    assert isinstance(other, Refused)
    assert other.reason == "bad-request"
    assert made(step("get")) == [("found", ONE, None, None)]


def test_a_move_that_only_reads_is_made_each_time(site: None) -> None:  # noqa: ARG001
    reading = move(step("get"))
    assert ask(reading).results[0].outcome == "missing"
    made(step("set"))
    assert ask(reading).results[0].outcome == "found"


def test_a_copy_that_comes_while_the_move_is_made_is_told_to_come_back() -> None:
    moves, inside, leave = Moves(), threading.Event(), threading.Event()

    def slow() -> Any:
        inside.set()
        leave.wait(10)
        return ()

    name, steps = (RUN, "default", ONE), (step("set"),)
    thread = threading.Thread(target=lambda: moves.once(name, steps, slow, keep_seconds=60))
    thread.start()
    inside.wait(10)
    with pytest.raises(answers.Unmet, match="this very move") as unmet:
        moves.once(name, steps, slow, keep_seconds=60)
    assert unmet.value.reason == "busy"
    leave.set()
    thread.join()
    assert moves.once(name, steps, pytest.fail, keep_seconds=60) == ()


def test_no_move_is_made_that_could_not_be_remembered_until_others_are_forgotten() -> None:
    now = [0.0]
    moves = Moves(clock=lambda: now[0])
    for number in range(MOST_MOVES):
        moves.once((RUN, "default", f"{number:032x}"), (), lambda: (), keep_seconds=120)
    with pytest.raises(answers.Unmet, match="remembers"):
        moves.once((RUN, "default", "f" * 32), (), lambda: (), keep_seconds=120)
    now[0] = 121
    assert moves.once((RUN, "default", "f" * 32), (), lambda: (), keep_seconds=120) == ()


# --- what it does to the node ----------------------------------------------------------------


def test_hits_and_misses_of_the_site_do_not_move(
    site: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CacheHandler, "create_connection", CacheHandler.create_connection)
    counters.install()
    caches["default"].get("of:the:site")
    before = counters.snapshot("default", lambda _key: False)
    made(step("get"), step("add", value="count"), step("incr"), step("get"), step("incr", "none"))
    after = counters.snapshot("default", lambda _key: False)
    assert before is not None
    assert after is not None
    assert (before.hits, before.misses) == (after.hits, after.misses)


def test_a_move_ends_where_the_budget_does_and_says_what_is_left(site: None) -> None:  # noqa: ARG001
    steps = tuple(step("get", f"k{number}") for number in range(5))
    results, undone = canary.make_move(
        caches["default"], move(*steps), this_worker().id, conf.load(), lambda: False
    )
    assert (len(results), undone) == (1, 4)
