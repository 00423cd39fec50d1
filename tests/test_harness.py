"""The harness does what the other tests rely on."""

import gzip
import json
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from harness.balancer import Balancer
from harness.faulty import (
    FaultyServer,
    close_at_once,
    endless_body,
    garbage,
    hang_before_headers,
    respond,
)
from harness.memcached import MemcachedServer
from harness.nodes import Node
from harness.process import LOOPBACK, HarnessError, Process, free_port, parent_of, wait_until
from harness.redis import RedisSentinel, RedisServer, start_redis

LOCAL = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


def _get(port: int, timeout_seconds: float = 5.0) -> tuple[int, bytes]:
    connection = HTTPConnection(LOOPBACK, port, timeout=timeout_seconds)
    try:
        connection.request("GET", "/app/pid", headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read(1_000_000)
    finally:
        connection.close()


def test_ports_are_given_once() -> None:
    assert len({free_port() for _ in range(50)}) == 50


def test_condition_that_does_not_come_about_is_an_error() -> None:
    with pytest.raises(HarnessError, match="the moon did not come about"):
        wait_until(lambda: False, 0.01, what="the moon")


def test_stopped_process_leaves_none_of_its_children(tmp_path: Path) -> None:
    with Process(["sh", "-c", "sleep 60 & echo $!; wait"], log=tmp_path / "log") as parent:
        wait_until(lambda: "\n" in parent.log)
        child = int(parent.log)
        assert parent_of(child) == parent.pid
    wait_until(lambda: parent_of(child) is None)


def test_redis_answers_and_leaves_no_process(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        assert client.set("k", "v")
    redis_server.stop()
    assert parent_of(redis_server.pid) is None


def test_redis_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="Bad directive"):
        start_redis(tmp_path, extra_args=["--nonsense", "1"])


def test_redis_user_has_the_rights_of_its_line(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis(users=["user site on >password ~shop:* +@read"])
    with server.client(username="site", password="password") as client:
        assert client.get("shop:1") is None


def test_sentinel_knows_the_primary_and_its_replica(
    start_redis: Callable[..., RedisServer], start_sentinel: Callable[..., RedisSentinel]
) -> None:
    primary = start_redis()
    replica = start_redis(replicaof=primary)
    with replica.client() as client:
        assert client.role()[0] == b"slave"
    with start_sentinel("cache", primary).client() as client:
        assert client.sentinel_get_master_addr_by_name("cache") == (
            LOOPBACK.encode(),
            primary.port,
        )


def test_two_memcached_are_apart(start_memcached: Callable[..., MemcachedServer]) -> None:
    first, second = start_memcached(), start_memcached()
    assert first.ask("set k 0 0 1\r\nv") == "STORED\r\n"
    assert first.ask("get k").startswith("VALUE k")
    assert second.ask("get k") == "END\r\n"


@pytest.mark.parametrize("server", ["gunicorn", "gthread", "uvicorn"])
def test_each_worker_of_a_node_can_be_told_what_to_cache(
    start_node: Callable[..., Node], server: str
) -> None:
    node = start_node(name="web-1", caches=LOCAL, server=server)
    pids = node.worker_pids()
    for pid in pids:
        node.app_on_worker(pid, "set", key="k", value=pid, timeout=None)
        node.app_on_worker(pid, "incr", key="k")
    seen = [node.app_on_worker(pid, "get", key="k").result for pid in pids]
    assert len(pids) == 3
    assert seen == [pid + 1 for pid in pids]


def test_node_answers_what_is_not_there_in_its_own_words(start_node: Callable[..., Node]) -> None:
    node = start_node(name="web-1", caches=LOCAL, workers=1)
    connection = HTTPConnection(LOOPBACK, node.port, timeout=5)
    connection.request("GET", "/nothing")
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    assert answer == (404, b"the site's own 404")


def test_node_has_the_clock_and_the_host_that_it_is_given(start_node: Callable[..., Node]) -> None:
    node = start_node(name="web-1", caches=LOCAL, workers=1, faketime="+10m", hostname="web-1")
    code = "import socket, time; print('|', socket.gethostname(), time.time())"
    printed = node.manage("shell", "--no-imports", "-c", code).stdout.split("|")[1].split()
    assert printed[0] == "web-1"
    assert float(printed[1]) - time.time() == pytest.approx(600, abs=10)


def test_node_that_cannot_start_says_why(start_node: Callable[..., Node]) -> None:
    with pytest.raises(HarnessError, match="No module named 'absent'"):
        start_node(name="web-1", caches=LOCAL, settings={"INSTALLED_APPS": ["absent"]})


def test_balancer_hands_connections_to_its_nodes_in_turn() -> None:
    with (
        FaultyServer(respond(200, b"a")) as first,
        FaultyServer(respond(200, b"b")) as second,
        Balancer([first.port, second.port]) as balancer,
    ):
        assert [_get(balancer.port)[1] for _ in range(4)] == [b"a", b"b", b"a", b"b"]


def test_faulty_server_misbehaves_in_turn() -> None:
    compressed = respond(200, json.dumps([1]).encode(), compressed=True)
    with FaultyServer(respond(503, b"later"), compressed, close_at_once, garbage) as server:
        assert _get(server.port) == (503, b"later")
        assert gzip.decompress(_get(server.port)[1]) == b"[1]"
        for _ in range(2):
            with pytest.raises(HTTPException):
                _get(server.port)
        assert server.requests[0].startswith(b"GET /app/pid HTTP/1.1")


def test_faulty_server_hangs_and_floods_until_the_test_ends() -> None:
    with FaultyServer(hang_before_headers, endless_body) as server:
        with pytest.raises(TimeoutError):
            _get(server.port, timeout_seconds=0.1)
        assert len(_get(server.port)[1]) == 1_000_000
