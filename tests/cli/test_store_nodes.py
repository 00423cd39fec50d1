"""Stores read directly, named as nodes: real servers, the real command."""

from __future__ import annotations

import json
import pickle
import time
from typing import TYPE_CHECKING, Any

import pytest
from pymemcache.client.base import Client

from harness.nodes import SECRET
from harness.process import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from conftest import RunCli
    from harness.memcached import MemcachedServer
    from harness.nodes import Node
    from harness.process import Finished
    from harness.redis import RedisCluster, RedisServer

    StartRedis = Callable[..., RedisServer]

QUICKLY = ("--settle", "0.2", "--no-progress")
DJANGO_REDIS = "django.core.cache.backends.redis.RedisCache"


def fill(server: RedisServer, values: Mapping[str, object], *, form: str = ":1:{key}") -> None:
    """Set values as Django does, all to expire at the same moment in every store."""
    at = (int(time.time()) // 1000 + 2) * 1_000_000
    with server.client() as client:
        for key, value in values.items():
            client.set(form.replace("{key}", key), pickle.dumps(value), pxat=at)


def values(count: int = 20) -> dict[str, object]:
    return {f"user:{number}": {"id": number, "name": f"n{number}"} for number in range(count)}


def report(done: Finished) -> dict[str, Any]:
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def found(done: Finished) -> dict[str, list[str]]:
    """Give the subjects of the findings by code."""
    subjects: dict[str, list[str]] = {}
    for finding in report(done)["findings"]:
        subjects.setdefault(finding["code"], []).append(finding["subject"])
    return {code: sorted(some) for code, some in subjects.items()}


def check(run_cli: RunCli, *arguments: str, **options: Any) -> Finished:
    return run_cli("check", *QUICKLY, "--format", "json", *arguments, **options)


def test_stores_that_are_filled_alike_are_consistent(
    start_redis: StartRedis, run_cli: RunCli
) -> None:
    """To the last millisecond of the expiries: nobody asks whether they are one store."""
    one, two = start_redis(), start_redis()
    fill(one, values())
    fill(two, values())
    done = check(run_cli, one.url, two.url, env={"CACHECHECK_SECRET": ""})
    assert done.exit_code == 0, done.stdout
    assert report(done)["caches"][0]["coverage"]["keys_compared"] == 20
    assert len(report(done)["caches"][0]["stores"]) == 2


def test_every_key_that_differs_between_two_stores_is_named(
    start_redis: StartRedis, run_cli: RunCli
) -> None:
    one, two = start_redis(), start_redis()
    fill(one, values() | {"only": 1})
    fill(two, values() | {"user:7": "another"})
    done = check(run_cli, f"one={one.url}", f"two={two.url}")
    assert done.exit_code == 1
    assert found(done) == {"V001": [":1:user:7"], "V002": [":1:only"]}
    groups = report(done)["findings"][0]["groups"]
    assert sorted(view for group in groups for view in group["views"]) == ["one", "two"]


def test_store_takes_the_namespace_of_the_nodes_over(
    start_redis: StartRedis, start_node: Callable[..., Node], run_cli: RunCli
) -> None:
    """And what is of another namespace in it is no difference."""
    own, other = start_redis(), start_redis()
    node = start_node(name="web-1", caches=redis_cache(own, KEY_PREFIX="shop"), workers=2)
    fill(own, values(), form="shop:1:{key}")
    fill(other, values() | {"user:3": "stale"}, form="shop:1:{key}")
    fill(other, {"of another site": 1}, form="blog:1:{key}")
    done = check(run_cli, f"web-1={node.url}", f"copy={other.url}")
    assert done.exit_code == 1, done.stdout
    assert found(done) == {"V001": ["user:3"]}
    (cache,) = report(done)["caches"]
    assert cache["coverage"]["views_compared"] == cache["coverage"]["views_expected"] == 3
    assert (report(done)["nodes"][1]["store"] or {})["form"] == "shop:1:{key}"


def test_a_nodes_own_store_is_one_store_with_it(
    start_redis: StartRedis, start_node: Callable[..., Node], run_cli: RunCli
) -> None:
    own = start_redis()
    node = start_node(name="web-1", caches=redis_cache(own), workers=1)
    fill(own, values())
    done = check(run_cli, f"web-1={node.url}", f"own={own.url}")
    assert done.exit_code == 0, done.stdout
    (store,) = report(done)["caches"][0]["stores"]
    assert [view["node"] for view in store["views"]] == ["web-1", "own"]


def test_stores_of_two_prefixes_are_compared_by_logical_keys(
    start_redis: StartRedis, run_cli: RunCli
) -> None:
    one, two = start_redis(), start_redis()
    fill(one, values(), form="blue:1:{key}")
    fill(two, values() | {"user:1": "new"}, form="green:2:{key}")
    done = check(run_cli, f"{one.url}?prefix=blue", f"{two.url}?prefix=green&version=2")
    assert done.exit_code == 1
    assert found(done) == {"V001": ["user:1"]}


def test_nodes_of_several_namespaces_leave_open_which_a_store_has(
    start_redis: StartRedis, start_node: Callable[..., Node], run_cli: RunCli
) -> None:
    own = start_redis()
    shop = start_node(name="web-1", caches=redis_cache(own, KEY_PREFIX="shop"), workers=1)
    blog = start_node(name="web-2", caches=redis_cache(own, KEY_PREFIX="blog"), workers=1)
    done = check(run_cli, f"web-1={shop.url}", f"web-2={blog.url}", f"own={own.url}")
    assert "N001" in found(done)
    (store,) = [node for node in report(done)["nodes"] if node["name"] == "own"]
    assert "2 namespaces" in store["detail"]
    assert "?prefix=" in store["detail"]
    assert any("own gave no answer" in line for line in report(done)["undecided"])


def test_a_replica_that_was_written_to_is_a_store_of_its_own(
    start_redis: StartRedis, run_cli: RunCli
) -> None:
    primary = start_redis()
    fill(primary, values())
    replica = start_redis(replicaof=primary, extra_args=("--replica-read-only", "no"))
    fill(replica, {"user:5": "written past the primary"})
    done = check(run_cli, f"main={primary.url}")
    assert done.exit_code == 1
    assert found(done) == {"V001": [":1:user:5"]}
    names = [node["name"] for node in report(done)["nodes"]]
    assert names == ["main", f"main/replica {replica.address}"]
    done = check(
        run_cli, f"main={primary.url}?replicas=no", f"again={primary.url}?replicas=no&version=1"
    )
    assert done.exit_code != 1


def test_a_replica_that_cannot_be_reached_leaves_the_run_undecided(
    start_redis: StartRedis, run_cli: RunCli
) -> None:
    primary = start_redis()
    start_redis(replicaof=primary, extra_args=("--replica-announce-port", str(free_port())))
    done = check(run_cli, f"main={primary.url}")
    assert done.exit_code == 3
    assert found(done)["F001"][0].startswith("main/replica ")
    assert "?replicas=no leaves replicas out" in report(done)["nodes"][1]["detail"]


def test_the_primary_that_a_sentinel_names_is_read_with_its_replicas(
    start_redis: StartRedis, start_sentinel: Callable[..., RedisServer], run_cli: RunCli
) -> None:
    primary = start_redis()
    fill(primary, values(5))
    start_redis(replicaof=primary)
    sentinel = start_sentinel("shop", primary)
    done = check(run_cli, f"main=redis+sentinel://{sentinel.address}/shop/0")
    assert done.exit_code == 0, done.stdout
    assert len(report(done)["nodes"]) == 2
    assert report(done)["caches"][0]["coverage"]["keys_compared"] == 5


def test_a_cluster_is_one_store_and_its_replicas_another(
    start_cluster: Callable[..., RedisCluster], start_redis: StartRedis, run_cli: RunCli
) -> None:
    cluster, single = start_cluster(), start_redis()
    with cluster.client() as client:
        for key in values(30):
            client.set(f":1:{key}", b"value")
    with single.client() as client:
        client.mset({f":1:{key}": b"value" for key in values(30)})
        client.set(":1:user:9", b"other")
    done = check(run_cli, f"main={cluster.url}", f"single={single.url}")
    assert done.exit_code == 1, done.stdout
    assert found(done) == {"V001": [":1:user:9"]}
    assert [node["name"] for node in report(done)["nodes"]] == [
        "main",
        "main/replica set 1",
        "single",
    ]


def test_a_list_of_memcached_servers_is_one_store(
    start_memcached: Callable[..., MemcachedServer], run_cli: RunCli
) -> None:
    servers = [start_memcached() for _ in range(3)]
    clients = [Client(server.address) for server in servers]
    at = int(time.time()) + 1000
    for number in range(10):
        stale = "stale" if number == 4 else "fresh"
        clients[number % 2].set(f":1:k{number}", "fresh", expire=at)
        clients[2].set(f":1:k{number}", stale, expire=at)
    for client in clients:
        client.close()
    several = f"memcached://{servers[0].address},{servers[1].address}"
    done = check(
        run_cli, f"list={several}?version=1", f"memcached://{servers[2].address}?version=1"
    )
    assert done.exit_code == 1, done.stdout
    assert found(done) == {"V001": ["k4"]}


def test_a_store_that_nobody_answers_for_leaves_the_run_undecided(
    redis_server: RedisServer, run_cli: RunCli
) -> None:
    gone = f"redis://{LOOPBACK}:{free_port()}/0"
    done = check(run_cli, f"here={redis_server.url}", f"gone={gone}")
    assert done.exit_code == 3
    assert found(done) == {"F001": ["gone"]}
    (node,) = [node for node in report(done)["nodes"] if node["name"] == "gone"]
    assert node["state"] == "unreachable"
    assert node["url"] == gone
    assert node["detail"]


PASSWORD = "the-password-of-the-store"


@pytest.fixture
def guarded(start_redis: StartRedis) -> RedisServer:
    server = start_redis(extra_args=("--requirepass", PASSWORD))
    with server.client(password=PASSWORD) as client:
        client.set(":1:a", b"1")
    return server


def test_a_wrong_password_is_said_and_not_shown(
    guarded: RedisServer, run_cli: RunCli, tmp_path: Path
) -> None:
    (tmp_path / "pw").write_text("not-the-right-one\n")
    done = check(run_cli, f"one={guarded.url}?password_file=pw", "--verbose", cwd=tmp_path)
    assert done.exit_code == 3
    assert report(done)["nodes"][0]["state"] == "rejected"
    assert "not-the-right-one" not in done.stdout + done.stderr


def test_the_password_is_read_from_its_file_or_from_the_environment(
    guarded: RedisServer, start_redis: StartRedis, run_cli: RunCli, tmp_path: Path
) -> None:
    (tmp_path / "pw").write_text(f"{PASSWORD}\n")
    twin = start_redis()
    with twin.client() as client:
        client.set(":1:a", b"1")
    nodes = (f"one={guarded.url}?password_file={tmp_path / 'pw'}", f"two={twin.url}")
    assert check(run_cli, *nodes).exit_code == 0
    by_variable = {"CACHECHECK_STORE_PASSWORD": PASSWORD}
    done = check(run_cli, guarded.url, f"two={guarded.url}?cache=other", env=by_variable)
    assert {node["state"] for node in report(done)["nodes"]} == {"answered"}


def test_a_password_file_that_is_not_there_is_a_usage_error(
    redis_server: RedisServer, run_cli: RunCli, tmp_path: Path
) -> None:
    done = check(run_cli, f"one={redis_server.url}?password_file={tmp_path / 'none'}")
    assert done.exit_code == 2
    assert "cannot read the password of one" in done.stderr


def test_stores_stand_in_the_configuration(
    guarded: RedisServer, start_redis: StartRedis, run_cli: RunCli, tmp_path: Path
) -> None:
    """Files are looked for beside it; a mapping needs no other word than on the command line."""
    twin = start_redis()
    with twin.client() as client:
        client.set("green:7:a", b"1")
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "pw").write_text(PASSWORD)
    (folder / "cachecheck.toml").write_text(
        f"""
        [fleets.stores]
        [[fleets.stores.nodes]]
        name = "blue"
        url = "{guarded.url}"
        username = "default"
        password_file = "pw"
        version = 1
        [[fleets.stores.nodes]]
        url = "{twin.url}"
        name = "green"
        form = "green:7:{{key}}"
        replicas = false
        """
    )
    done = check(
        run_cli, "--config", str(folder / "cachecheck.toml"), env={"CACHECHECK_SECRET": ""}
    )
    assert done.exit_code == 0, done.stdout + done.stderr
    assert [node["name"] for node in report(done)["nodes"]] == ["blue", "green"]
    assert report(done)["caches"][0]["coverage"]["keys_compared"] == 1


