from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING

import pytest
from django.core.cache import close_caches
from django.test import override_settings

from cachecheck.agent import conf, describe

if TYPE_CHECKING:
    from pathlib import Path

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
MEMCACHED = "django.core.cache.backends.memcached.PyMemcacheCache"
OPEN = {"SECRET": "s" * 40}


def test_caches_are_described_one_by_one() -> None:
    with override_settings(CACHES={"default": {"BACKEND": LOCMEM}}, CACHECHECK=OPEN):
        (described,) = describe.describe_caches(conf.load(), ("probe",))
    assert described.identity.grade == "observed"
    assert described.capabilities.can_read


def test_once_time_is_up_the_stores_of_further_caches_are_not_asked() -> None:
    caches = {alias: {"BACKEND": LOCMEM, "KEY_PREFIX": alias} for alias in ("default", "b", "c")}
    ticks = count(100.0, 2.5)
    with override_settings(CACHES=caches, CACHECHECK=OPEN):
        first, second, third = describe.describe_caches(
            conf.load(), ("probe",), clock=lambda: next(ticks)
        )
    assert first.identity.grade == "observed"
    reason = "out of time: earlier caches took 5.0 s"
    assert second.identity.grade == "unobserved"
    assert second.identity.reason == reason
    assert not second.capabilities.can_scan
    assert not second.capabilities.can_read
    assert second.capabilities.reasons == (reason,)
    assert second.namespace.prefix == second.alias  # what needs no store is told all the same
    assert dict(second.settings)["max_entries"] == "300"
    assert third.identity.reason == "out of time: earlier caches took 7.5 s"


def test_caches_whose_servers_do_not_answer_take_seconds_all_together() -> None:
    with ExitStack() as open_sockets:
        listening = [
            open_sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(6)
        ]
        places = ["{}:{}".format(*each.getsockname()) for each in listening]
        caches = {
            alias: {"BACKEND": MEMCACHED, "LOCATION": places} for alias in ("default", "b", "c")
        }
        started_at = time.monotonic()
        with override_settings(CACHES=caches, CACHECHECK=OPEN):
            described = describe.describe_caches(conf.load(), ("probe",))
        assert time.monotonic() - started_at < 5
    assert [each.identity.grade for each in described] == ["unobserved"] * 3
    assert "out of time" in str(described[2].identity.reason)


BACKENDS = {
    LOCMEM: "",
    MEMCACHED: "127.0.0.1:1",
    "django.core.cache.backends.filebased.FileBasedCache": "/nowhere/at/all",
    "django.core.cache.backends.db.DatabaseCache": "no_such_table",
    "django.core.cache.backends.redis.RedisCache": "redis://127.0.0.1:1/0",
    "django_redis.cache.RedisCache": "redis://127.0.0.1:1/0",
    "django_valkey.cache.ValkeyCache": "valkey://127.0.0.1:1/0",
    "django.core.cache.backends.memcached.PyLibMCCache": "127.0.0.1:1",
    "diskcache.DjangoCache": "",
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_default_timeout_is_described_whatever_the_backend(backend: str, tmp_path: Path) -> None:
    if backend.endswith(".PyLibMCCache"):
        pytest.importorskip("pylibmc", reason="there is no wheel of pylibmc for this Python")
    base = {"BACKEND": backend, "LOCATION": BACKENDS[backend] or str(tmp_path)}
    timeouts = {"default": 300, "hour": 3600, "never": None, "at-once": 0}
    caches = {
        alias: base if alias == "default" else {**base, "TIMEOUT": timeout}
        for alias, timeout in timeouts.items()
    }
    with override_settings(CACHES=caches, CACHECHECK=OPEN):
        described = describe.describe_caches(conf.load(), ("probe",))
        close_caches()
    assert {each.alias: each.timeout for each in described} == timeouts
