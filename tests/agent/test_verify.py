"""Entries held against a source of truth: what is old, and how the site's code is bounded."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches
from django.core.exceptions import ObjectDoesNotExist
from django.test import override_settings

from cachecheck.agent import answers, conf
from cachecheck.agent.caches import backend_of
from cachecheck.agent.truth import UNKNOWN, Allowance
from cachecheck.agent.worker import this_worker
from cachecheck.inert import structural_digest
from cachecheck.model import Fresh, Moving, Stale, Untold
from cachecheck.stores.base import Stored
from cachecheck.wire import Verified, Verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from django.core.cache.backends.base import BaseCache

    from cachecheck.model import TruthCheck

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
SEED = "00" * 16

asked: list[str] = []
answering: list[Callable[[str], Any]] = []


def truth(key: str) -> Any:
    asked.append(key)
    return answering[-1](key)


def gone(key: str) -> Any:
    raise KeyError(key)


def gone_as_in_django(_key: str) -> Any:
    raise ObjectDoesNotExist


def unpicklable(_key: str) -> Any:
    return lambda: None


def broken(_key: str) -> Any:
    raise RuntimeError("password: hunter2")


def leaving(_key: str) -> Any:
    raise SystemExit("password: hunter2")


@contextmanager
def site(**settings: Any) -> Iterator[None]:
    named = {"secret:*": f"{__name__}.truth", "a*": f"{__name__}.truth"}
    settings = {"TRUTH": named, "WITHHOLD": ["secret:*"], **settings}
    with override_settings(
        CACHES={"default": {"BACKEND": LOCMEM, "LOCATION": "verify"}},
        CACHECHECK={"SECRET": "s" * 40, **settings},
    ):
        yield


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    asked.clear()
    answering[:] = [lambda _key: {"a": 1, "b": 2}]
    monkeypatch.setattr(answers, "_allowance", Allowance())


def verify(*keys: str, entries: dict[str, Any] | None = None, **settings: Any) -> Verified:
    with site(**settings):
        caches["default"].clear()
        caches["default"].set_many(entries or {})
        request = Verify(run="r", cache="default", seed=SEED, keys=keys)
        found = answers.answer(request, conf.load(), this_worker(), time.time())
    assert isinstance(found, Verified), found
    return found


def check(key: str = "a", **entries: Any) -> TruthCheck:
    (found,) = verify(key, entries=entries).checks
    return found


# --- what is old ---------------------------------------------------------------------------


def test_equal_value_is_fresh_whatever_its_bytes() -> None:
    assert check(a={"b": 2, "a": 1}) == Fresh(is_present=True)
    assert asked == ["a"]


def test_no_entry_is_not_old() -> None:
    assert check() == Fresh(is_present=False)


def test_another_value_is_stale_after_the_truth_was_asked_again() -> None:
    found = check(a={"a": 1, "b": 3})
    assert isinstance(found, Stale)
    assert found.entry.structure not in {None, found.structure}
    assert asked == ["a", "a"]


@pytest.mark.parametrize("absent", [gone, gone_as_in_django])
def test_entry_of_an_object_that_is_gone_is_stale(absent: Callable[[str], Any]) -> None:
    answering.append(absent)
    found = check(a=1)
    assert isinstance(found, Stale)
    assert (found.structure, found.kind) == (None, None)
    assert check() == Fresh(is_present=False)


def test_truth_that_changes_meanwhile_says_nothing() -> None:
    answering.append(lambda _key: len(asked))
    assert check(a="else") == Moving()


# --- what cannot be told -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason", "detail"),
    [
        (lambda _key: UNKNOWN, "unknown", ""),
        (broken, "failed", f"{__name__}.truth raised RuntimeError"),
        (leaving, "failed", f"{__name__}.truth raised SystemExit"),
        (unpicklable, "failed", "cannot be stored: "),
    ],
)
def test_function_that_does_not_tell_leaves_it_open(
    answer: Callable[[str], Any], reason: str, detail: str, caplog: pytest.LogCaptureFixture
) -> None:
    answering.append(answer)
    found = check(a=1)
    assert isinstance(found, Untold)
    assert found.reason == reason
    assert detail in found.detail
    assert "hunter2" not in found.detail + caplog.text


def test_function_that_cannot_be_imported_leaves_it_open() -> None:
    found = verify("a", entries={"a": 1}, TRUTH={"a": "nowhere.at_all"}).checks
    assert found == (Untold(reason="failed", detail="nowhere.at_all raised ModuleNotFoundError"),)


def test_function_is_not_asked_for_what_is_withheld_or_of_no_pattern() -> None:
    found = verify("secret:1", "b", entries={"secret:1": 1, "b": 1}).checks
    assert [one.reason for one in found if isinstance(one, Untold)] == ["withheld", "unknown"]
    assert asked == []


# --- what is stored --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        LOCMEM,
        "django.core.cache.backends.filebased.FileBasedCache",
        "diskcache.DjangoCache",
    ],
)
def test_true_value_is_read_as_the_cache_stores_it(
    name: str, tmp_path: Path, make_cache: Callable[..., BaseCache]
) -> None:
    pytest.importorskip(name.partition(".")[0])
    cache = make_cache(name, str(tmp_path))
    backend = backend_of("default", cache)
    for value in (7, 1.5, True, None, "text", b"bytes", {"a": {1, 2}}, ("a", ["b"])):
        cache.set("k", value)
        with closing(backend.store()) as store:
            (stored,) = store.read([backend.stored_key("k")], lambda: True)
        assert isinstance(stored, Stored)
        structures = {
            structural_digest(backend.payload(each), seed=b"s").digest
            for each in (stored, backend.encoded(value))
        }
        assert len(structures) == 1, value
    cache.close()


# --- bounds --------------------------------------------------------------------------------


def test_functions_are_called_for_so_many_keys_a_minute() -> None:
    found = verify("a1", "a2", "a3", TRUTHS_PER_MINUTE=2)
    assert (len(found.checks), found.unread, found.is_spent) == (2, 1, True)
    later = verify("a3", TRUTHS_PER_MINUTE=2)
    assert (later.checks, later.is_spent) == ((), True)
    assert asked == ["a1", "a2"]


def test_allowance_comes_back_with_time_and_is_not_saved_up() -> None:
    now = [0.0]
    allowance = Allowance(clock=lambda: now[0])
    assert [allowance.take(2) for _ in range(3)] == [True, True, False]
    now[0] = 30.0
    assert [allowance.take(2) for _ in range(2)] == [True, False]
    now[0] = 3000.0
    assert [allowance.take(2) for _ in range(3)] == [True, True, False]


def test_slow_function_is_waited_for_and_no_other_is_called() -> None:
    answering.append(lambda _key: time.sleep(0.1))
    found = verify("a1", "a2", "a3", BUDGET_MS=1)
    assert (len(found.checks), found.unread, found.is_spent) == (1, 2, False)
    assert asked == ["a1"]
