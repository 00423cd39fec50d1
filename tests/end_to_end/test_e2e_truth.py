"""Entries are held against the site's database: what was changed behind the cache is named.

`web-1` and `web-2` share their stores and their database; only `web-1` names a source of truth. In
`local` each worker has its own entries.
"""

import threading
from typing import Any

import pytest

from harness.nodes import Node
from harness.scenarios import (
    DATABASE,
    DJANGO_REDIS,
    FILES,
    LOCMEM,
    MEMCACHED,
    REDIS,
    Check,
    Launch,
    caches,
)
from harness.site.truth import VALUES

ARTICLES = [f"article:{number}" for number in range(12)]
SHARED = ["default", "packed", "memcached", "database", "files"]
ZLIB = "django_redis.compressors.zlib.ZlibCompressor"
TRUTH = {
    "article:*": "harness.site.truth.article",
    "value:*": "harness.site.truth.value",
    "unknown:*": "harness.site.truth.unknown",
    "broken:*": "harness.site.truth.broken",
    "secret:*": "harness.site.truth.broken",
}


@pytest.fixture(scope="module")
def fleet(launch: Launch) -> tuple[Node, ...]:
    server = launch.redis()
    packed = {"COMPRESSOR": ZLIB}
    settings: dict[str, dict[str, Any]] = {
        "default": {"BACKEND": REDIS, "LOCATION": server.url},
        "packed": {"BACKEND": DJANGO_REDIS, "LOCATION": server.url, "OPTIONS": packed}
        | {"KEY_PREFIX": "packed"},
        "memcached": {"BACKEND": MEMCACHED, "LOCATION": launch.memcached().address},
        "database": {"BACKEND": DATABASE, "LOCATION": "entries"},
        "files": {"BACKEND": FILES, "LOCATION": str(launch.tmp / "files")},
        "local": {"BACKEND": LOCMEM},
    }
    common = {"WITHHOLD": ["secret:*"], "SCOPES": {"local": "worker"}}
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(launch.tmp / "db.sqlite3")}
    nodes = launch.nodes(
        {"cachecheck": {**common, "TRUTH": TRUTH}},
        {"cachecheck": common},
        caches=settings,
        workers=2,
        settings={"DATABASES": {"default": database}},
    )
    assert nodes[0].manage("createcachetable").exit_code == 0
    for key in ARTICLES:
        nodes[0].app("write", key=key, value=f"the title of {key}")
        nodes[0].app("fill", key=key)
    return nodes


def test_entries_that_are_true_are_silent(fleet: tuple[Node, ...], check: Check) -> None:
    checked = check(fleet, *caches("default"))
    assert checked.exit_code == 0
    assert checked.codes == []
    notes = checked.cache()["coverage"]["notes"]
    assert f"12 entries were held against the source of truth on {fleet[0].address}" in notes


def test_row_that_was_updated_behind_the_cache_is_named(
    fleet: tuple[Node, ...], check: Check
) -> None:
    fleet[1].app("write", key="article:3", value="another title")
    checked = check(fleet, *caches("default"))
    fleet[1].app("fill", key="article:3")
    assert checked.exit_code == 1
    assert checked.codes == ["V006"]
    found = checked.only("V006")
    assert (found["severity"], found["subject"]) == ("error", "article:3")
    assert len(found["groups"]) == 1
    assert len(found["groups"][0]["views"]) == 4
    evidence = found["evidence"]
    assert evidence["looked"] >= 2
    assert evidence["persisted_seconds"] >= 0.5
    assert 0 <= evidence["age_by_timeout_seconds"] < 300
    assert "another title" not in str(checked.report)


def test_row_that_was_deleted_is_named(fleet: tuple[Node, ...], check: Check) -> None:
    fleet[0].app("write", key="article:99", value="soon gone")
    fleet[0].app("fill", key="article:99")
    fleet[0].app("write", key="article:99", value=None)
    checked = check(fleet, *caches("default"), "--key", "article:99", "--sample", "0")
    assert checked.codes == ["V006"]
    assert "no such object" in checked.only("V006")["message"]
    fleet[0].app("delete", key="article:99")
    assert check(fleet, *caches("default"), "--key", "article:99").exit_code == 0


def test_write_that_is_on_its_way_is_silent(fleet: tuple[Node, ...], check: Check) -> None:
    fleet[0].app("write", key="article:5", value="a new title")
    late = threading.Timer(1.5, lambda: fleet[0].app("fill", key="article:5"))
    late.start()
    checked = check(fleet, *caches("default"), "--settle", "5")
    late.join()
    assert checked.exit_code == 0
    assert checked.codes == []


def test_worker_with_an_old_entry_of_its_own_is_named(
    fleet: tuple[Node, ...], check: Check
) -> None:
    node = fleet[0]
    old, fresh = node.worker_pids()
    node.app_on_worker(old, "fill", cache="local", key="article:7")
    node.app("write", key="article:7", value="newer")
    node.app_on_worker(fresh, "fill", cache="local", key="article:7")
    checked = check(fleet, *caches("local"), "--select", "V006")
    node.app("fill", key="article:7")
    (found,) = checked.findings
    assert [group["views"] for group in found["groups"]] == [[f"{node.address}:{old}"]]


def test_values_of_every_kind_are_true_in_every_backend(
    fleet: tuple[Node, ...], check: Check
) -> None:
    keys = [*(f"value:{name}" for name in VALUES), "article:1"]
    for alias in SHARED:
        for key in keys:
            fleet[1].app("fill", cache=alias, key=key)
    named = [word for key in keys for word in ("--key", key)]
    checked = check(fleet, *caches(*SHARED), *named, "--sample", "0")
    assert checked.report["undecided"] == []
    assert checked.codes == []
    for alias in SHARED:
        notes = checked.cache(alias)["coverage"]["notes"]
        assert any(note.startswith(f"{len(keys)} entries were held") for note in notes)


def test_what_cannot_be_told_is_undecided(fleet: tuple[Node, ...], check: Check) -> None:
    for key in ("broken:1", "unknown:1", "secret:1"):
        fleet[0].app("set", key=key, value=1)
    unknown = check(fleet, *caches("default"), "--key", "unknown:1", "--sample", "0")
    assert unknown.exit_code == 0
    assert "of 1 keys the source of truth does not know the value" in str(unknown.report)
    broken = check(fleet, *caches("default"), "--key", "broken:1", "--sample", "0")
    assert broken.exit_code == 3
    (line,) = broken.report["undecided"]
    assert "harness.site.truth.broken raised ZeroDivisionError" in line
    secret = check(fleet, *caches("default"), "--key", "secret:1", "--sample", "0")
    assert "ZeroDivisionError" not in str(secret.report)
    assert "harness.site.truth.broken" in fleet[0].log
    fleet[0].app("delete", key="broken:1")
