"""`manage.py cachecheck` shows what the process that runs it sees, and changes nothing."""

import json
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

from harness.nodes import SECRET, Node

FILES = "django.core.cache.backends.filebased.FileBasedCache"
LOCAL = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "shop"}
OPEN = {"SECRET": SECRET}


def _shown(*arguments: str, caches: Mapping[str, Any], **cachecheck: Any) -> str:
    out = StringIO()
    with override_settings(CACHES=caches, CACHECHECK=cachecheck):
        call_command("cachecheck", *arguments, stdout=out)
    return out.getvalue()


def _rows(text: str) -> list[tuple[str, str]]:
    pairs = (line.partition("  ") for line in text.splitlines() if line)
    return [(name, value.strip()) for name, _, value in pairs]


def test_process_and_each_cache_are_shown_in_the_words_of_the_tool() -> None:
    shop = {**LOCAL, "KEY_PREFIX": "shop", "VERSION": 7, "TIMEOUT": 60}
    text = _shown(caches={"default": shop}, SCOPES={"default": "worker"}, RELEASE="7.1", **OPEN)
    rows = dict(_rows(text))
    assert rows["role"] == "command"
    assert rows["release"] == "7.1"
    assert rows["endpoint"] == "open"
    assert rows["relay"] == "on"
    assert rows["cache"] == "default"
    assert rows["backend"] == "django.core.cache.backends.locmem.LocMemCache (locmem)"
    assert rows["scope"] == "worker, declared: worker"
    assert rows["store"] == "observed: shop"
    assert (rows["prefix"], rows["version"]) == ("'shop'", "7")
    assert rows["stored key"] == "shop:7:{key}"
    assert rows["timeout"] == "60 s"


def test_every_cache_stands_in_a_block_of_its_own(tmp_path: Path) -> None:
    files = {"BACKEND": FILES, "LOCATION": str(tmp_path), "TIMEOUT": None}
    text = _shown(caches={"default": LOCAL, "pages": files}, **OPEN)
    blocks = [dict(_rows(block)) for block in text.split("\n\n")]
    assert [block.get("cache") for block in blocks] == [None, "default", "pages"]
    assert blocks[2]["store"] == f"observed: {tmp_path}"
    assert blocks[2]["timeout"] == "never expires"


def test_replicas_and_key_builders_are_shown_where_there_are_any() -> None:
    servers = ["redis://127.0.0.1:1/0", "redis://127.0.0.1:2/0"]
    redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": servers}
    named = {"article": "harness.site.keys.article_key", "host": "harness.site.keys.failing_key"}
    rows = _rows(_shown(caches={"default": redis}, KEY_BUILDERS=named, **OPEN))
    assert ("replica", "redis://127.0.0.1:2/0: connection refused") in rows
    assert ("key builder", "article: article:7") in rows
    assert ("key builder", "host: no key: KeyError") in rows


def test_a_relay_that_cannot_work_is_shown_with_the_reason() -> None:
    rows = dict(_rows(_shown(caches={"default": LOCAL}, RELAY=False, **OPEN)))
    assert rows["relay"] == "off: switched off by RELAY"


def test_what_cannot_be_done_with_a_cache_is_said_with_the_reason() -> None:
    own = {"BACKEND": "django.core.cache.backends.base.BaseCache"}
    rows = _rows(_shown(caches={"default": LOCAL, "own": own}, **OPEN))
    assert ("scope", "network, declared: undeclared") in rows
    assert any(name == "cannot" and value for name, value in rows)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "shut: no secret: set CACHECHECK_SECRET or CACHECHECK['SECRET']"),
        ({"SECRET": SECRET, "ENABLED": False}, "shut: switched off by ENABLED"),
        (
            {"SECRET": SECRET, "MAX_KEYS": 0},
            "shut: CACHECHECK['MAX_KEYS'] must be a positive whole number, at most 100,000",
        ),
    ],
)
def test_shut_endpoint_says_why(
    settings: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CACHECHECK_SECRET", raising=False)
    assert dict(_rows(_shown(caches={"default": LOCAL}, **settings)))["endpoint"] == reason


def test_secret_too_short_is_named_but_not_shown() -> None:
    text = _shown(caches={"default": LOCAL}, SECRET="hunter2-hunter2")
    assert "endpoint      shut: CACHECHECK['SECRET'] cannot be used" in text
    assert "hunter2" not in text


def test_prefix_cannot_control_the_terminal() -> None:
    assert "\x1b" not in _shown(caches={"default": {**LOCAL, "KEY_PREFIX": "a\x1b[31m"}}, **OPEN)


def test_json_has_the_structures_of_the_protocol() -> None:
    seen = json.loads(_shown("--format", "json", caches={"default": LOCAL}, **OPEN))
    assert seen["is_open"] is True
    assert seen["shut_by"] == []
    assert seen["worker"]["role"] == "command"
    assert seen["siblings"] >= 1
    assert seen["caches"][0]["alias"] == "default"
    assert seen["caches"][0]["namespace"]["form"] == ":1:{key}"


def test_command_on_a_node_sees_its_own_settings_and_leaves_entries_alone(
    start_node: Callable[..., Node], tmp_path: Path
) -> None:
    files = {"BACKEND": FILES, "LOCATION": str(tmp_path / "cache"), "KEY_PREFIX": "shop"}
    node = start_node(name="web-1", caches={"default": files}, cachecheck={"NODE": "web-1"})
    node.app("set", key="k", value=1)
    before = [(file.name, file.stat().st_atime_ns) for file in (tmp_path / "cache").iterdir()]
    done = node.manage("cachecheck", "--format", "json")
    assert (done.exit_code, done.stderr) == (0, "")
    seen = json.loads(done.stdout)
    assert seen["node"] == "web-1"
    assert seen["worker"]["pid"] not in node.worker_pids()
    assert seen["caches"][0]["namespace"]["prefix"] == "shop"
    after = [(file.name, file.stat().st_atime_ns) for file in (tmp_path / "cache").iterdir()]
    assert after == before
