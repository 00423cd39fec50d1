"""Three nodes with three workers each: one cache in nine processes, on one store or on several.

Every alias of this fleet is a scenario of its own, checked with `--cache`.
"""

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
    outliers,
    views_of,
)

NODES = 3
SHARED = ("one-redis", "one-django-redis", "one-folder", "one-table")
KEYS = {f"product:{number}": {"id": number, "name": "n" * number} for number in range(40)}


@pytest.fixture(scope="module")
def fleet(launch: Launch) -> tuple[Node, ...]:
    redis, own = launch.redis(), [launch.memcached() for _ in range(NODES)]
    for folder in ("shared", *(f"own-{number}" for number in range(NODES))):
        (launch.tmp / folder).mkdir()
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(launch.tmp / "db.sqlite3")}

    def settings(number: int) -> dict[str, Any]:
        each_its_own = {"BACKEND": MEMCACHED, "LOCATION": own[number].address}
        last = number == NODES - 1
        return {
            "default": {"BACKEND": LOCMEM},
            "per-worker": {"BACKEND": LOCMEM, "LOCATION": "per-worker"},
            "one-redis": {"BACKEND": REDIS, "LOCATION": redis.url},
            "one-django-redis": {"BACKEND": DJANGO_REDIS, "LOCATION": redis.url[:-1] + "1"},
            "one-folder": {"BACKEND": FILES, "LOCATION": str(launch.tmp / "shared")},
            "one-table": {"BACKEND": DATABASE, "LOCATION": "entries"},
            "per-host": each_its_own | {"KEY_PREFIX": "declared"},
            "split": each_its_own | {"KEY_PREFIX": "undeclared"},
            "split-prefix": each_its_own | {"KEY_PREFIX": "other" if last else "main"},
            "per-host-prefix": each_its_own | {"KEY_PREFIX": "another" if last else "mine"},
            "split-folders": {"BACKEND": FILES, "LOCATION": str(launch.tmp / f"own-{number}")},
        }

    declared = {"per-worker": "worker", "per-host": "host", "per-host-prefix": "host"}
    nodes = launch.nodes(
        *({"caches": settings(number)} for number in range(NODES)),
        cachecheck={"SCOPES": declared},
        settings={"DATABASES": {"default": database}},
    )
    assert nodes[0].manage("createcachetable").exit_code == 0
    return nodes


def test_one_worker_with_another_value_is_named(fleet: tuple[Node, ...], check: Check) -> None:
    odd = fleet[1].worker_pids()[1]
    for node in fleet:
        for pid in node.worker_pids():
            value = "stale" if pid == odd else "fresh"
            node.app_on_worker(pid, "set", key="user:1", value=value, timeout=None)
    checked = check(fleet, "--cache", "default", "--key", "user:1")
    assert checked.exit_code == 1
    assert checked.codes == ["B001", "V001"]
    assert checked.views_by_store() == [1] * 9
    assert checked.cache()["coverage"]["views_compared"] == 9
    assert checked.cache()["coverage"]["views_expected"] == 9
    found = checked.only("V001")
    assert found["severity"] == "error"
    assert found["subject"] == "user:1"
    assert outliers(found) == {f"{fleet[1].address}:{odd}"}
    assert f"{fleet[1].address}:{odd} differs" in found["message"]
    assert set(checked.only("B001")["groups"][0]["views"]) == views_of(*fleet)


def test_same_value_in_nine_processes_is_no_divergence(
    fleet: tuple[Node, ...], check: Check
) -> None:
    for node in fleet:
        for pid in node.worker_pids():
            node.app_on_worker(pid, "set", cache="per-worker", key="k", value=1, timeout=None)
    checked = check(fleet, "--cache", "per-worker", "--key", "k")
    assert checked.exit_code == 0
    assert checked.codes == []
    assert checked.views_by_store("per-worker") == [1] * 9


def test_nine_views_on_one_store_are_consistent(fleet: tuple[Node, ...], check: Check) -> None:
    for alias in SHARED:
        fleet[0].app("set_many", cache=alias, value=KEYS)
    checked = check(fleet, *caches(*SHARED))
    assert checked.exit_code == 0
    assert checked.beyond_info == []
    assert checked.report["verdict"] == "consistent"
    for alias in SHARED:
        assert checked.views_by_store(alias) == [9]
        assert checked.cache(alias)["stores"][0]["entries"] == len(KEYS)
        assert checked.cache(alias)["coverage"]["keys_compared"] == len(KEYS)
        assert checked.cache(alias)["agreement"]["agreeing"] == len(KEYS)


def test_named_key_that_all_views_share_is_compared(fleet: tuple[Node, ...], check: Check) -> None:
    for alias in SHARED:
        fleet[2].app("set", cache=alias, key="user:1", value="fresh")
    checked = check(fleet, *caches(*SHARED), "--key", "user:1")
    for alias in SHARED:
        fleet[2].app("delete", cache=alias, key="user:1")
    assert checked.exit_code == 0
    assert checked.beyond_info == []
    assert [checked.cache(alias)["agreement"]["agreeing"] for alias in SHARED] == [1] * 4


def test_memcached_of_each_host_is_as_declared(fleet: tuple[Node, ...], check: Check) -> None:
    for number, node in enumerate(fleet):
        node.app("set_many", cache="per-host", value={f"only:{number}": number, "all": number})
    checked = check(fleet, "--cache", "per-host")
    assert checked.exit_code == 0
    assert checked.beyond_info == []
    assert checked.views_by_store("per-host") == [3, 3, 3]


def test_memcached_of_each_host_is_a_split_where_undeclared(
    fleet: tuple[Node, ...], check: Check
) -> None:
    fleet[0].app("set_many", cache="split", value=KEYS)
    checked = check(fleet, "--cache", "split")
    assert checked.exit_code == 1
    assert checked.beyond_info == ["B003"]
    assert len(checked.only("B003")["groups"]) == NODES
    assert checked.views_by_store("split") == [3, 3, 3]


def test_other_prefix_on_one_of_the_memcached_is_one_finding_more(
    fleet: tuple[Node, ...], check: Check
) -> None:
    """Even where the other two were filled alike, down to the numbers of the writes."""
    expected = {"per-host-prefix": ["N001"], "split-prefix": ["B003", "N001"]}
    for alias in expected:
        for node in fleet:
            node.app("set_many", cache=alias, value=KEYS)
    checked = check(fleet, *caches(*expected))
    assert checked.exit_code == 1
    assert checked.beyond_info == ["B003", "N001", "N001"]
    for alias, codes in expected.items():
        assert [code for code in checked.codes_by_cache[alias] if code in codes] == codes
    for found in checked.findings:
        if found["code"] == "N001":
            assert outliers(found) == views_of(fleet[2])


def test_findings_name_the_cache_that_they_are_about(fleet: tuple[Node, ...], check: Check) -> None:
    fleet[0].app("set", cache="split-folders", key="k", value=1)
    aliases = ("default", "one-redis", "per-worker", "split-folders")
    checked = check(fleet, *caches(*aliases))
    assert checked.exit_code == 1
    assert [cache["alias"] for cache in checked.report["caches"]] == list(aliases)
    about = {finding["cache"] for finding in checked.findings if finding["severity"] != "info"}
    assert about == {"default", "split-folders"}
    assert checked.beyond_info == ["B001", "B003"]
    assert checked.views_by_store("split-folders") == [3, 3, 3]
