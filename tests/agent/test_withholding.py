"""Keys that WITHHOLD names never leave the node, by whatever name."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.test import override_settings

from cachecheck.agent import conf, read, survey
from cachecheck.agent.backends.filebased import FileBasedBackend
from cachecheck.agent.backends.locmem import LocMemBackend
from cachecheck.agent.budget import Budget
from cachecheck.model import Failed, Key, Present
from cachecheck.wire import Read, Survey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from django.core.cache.backends.base import BaseCache

    from cachecheck.agent.backends.base import Backend
    from cachecheck.model import Reading
    from cachecheck.survey import Summary

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
SESSION = "django.contrib.sessions.cacheabcdef"


def with_slashes(key: str, prefix: str, version: int) -> str:
    return f"{prefix}/{version}/{key}"


def as_it_is(key: str, _prefix: str, _version: int) -> str:
    return key


def hashed(key: str, prefix: str, version: int) -> str:
    return hashlib.md5(f"{prefix}{version}{key}".encode()).hexdigest()


def always() -> bool:
    return True


def settings_of(**chosen: Any) -> conf.Conf:
    with override_settings(CACHECHECK={"SECRET": "s" * 40, **chosen}):
        return conf.load()


def local(make_cache: Callable[..., BaseCache], key_function: str | None) -> Backend:
    params = {} if key_function is None else {"KEY_FUNCTION": f"{__name__}.{key_function}"}
    return LocMemBackend("default", make_cache(LOCMEM, uuid.uuid4().hex, **params))


def reading(backend: Backend, name: str, naming: Any, **chosen: Any) -> Reading:
    request = Read(run="r", cache="default", seed="00" * 16, keys=(Key(name=name, naming=naming),))
    (found,) = read.read(backend, request, settings_of(**chosen), Budget(10.0))
    return found


def surveyed(backend: Backend, **chosen: Any) -> Summary:
    request = Survey(run="r", cache="default", seed="00" * 16, sample=10)
    return survey.survey(backend, request, settings_of(**chosen), always)[0]


def is_withheld(found: Reading) -> bool:
    return isinstance(found, Failed) and found.reason == "withheld"


@pytest.mark.parametrize("key_function", [None, "with_slashes", "as_it_is"])
def test_a_session_is_withheld_by_its_logical_and_by_its_stored_name(
    make_cache: Callable[..., BaseCache], key_function: str | None
) -> None:
    backend = local(make_cache, key_function)
    backend.cache.set(SESSION, {"user": 1})
    backend.cache.set("page", 1)
    assert is_withheld(reading(backend, SESSION, "logical"))
    assert is_withheld(reading(backend, backend.cache.make_key(SESSION), "stored"))
    assert isinstance(reading(backend, backend.cache.make_key("page"), "stored"), Present)
    summary = surveyed(backend)
    assert (summary.withheld, summary.entries) == (1, 1)
    assert [entry.key.name for entry in summary.sample] == ["page"]


def test_a_session_of_another_version_is_withheld_by_its_stored_name(
    make_cache: Callable[..., BaseCache],
) -> None:
    backend = local(make_cache, "with_slashes")
    assert is_withheld(reading(backend, f"shop/2/{SESSION}", "stored"))


def test_sessions_of_others_are_withheld_where_keys_have_no_prefix(
    make_cache: Callable[..., BaseCache],
) -> None:
    backend = local(make_cache, "as_it_is")
    backend.cache.set(f":1:{SESSION}", {"user": 1})
    assert surveyed(backend).withheld == 1
    assert is_withheld(reading(backend, f":1:{SESSION}", "logical"))


def test_patterns_mean_the_logical_key_where_it_is_asked_for(
    make_cache: Callable[..., BaseCache],
) -> None:
    backend = local(make_cache, None)
    backend.cache.set("shop:user:1", 1)
    assert isinstance(reading(backend, "shop:user:1", "logical", WITHHOLD=["user:*"]), Present)


def test_a_digest_is_listed_and_read_but_its_logical_key_never_leaves(
    make_cache: Callable[..., BaseCache], tmp_path: Path
) -> None:
    files = make_cache("django.core.cache.backends.filebased.FileBasedCache", str(tmp_path))
    for backend in (local(make_cache, "hashed"), FileBasedBackend("default", files)):
        backend.cache.set(SESSION, {"user": 1})
        summary = surveyed(backend)
        (entry,) = summary.sample
        assert SESSION not in repr(summary)
        assert isinstance(reading(backend, entry.key.name, entry.key.naming), Present)
        assert is_withheld(reading(backend, SESSION, "logical"))


# --- values as text ------------------------------------------------------------------------


def shown(backend: Backend, name: str, naming: Any = "logical", **chosen: Any) -> str | None:
    keys = (Key(name=name, naming=naming),)
    request = Read(run="r", cache="default", seed="00" * 16, keys=keys, with_values=True)
    (found,) = read.read(backend, request, settings_of(**chosen), Budget(10.0))
    return found.shown if isinstance(found, Present) else None


@pytest.fixture
def person(make_cache: Callable[..., BaseCache]) -> Backend:
    backend = local(make_cache, None)
    backend.cache.set("person:1", {"name": "Ada", "password": "hunter2"})
    backend.cache.set(SESSION, {"name": "Ada"})
    return backend


def test_values_leave_only_where_the_node_allows_it(person: Backend) -> None:
    assert shown(person, "person:1") is None
    assert shown(person, "person:1", ALLOW_VALUES=False) is None
    told = shown(person, "person:1", ALLOW_VALUES=True)
    assert told == "{'name': 'Ada', 'password': <withheld>}"


def test_values_of_withheld_keys_never_leave(person: Backend) -> None:
    assert shown(person, SESSION, ALLOW_VALUES=True) is None
    stored = person.stored_key("person:1")
    assert shown(person, stored, "stored", ALLOW_VALUES=True) is None


def choosy(key: str, _prefix: str, _version: int) -> str:
    if key == "odd":
        raise ValueError("password: hunter2")
    return key


def test_what_a_key_function_raises_is_told_by_its_type(
    make_cache: Callable[..., BaseCache],
) -> None:
    found = reading(local(make_cache, "choosy"), "odd", "logical")
    assert isinstance(found, Failed)
    assert found.detail == "the backend refuses this key: ValueError"
