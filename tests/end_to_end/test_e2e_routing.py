"""Several memcached servers behind one alias, among which not every node divides keys alike.

Every alias of this fleet is a scenario of its own; those that end in `-drift` differ on web-3.
"""

from importlib.util import find_spec
from typing import Any

import pytest

from harness.memcached import MemcachedServer
from harness.nodes import Node
from harness.redis import RedisServer
from harness.scenarios import (
    DISKCACHE,
    DJANGO_REDIS,
    MEMCACHED,
    PYLIBMC,
    Check,
    Launch,
    caches,
    outliers,
    views_of,
)

HAS_PYLIBMC = find_spec("pylibmc") is not None
KEYS = [f"key:{number}" for number in range(40)]


@pytest.fixture(scope="module")
def servers(launch: Launch) -> list[MemcachedServer]:
    return [launch.memcached() for _ in range(3)]


@pytest.fixture(scope="module")
def mortal(launch: Launch) -> MemcachedServer:
    return launch.memcached()


@pytest.fixture(scope="module")
def shards(launch: Launch) -> list[RedisServer]:
    return [launch.redis() for _ in range(2)]


@pytest.fixture(scope="module")
def fleet(
    launch: Launch,
    servers: list[MemcachedServer],
    mortal: MemcachedServer,
    shards: list[RedisServer],
) -> tuple[Node, ...]:
    first, second, third = (server.address for server in servers)
    ordered, other_order = [first, second, third], [third, first, second]
    lists: dict[str, tuple[list[str], list[str]]] = {
        "alike": (ordered, ordered),
        "order": (ordered, other_order),
        "spelling-drift": ([first, second], [first, second.replace("127.0.0.1", "localhost")]),
        "missing-drift": ([first, second, third], [first, third]),
        "dead-drift": ([first, mortal.address], [first, mortal.address]),
    }
    urls = [shard.url for shard in shards]
    lists |= {
        "shards": (urls, urls[::-1]),
        "shards-drift": (urls, [urls[0], urls[1].replace("127.0.0.1", "localhost")]),
    }
    if HAS_PYLIBMC:
        lists |= {
            "pylibmc": (ordered, ordered),
            "pylibmc-ketama": (ordered, other_order),
            "pylibmc-drift": (ordered, other_order),
            "pylibmc-hash-drift": (ordered, ordered),
        }

    def settings(number: int) -> dict[str, Any]:
        return {
            "default": _cache("default", [first]),
            "disk": {"BACKEND": DISKCACHE, "LOCATION": str(launch.tmp / "disk")},
            "disk-drift": {
                "BACKEND": DISKCACHE,
                "LOCATION": str(launch.tmp / "disk-drift"),
                "SHARDS": 4 if number == 2 else 8,
            },
            **{name: _cache(name, both[number == 2]) for name, both in lists.items()},
            **({HASHED: _hashed(ordered, "md5")} if HAS_PYLIBMC and number == 2 else {}),
        }

    each = ({"caches": settings(number)} for number in range(3))
    return launch.nodes(*each, workers=1, server="gthread")


SHARDED = {"CLIENT_CLASS": "django_redis.client.ShardClient"}
OPTIONS: dict[str, dict[str, Any]] = {
    "dead-drift": {"ignore_exc": True, "retry_attempts": 0, "dead_timeout": 600},
    "pylibmc-ketama": {"behaviors": {"ketama": True}},
    "shards": SHARDED,
    "shards-drift": SHARDED,
}
HASHED = "pylibmc-hash-drift"
BACKENDS = {"pylibmc": PYLIBMC, "shards": DJANGO_REDIS}


def _cache(name: str, servers: list[str]) -> dict[str, Any]:
    return {
        "BACKEND": BACKENDS.get(name.partition("-")[0], MEMCACHED),
        "LOCATION": servers,
        "KEY_PREFIX": name,
        "OPTIONS": OPTIONS.get(name, {}),
    }


def _hashed(servers: list[str], name: str) -> dict[str, Any]:
    return _cache(HASHED, servers) | {"OPTIONS": {"behaviors": {"hash": name}}}


def _fill(node: Node, *aliases: str) -> None:
    for alias in aliases:
        node.app("set_many", cache=alias, value=dict.fromkeys(KEYS, "value"), timeout=600)


def test_lists_whose_hashing_ignores_the_order_find_every_key(
    fleet: tuple[Node, ...], check: Check
) -> None:
    _fill(fleet[0], "alike", "order")
    checked = check(fleet, *caches("alike", "order"))
    assert (checked.exit_code, checked.codes) == (0, [])
    assert checked.views_by_store("order") == [3]
    assert checked.cache("order")["agreement"]["agreeing"] == len(KEYS)


