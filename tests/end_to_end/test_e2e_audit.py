"""`check --all`: every key that differs is found, in both directions, and nothing else is."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from harness.planting import Faults, fill_memcached, fill_redis, pairs
from harness.scenarios import MEMCACHED, REDIS
from harness.writing import writing

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.redis import RedisCluster, RedisSentinel, RedisServer
    from harness.scenarios import Check, Checked, Launch

COUNT = 20_000
ALL = ("--all", "--settle", "0")


def found_by_code(checked: Checked) -> dict[str, set[str]]:
    """Name the keys of all findings that are about keys."""
    found: dict[str, set[str]] = {}
    for one in checked.findings:
        if one["code"][0] in "VT" and one["subject"]:
            found.setdefault(one["code"], set()).add(one["subject"])
    return found


def test_all_faults_between_two_redis_servers_are_found_and_nothing_else(
    launch: Launch, check: Check
) -> None:
    servers, faults = [launch.redis() for _ in range(2)], Faults()
    fill_redis(*servers, pairs(COUNT, faults))
    checked = check([server.url for server in servers], *ALL)
    assert checked.exit_code == 1
    assert found_by_code(checked) == faults.by_code
    assert checked.report["undecided"] == []
    cache = checked.cache()
    assert cache["coverage"]["mode"] == "all"
    assert cache["coverage"]["keys_compared"] == cache["coverage"]["keys_known"] == COUNT
    assert cache["agreement"] | {"interval95": None} == cache["agreement"]
    assert (cache["agreement"]["agreeing"], cache["agreement"]["diverging"]) == (COUNT - 160, 160)


def test_two_redis_servers_that_agree_are_consistent(launch: Launch, check: Check) -> None:
    servers = [launch.redis() for _ in range(2)]
    fill_redis(*servers, pairs(COUNT, None))
    checked = check([server.url for server in servers], *ALL)
    assert (checked.exit_code, checked.codes) == (0, [])
    assert checked.cache()["agreement"]["rate"] == 1


def test_two_memcached_servers_are_audited_directly(launch: Launch, check: Check) -> None:
    servers, faults = [launch.memcached(extra_args=("-m", "256")) for _ in range(2)], Faults()
    fill_memcached(*servers, pairs(COUNT, faults))
    checked = check([server.url for server in servers], *ALL)
    assert found_by_code(checked) == faults.by_code
    assert checked.cache()["coverage"]["mode"] == "all"


def test_other_applications_entries_and_types_are_foreign(launch: Launch, check: Check) -> None:
    servers = [launch.redis() for _ in range(2)]
    fill_redis(*servers, pairs(500, None), form="shop:1:{}")
    with servers[0].client() as client:
        client.set("blog:1:post", "only here")
        client.hset("shop:1:a-hash", "field", "only here, and no cache value")
    checked = check([f"{server.url}?prefix=shop" for server in servers], *ALL)
    assert (checked.exit_code, checked.codes) == (0, [])
    foreign = [store["foreign"] for store in checked.cache()["stores"]]
    assert sorted(foreign) == [0, 2]


def test_stores_with_other_prefixes_are_compared_by_logical_keys(
    launch: Launch, check: Check
) -> None:
    first, second, faults = launch.redis(), launch.redis(), Faults()
    entries = list(pairs(2000, faults))
    fill_redis(first, second, [(one, None) for one, _ in entries], form="old:1:{}")
    fill_redis(first, second, [(None, other) for _, other in entries], form="new:7:{}")
    checked = check([f"{first.url}?prefix=old", f"{second.url}?form=new:7:{{key}}"], *ALL)
    assert found_by_code(checked) == faults.by_code


@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_nodes_with_stores_of_their_own_are_audited_through_their_agents(
    launch: Launch, check: Check, kind: str
) -> None:
    """What crosses the network is at most 3 % of a list of all keys with digest and expiry."""
    faults = Faults()
    if kind == "redis":
        servers = [launch.redis() for _ in range(2)]
        fill_redis(*servers, pairs(COUNT, faults), form="shop:1:{}")
        own = [{"BACKEND": REDIS, "LOCATION": server.url} for server in servers]
    else:
        servers = [launch.memcached(extra_args=("-m", "256")) for _ in range(2)]
        fill_memcached(*servers, pairs(COUNT, faults), form="shop:1:{}")
        own = [{"BACKEND": MEMCACHED, "LOCATION": server.address} for server in servers]
    nodes = launch.nodes(
        *({"caches": {"default": {**one, "KEY_PREFIX": "shop"}}} for one in own),
        workers=2,
        server="gthread",
    )
    checked = check(nodes, *ALL)
    assert found_by_code(checked) == faults.by_code
    assert checked.cache()["coverage"]["keys_compared"] == COUNT


def test_a_replica_of_a_cluster_that_diverges_is_named(
    start_cluster: Callable[..., RedisCluster], check: Check
) -> None:
    cluster = start_cluster(extra_args=("--enable-debug-command", "yes"))
    with cluster.client() as client:
        for number in range(300):
            client.set(f"item:{number}", f"value {number}")
    cluster.wait_for_replicas()
    replica = cluster.replicas[0][0]
    with replica.client() as client:
        client.execute_command("DEBUG", "POPULATE", 30, "stray")
    checked = check([f"shop={cluster.url}"], *ALL)
    assert checked.exit_code == 1, checked
    found = found_by_code(checked)
    assert set(found) == {"V002"}
    assert found["V002"] <= {f"stray:{number}" for number in range(30)}
    for one in checked.findings:  # of the 30, those in the slots that this replica has
        assert replica.address in one["evidence"]["servers"].values()


def test_a_cluster_whose_replicas_follow_is_consistent(
    start_cluster: Callable[..., RedisCluster], check: Check
) -> None:
    cluster = start_cluster()
    with cluster.client() as client:
        for number in range(300):
            client.set(f"item:{number}", f"value {number}")
    cluster.wait_for_replicas()
    checked = check([f"shop={cluster.url}"], *ALL)
    assert (checked.exit_code, checked.codes) == (0, [])
    assert checked.cache()["coverage"]["keys_compared"] == 300


def test_a_failover_during_the_run_ends_it_in_order(
    start_redis: Callable[..., RedisServer],
    start_sentinel: Callable[..., RedisSentinel],
    check: Check,
) -> None:
    primary = start_redis()
    start_redis(replicaof=primary)
    other = start_redis()
    fill_redis(primary, other, pairs(COUNT, None))
    sentinel = start_sentinel("shop", primary)
    ending = threading.Timer(2.5, primary.stop)
    ending.start()
    address = f"redis+sentinel://{sentinel.address}/shop/0"
    checked = check(
        [f"watched={address}", f"other={other.url}"], *ALL, "--rate", "8000", "--deadline", "40"
    )
    ending.join()
    assert not found_by_code(checked), "a failover is no difference between stores"
    if checked.exit_code == 0:
        assert checked.cache()["coverage"]["keys_compared"] == COUNT
    else:
        assert checked.exit_code == 3
        assert checked.report["undecided"], "what could not be seen is said"


def test_writes_to_both_sides_alike_are_no_difference(launch: Launch, check: Check) -> None:
    servers = [launch.redis() for _ in range(2)]
    fill_redis(*servers, pairs(5000, None))
    with writing(servers, per_second=1000):
        for _ in range(3):
            checked = check([server.url for server in servers], "--all", "--settle", "1")
            assert (checked.exit_code, checked.codes) == (0, []), checked


def test_a_writer_that_changes_one_side_only_is_reported(launch: Launch, check: Check) -> None:
    servers = [launch.redis() for _ in range(2)]
    fill_redis(*servers, pairs(5000, None))
    with writing(servers[:1], per_second=1000):
        checked = check([server.url for server in servers], "--all", "--settle", "1")
    assert checked.exit_code == 1
    assert {"V001", "V002"} & set(checked.codes)