def test_stores_of_different_kinds_are_not_compared_and_the_run_says_so(
    redis_server: RedisServer, memcached_server: MemcachedServer, run_cli: RunCli
) -> None:
    fill(redis_server, values(3))
    done = check(run_cli, redis_server.url, f"memcached://{memcached_server.address}")
    assert done.exit_code == 3
    assert any("was not compared with" in line for line in report(done)["undecided"])
    done = check(
        run_cli, f"{redis_server.url}?cache=a", f"memcached://{memcached_server.address}?cache=b"
    )
    assert done.exit_code == 3
    assert any("was compared with nothing" in line for line in report(done)["undecided"])


def test_roster_tells_primary_and_replica_and_how_many_entries(
    start_redis: StartRedis, run_cli: RunCli
) -> None:
    primary = start_redis()
    fill(primary, values(12))
    replica = start_redis(replicaof=primary)
    done = run_cli("nodes", f"main={primary.url}", "--no-progress", env={"CACHECHECK_SECRET": ""})
    assert done.exit_code == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if " redis " in line]
    assert ["primary" in row for row in rows] == [True, False]
    assert ["replica" in row for row in rows] == [False, True]
    assert all("12" in row for row in rows)
    assert f"main/replica {replica.address}" in done.stdout


def test_plan_names_the_stores_and_reads_nothing(start_redis: StartRedis, run_cli: RunCli) -> None:
    one, two = start_redis(), start_redis()
    fill(one, values(3))
    done = run_cli("check", "--plan", f"one={one.url}", f"two={two.url}", "--no-progress")
    assert done.exit_code == 0
    assert "one: read directly" in done.stdout
    assert "survey up to 200000 keys that match '*' through two" in done.stdout


def test_nodes_still_need_their_secret(run_cli: RunCli) -> None:
    done = check(run_cli, "web-1:8000", f"redis://{LOOPBACK}:1", env={"CACHECHECK_SECRET": ""})
    assert done.exit_code == 2
    assert "no secret" in done.stderr


def redis_cache(server: RedisServer, **params: object) -> dict[str, Any]:
    return {"default": {"BACKEND": DJANGO_REDIS, "LOCATION": server.url, **params}}


def test_the_secret_of_the_nodes_is_no_password_of_stores(
    guarded: RedisServer, run_cli: RunCli
) -> None:
    done = check(run_cli, guarded.url, env={"CACHECHECK_SECRET": SECRET})
    assert done.exit_code == 3
    assert report(done)["nodes"][0]["state"] == "rejected"