def test_server_that_is_spelled_in_another_way_gets_other_keys(
    fleet: tuple[Node, ...], servers: list[MemcachedServer], check: Check
) -> None:
    _fill(fleet[0], "spelling-drift")
    checked = check(fleet, *caches("spelling-drift"))
    assert (checked.exit_code, checked.codes) == (1, ["B004"])
    found = checked.only("B004")
    assert outliers(found) == views_of(fleet[2])
    second = servers[1]
    assert f"{second.address} is spelled localhost:{second.port}" in found["message"]
    moves = found["evidence"]["moved"]["B"]
    assert set(moves) <= {
        f"{one.address} to {other.address}" for one in servers[:2] for other in servers[:2]
    }
    assert sum(moves.values()) > 0


def test_server_that_one_node_lacks_is_named(
    fleet: tuple[Node, ...], servers: list[MemcachedServer], check: Check
) -> None:
    _fill(fleet[0], "missing-drift")
    checked = check(fleet, *caches("missing-drift"))
    assert checked.exit_code == 1
    assert checked.codes == ["B003", "B004"]
    found = checked.only("B004")
    assert outliers(found) == views_of(fleet[2])
    assert f"{servers[1].address} is not listed" in found["message"]
    assert all(move.startswith(servers[1].address) for move in found["evidence"]["moved"]["B"])


def test_server_that_one_node_has_given_up_is_named_also_when_it_is_back(
    launch: Launch, fleet: tuple[Node, ...], mortal: MemcachedServer, check: Check
) -> None:
    _fill(fleet[0], "dead-drift")
    assert check(fleet, *caches("dead-drift")).codes == []
    mortal.stop()
    for key in KEYS:
        fleet[2].app("get", cache="dead-drift", key=key)
    down = check(fleet, *caches("dead-drift"))
    launch.memcached(port=mortal.port)
    back = check(fleet, *caches("dead-drift"))
    for checked in (down, back):
        assert checked.exit_code == 1
        assert checked.codes == ["B004"]
        found = checked.only("B004")
        assert outliers(found) == views_of(fleet[2])
        assert f"{mortal.address} is given up" in found["message"]
        assert set(found["evidence"]["keys_per_server"]["A"]) == {
            mortal.address, *found["evidence"]["keys_per_server"]["B"],
        }  # fmt: skip


def test_shard_that_is_spelled_in_another_way_gets_other_keys(
    fleet: tuple[Node, ...], shards: list[RedisServer], check: Check
) -> None:
    for key in KEYS:
        for alias in ("shards", "shards-drift"):
            fleet[0].app("set", cache=alias, key=key, value="value", timeout=600)
    checked = check(fleet, *caches("shards", "shards-drift"))
    assert checked.exit_code == 1
    assert checked.codes_by_cache == {"shards": [], "shards-drift": ["B004"]}
    assert checked.views_by_store("shards") == [3]
    assert checked.cache("shards")["agreement"]["agreeing"] == len(KEYS)
    found = checked.only("B004")
    assert outliers(found) == views_of(fleet[2])
    spelled = shards[1].url.replace("127.0.0.1", "localhost")
    assert f"{shards[1].url} is spelled {spelled}" in found["message"]


def test_folders_that_one_node_divides_keys_among_otherwise_are_named(
    fleet: tuple[Node, ...], check: Check
) -> None:
    _fill(fleet[0], "disk", "disk-drift")
    checked = check(fleet, *caches("disk", "disk-drift"))
    assert checked.exit_code == 1
    assert checked.codes_by_cache == {"disk": [], "disk-drift": ["B004"]}
    assert checked.views_by_store("disk") == [3]
    assert checked.cache("disk")["agreement"]["agreeing"] == len(KEYS)
    found = checked.only("B004")
    assert outliers(found) == views_of(fleet[2])
    assert "disk-drift/004 is not listed" in found["message"]


@pytest.mark.skipif(not HAS_PYLIBMC, reason="there is no wheel of pylibmc for this Python")
def test_list_in_another_order_sends_keys_of_libmemcached_elsewhere(
    fleet: tuple[Node, ...], servers: list[MemcachedServer], check: Check
) -> None:
    _fill(fleet[0], "pylibmc", "pylibmc-ketama", "pylibmc-drift")
    checked = check(fleet, *caches("pylibmc", "pylibmc-ketama", "pylibmc-drift", HASHED))
    assert checked.exit_code == 1
    assert checked.codes_by_cache == {
        "pylibmc": [],
        "pylibmc-ketama": [],
        "pylibmc-drift": ["B004"],
        HASHED: ["B004"],
    }
    found, hashed = sorted(checked.findings, key=lambda one: one["cache"])
    assert "keys are hashed in another way" in hashed["message"]
    assert outliers(hashed) == views_of(fleet[2])
    assert outliers(found) == views_of(fleet[2])
    assert "the servers stand in another order" in found["message"]
    named = set(found["evidence"]["keys_per_server"]["A"])
    assert named <= {server.address for server in servers}
    assert len(named) > 1
    assert sum(found["evidence"]["moved"]["B"].values()) == found["evidence"]["probe_keys"]
    for alias in ("pylibmc", "pylibmc-ketama"):
        assert checked.views_by_store(alias) == [3]
        assert checked.cache(alias)["agreement"]["agreeing"] == len(KEYS)
