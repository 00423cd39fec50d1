from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import CacheHandler, caches
from django.test import override_settings

from cachecheck.agent import live

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"


class Strange:
    """Allows no weak reference."""

    __slots__ = ()


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(CacheHandler, "create_connection", CacheHandler.create_connection)
    with override_settings(CACHES={"live": {"BACKEND": LOCMEM}}):
        live.install()
        live.install()
        yield


def test_backends_of_other_threads_are_known_while_their_threads_live() -> None:
    ours: Any = caches["live"]
    is_made, may_end = threading.Event(), threading.Event()

    def use() -> None:
        caches["live"].get("key")
        is_made.set()
        may_end.wait(20)

    other = threading.Thread(target=use)
    other.start()
    assert is_made.wait(20)
    known = live.backends("live")
    assert len(known) == 2
    assert any(one is ours for one in known)
    del known
    may_end.set()
    other.join()
    assert live.backends("live") == (ours,)
    assert live.backends("unknown") == ()


def test_no_more_than_so_many_are_known_and_strange_ones_are_let_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "MOST", 1)
    kept: list[Any] = [type("Cache", (), {})() for _ in range(3)]
    for one in (Strange(), *kept):
        live.remember("bounded", one)  # type: ignore[arg-type]
    assert live.backends("bounded") == (kept[0],)
