"""One boundary for what the site's own code raises, and a bound on what is done at once."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.core.cache import caches
from django.test import override_settings
from msgspec import structs

from cachecheck.agent import answers, checks, conf, counters, read, survey
from cachecheck.agent.backends.base import Backend
from cachecheck.agent.backends.locmem import LocMemBackend
from cachecheck.agent.worker import this_worker
from cachecheck.model import Key, Missing, Present
from cachecheck.stores.base import Page
from cachecheck.survey import smallest
from cachecheck.wire import Read, Readings, Refused, Survey, decode_answer, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from django.core.cache.backends.base import BaseCache

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
SEED = "00" * 16


def broken(_key: str, _prefix: str, _version: int) -> str:
    raise AttributeError("no tenant is set: hunter2")


def ask(request: Any, **cache: Any) -> Any:
    site = {"default": {"BACKEND": LOCMEM, "LOCATION": "answers", **cache}}
    with override_settings(CACHES=site, CACHECHECK={"SECRET": "s" * 40}):
        return answers.answer(request, conf.load(), this_worker(), time.time())


def reading(*names: str) -> Read:
    keys = tuple(Key(name=name) for name in names or ("k",))
    return Read(run="r", cache="default", seed=SEED, keys=keys)


@pytest.mark.parametrize(
    "request_", [reading(), Survey(run="r", cache="default", seed=SEED, sample=1)]
)
def test_what_the_sites_code_raises_is_refused_by_its_type_alone(
    request_: Any, caplog: pytest.LogCaptureFixture
) -> None:
    found = ask(request_, KEY_FUNCTION=f"{__name__}.broken")
    assert isinstance(found, Refused)
    assert found.reason == "not-allowed"
    assert "AttributeError" in found.detail
    assert "hunter2" not in found.detail + caplog.text
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_third_reading_at_once_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, leave = threading.Barrier(3), threading.Event()

    def slow(*_args: Any) -> tuple[()]:
        inside.wait(10)
        leave.wait(10)
        return ()

    settings = conf.load()
    monkeypatch.setattr(read, "read", slow)
    args = (reading(), settings, this_worker(), time.time())
    threads = [threading.Thread(target=answers.answer, args=args) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    third = answers.answer(*args)
    leave.set()
    for thread in threads:
        thread.join()
    assert isinstance(third, Refused)
    assert (third.reason, third.retry_after_seconds) == ("busy", answers.BUSY_RETRY_SECONDS)
    monkeypatch.undo()
    assert isinstance(answers.answer(*args), Readings)


def test_a_key_function_that_raises_gives_no_warning_of_foreign_keys(
    make_cache: Callable[..., BaseCache],
) -> None:
    cache = make_cache(LOCMEM, "x", KEY_FUNCTION=f"{__name__}.broken")
    assert not checks._has_foreign(LocMemBackend("default", cache))  # noqa: SLF001


@pytest.mark.parametrize("failing", ["load", "install"])
def test_the_site_starts_whatever_goes_wrong_with_the_counting(
    failing: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise OverflowError("too large")

    monkeypatch.setattr(conf if failing == "load" else counters, failing, fail)
    apps.get_app_config("cachecheck").ready()
    assert "OverflowError" in caplog.text


# --- stores that give less, and samples that are large ---------------------------------------


class FewStore:
    """Ends after ``given`` readings; lists the same pages each time."""

    def __init__(self, given: int = 0, pages: Sequence[tuple[str, ...]] = ()) -> None:
        self._given, self._pages = given, pages

    def read(self, keys: Sequence[str], _pace: Any) -> Iterator[Missing]:
        return (Missing() for _ in keys[: self._given])

    def scan(self, cursor: str | None, _pace: Any) -> Page:
        number = int(cursor or 0)
        more = number + 1 < len(self._pages)
        return Page(keys=self._pages[number], cursor=str(number + 1) if more else None)

    def close(self) -> None: ...


class FewBackend(Backend):
    def __init__(self, cache: BaseCache, store: FewStore) -> None:
        super().__init__("default", cache)
        self._store = store

    def store(self) -> Any:
        return self._store


def test_readings_end_where_the_store_does(make_cache: Callable[..., BaseCache]) -> None:
    backend = FewBackend(make_cache(LOCMEM, "few"), FewStore(given=2))
    found = read.read(backend, reading("a", "b", "c", "d"), conf.load(), lambda: True)
    assert found == (Missing(), Missing())


@pytest.mark.parametrize("size", [0, 1, 7, 300, 5_000])
@pytest.mark.parametrize("below", [None, "8" + "0" * 31])
def test_the_sample_is_the_smallest_of_all_pages_each_once(
    make_cache: Callable[..., BaseCache], size: int, below: str | None
) -> None:
    pages = [tuple(f":1:{page}-{n % 900}" for n in range(1_000)) for page in range(3)]
    pages.append(pages[0])
    backend = FewBackend(make_cache(LOCMEM, "few"), FewStore(pages=pages))
    calls = []

    def pace() -> bool:
        calls.append(1)
        return True

    def summed(size: int, below: str | None) -> Any:
        request = Survey(run="r", cache="default", seed=SEED, sample=size, below=below)
        return survey.survey(backend, request, conf.load(), pace)[0]

    everything = summed(100_000, None)
    assert len(everything.sample) == 2_700
    assert len(calls) >= (4_000 + 2 * 2_700) // 50 - 4  # putting it in order is paced as well
    assert list(everything.sample) == sorted(everything.sample)
    found = summed(size, below)
    kept = [each for each in everything.sample if below is None or each.digest < below]
    assert found.sample == smallest(kept, size)
    assert (found.scanned, found.entries) == (4_000, 4_000)


# --- what a message can hold -----------------------------------------------------------------

ODD = "\x01\ud800" * 60


def text(told: str) -> bytes:
    raw = told.encode("utf-8", "surrogatepass")
    return b"X" + len(raw).to_bytes(4, "little") + raw


NAMED = text(ODD) + text(ODD) + b"\x93"
OF_A_MODEL = text("django.db.models.base") + text("model_unpickle") + b"\x93"


@pytest.mark.parametrize(
    "value",
    [
        NAMED + b".",
        NAMED + b")R.",
        b"]" + NAMED + b")Ra.",
        OF_A_MODEL + text("a" * 250) + text("b" * 250) + b"\x86\x85R.",
        OF_A_MODEL + text(ODD) + text(ODD) + b"\x86\x85R.",
    ],
    ids=["class", "object", "in a list", "model", "odd model"],
)
def test_no_name_in_a_value_makes_an_answer_that_cannot_be_read(value: bytes) -> None:
    """Whoever writes one entry would else keep all that is read with it from being compared."""
    with override_settings(
        CACHES={"default": {"BACKEND": LOCMEM, "LOCATION": "names"}},
        CACHECHECK={"SECRET": "s" * 40, "ALLOW_VALUES": True},
    ):
        cache: Any = caches["default"]
        cache.set("k", 1)
        cache._cache[cache.make_key("k")] = b"\x80\x04" + value  # noqa: SLF001  as another program writes
        asked = structs.replace(reading(), with_structure=True, tree_under=(), with_values=True)
        answer = answers.answer(asked, conf.load(), this_worker(), time.time())
    told = decode_answer(encode(answer))
    assert isinstance(told, Readings)
    assert isinstance(told.readings[0], Present)
    assert told.readings[0].tree
