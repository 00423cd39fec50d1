"""What lies in a store beside a view's own entries: another application's, or its own for good.

Two nodes of two applications look at the same servers. `alone` has its store for itself; the other
aliases are its neighbours' too.
"""

from typing import Any

import pytest
from redis import Redis

from harness.nodes import Node
from harness.redis import RedisServer
from harness.scenarios import DATABASE, LOCMEM, MEMCACHED, REDIS, Check, Launch, caches

ORPHANS = ["redis", "memcached", "database"]
PAGES = {f"page:{number}": "x" * 100 for number in range(60)}
LARGE = {f"page:{number}": "x" * 5000 for number in range(60)}


@pytest.fixture(scope="module")
def server(launch: Launch) -> RedisServer:
    return launch.redis()


@pytest.fixture(scope="module")
def fleet(launch: Launch, server: RedisServer) -> tuple[Node, ...]:
    memcached = launch.memcached().address
    host = f"redis://{server.address}"
    stores: dict[str, dict[str, Any]] = {
        "redis": {"BACKEND": REDIS, "LOCATION": f"{host}/0"},
        "memcached": {"BACKEND": MEMCACHED, "LOCATION": memcached},
        "database": {"BACKEND": DATABASE, "LOCATION": "entries"},
    }

    def settings(prefix: str) -> dict[str, Any]:
        return {
            "default": {"BACKEND": LOCMEM},
            **{name: {**one, "KEY_PREFIX": prefix} for name, one in stores.items()},
            "shared": {"BACKEND": REDIS, "LOCATION": f"{host}/1"},
            "alone": {"BACKEND": REDIS, "LOCATION": f"{host}/2", "KEY_PREFIX": prefix},
        }

    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(launch.tmp / "db.sqlite3")}
    nodes = launch.nodes(
        *(
            {
                "caches": settings(name),
                "cachecheck": {"APPLICATION": name, "WITHHOLD": ["secret*", "card-*"]},
            }
            for name in ("shop", "blog")
        ),
        workers=1,
        settings={"DATABASES": {"default": database}},
    )
    assert nodes[0].manage("createcachetable").exit_code == 0
    shop, blog = nodes
    for name in ORPHANS:
        shop.app("set_many", cache=name, value=PAGES, timeout=3600)
        blog.app("set_many", cache=name, value=LARGE, timeout=7200)
    shop.app("set_many", cache="alone", value=PAGES, timeout=3600)
    return nodes


def test_namespace_of_an_application_outside_the_fleet_is_an_orphan(
    fleet: tuple[Node, ...], check: Check
) -> None:
    checked = check(fleet[:1], *caches("alone", *ORPHANS))
    assert checked.exit_code == 1
    assert checked.codes_by_cache == {"alone": []} | {name: ["N004"] for name in ORPHANS}
    for found in checked.findings:
        assert (found["severity"], found["subject"]) == ("warning", "blog:1:")
        assert "an application that is not in the fleet" in found["message"]
        evidence = found["evidence"]
        assert (evidence["entries"], evidence["share_of_keys"]) == (60, 0.5)
        assert 0.8 < evidence["share_by_size"] < 1
        assert evidence["share_without_expiry"] == 0
        assert 6000 < evidence["newest_expires_in_seconds"] <= 7200
    for name in ORPHANS:
        (store,) = checked.cache(name)["stores"]
        assert [row["head"] for row in store["neighbours"]] == ["blog:1:"]
        assert store["entries"] == store["foreign"] == 60
    assert checked.cache("alone")["stores"][0]["neighbours"] == []


def test_namespaces_that_the_fleet_uses_are_silent(fleet: tuple[Node, ...], check: Check) -> None:
    checked = check(fleet, *caches("alone", *ORPHANS))
    assert checked.exit_code == 0
    assert checked.codes == []


def test_namespace_of_an_alias_that_was_not_asked_for_is_no_orphan(
    fleet: tuple[Node, ...], check: Check
) -> None:
    fleet[0].app("set_many", cache="alone", value=PAGES, version=2, timeout=7200)
    checked = check(fleet[:1], *caches("alone"))
    assert checked.exit_code == 0
    assert [one["severity"] for one in checked.findings] == ["info"]
    assert "another version" in checked.only("N004")["message"]
    fleet[0].app("clear", cache="alone")
    fleet[0].app("set_many", cache="alone", value=PAGES, timeout=3600)


def test_keys_of_other_programs_are_no_namespace_and_secrets_are_not_told(
    fleet: tuple[Node, ...], check: Check, server: RedisServer
) -> None:
    with Redis.from_url(f"redis://{server.address}/2") as client:
        for number in range(40):
            client.set(f"user:{number}:name", "Ada")
            client.set(f"celery-task-meta-{number}", "{}")
            client.hset(f"bull:mail:1:{number}", "state", "done")
            client.set(f"card-4711:1:{number}", "x")
            client.set(f"other:1:secret-{number}", "x" * 50, ex=3600)
        checked = check(fleet[:1], *caches("alone"))
        client.delete(*client.keys("[^s]*"))
    assert checked.codes == ["N004"]
    assert checked.only("N004")["subject"] == "other:1:"
    (store,) = checked.cache("alone")["stores"]
    assert [row["head"] for row in store["neighbours"]] == ["bull:mail:1:", "other:1:"]
    assert store["foreign"] == 200
    assert "secret-" not in str(checked.report)
    assert "4711" not in str(checked.report)


def test_store_that_is_read_directly_is_surveyed_as_well(
    fleet: tuple[Node, ...], check: Check, server: RedisServer
) -> None:
    direct = f"{server.url}?cache=redis"
    checked = check([fleet[0], direct], *caches("redis"))
    assert checked.codes == ["N004"]
    alone = check([f"{server.url}?prefix=shop"])
    assert [(one["code"], one["severity"]) for one in alone.findings] == [("N004", "info")]
    assert check([fleet[0], direct], "--all", *caches("redis")).codes == ["N004"]


def test_two_applications_in_one_namespace_collide(fleet: tuple[Node, ...], check: Check) -> None:
    checked = check(fleet, *caches("shared", "alone"))
    assert checked.exit_code == 1
    assert checked.codes == ["N005"]
    found = checked.only("N005")
    assert (found["cache"], found["subject"]) == ("shared", "blog and shop")
    assert found["evidence"]["stored_keys"] == ":1:{key}"
    assert check(fleet[:1], *caches("shared")).codes == []


def test_entries_that_never_expire_are_told(fleet: tuple[Node, ...], check: Check) -> None:
    fleet[0].app("set_many", cache="shared", value=PAGES, timeout=None)
    fleet[0].app("set_many", cache="shared", value={f"k{n}": n for n in range(60)}, timeout=3600)
    checked = check(fleet[:1], *caches("shared", "alone"))
    assert checked.exit_code == 0
    assert checked.codes == ["T004"]
    found = checked.only("T004")
    assert (found["cache"], found["severity"]) == ("shared", "info")
    assert found["evidence"]["share"] == 0.5
    assert "interval95" not in found["evidence"], "all were seen, so nothing is left to chance"
    assert checked.cache("shared")["stores"][0]["share_lasting"] == 0.5
    assert checked.cache("alone")["stores"][0]["share_lasting"] == 0
