"""Fixtures that start real servers and the real command; each stops what it started."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from harness import memcached, nodes, redis
from harness.certificates import make_certificates
from harness.process import Finished, Process, finish

# What makes a command print otherwise than to a pipe, or read the user's own configuration.
_NOT_INHERITED = ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "COLUMNS", "DJANGO_SETTINGS_MODULE")

CLI = (sys.executable, "-m", "cachecheck")

Server = TypeVar("Server", bound=Process | redis.RedisCluster)


class RunCli(Protocol):
    """Runs `cachecheck` with these arguments, without input, in a folder of its own."""

    def __call__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout_seconds: float = 60.0,
    ) -> Finished: ...


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[Callable[..., redis.RedisServer]]:
    """Start Redis servers, as `harness.redis.start_redis` without its folder."""
    with ExitStack() as started:
        yield _factory(started, partial(redis.start_redis, tmp_path))


@pytest.fixture
def start_sentinel(tmp_path: Path) -> Iterator[Callable[..., redis.RedisSentinel]]:
    """Start Sentinels, as `harness.redis.start_sentinel` without its folder."""
    with ExitStack() as started:
        yield _factory(started, partial(redis.start_sentinel, tmp_path))


@pytest.fixture
def start_cluster(tmp_path: Path) -> Iterator[Callable[..., redis.RedisCluster]]:
    """Start Redis Clusters, as `harness.redis.start_cluster` without its folder."""
    with ExitStack() as started:
        yield _factory(started, partial(redis.start_cluster, tmp_path))


@pytest.fixture
def start_memcached(tmp_path: Path) -> Iterator[Callable[..., memcached.MemcachedServer]]:
    """Start memcached servers, as `harness.memcached.start_memcached` without its folder."""
    with ExitStack() as started:
        yield _factory(started, partial(memcached.start_memcached, tmp_path))


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[Callable[..., nodes.Node]]:
    """Start Django nodes, as `harness.nodes.start_node` without its folder."""
    with ExitStack() as started:
        yield _factory(started, partial(nodes.start_node, tmp_path))


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    """Files with certificates, as `harness.certificates.make_certificates` without its folder."""
    return make_certificates(tmp_path)


@pytest.fixture
def redis_server(start_redis: Callable[..., redis.RedisServer]) -> redis.RedisServer:
    """One Redis, empty."""
    return start_redis()


@pytest.fixture
def memcached_server(
    start_memcached: Callable[..., memcached.MemcachedServer],
) -> memcached.MemcachedServer:
    """One memcached, empty."""
    return start_memcached()


@pytest.fixture
def cli_env(tmp_path: Path) -> dict[str, str]:
    """The environment of the real command: the nodes' secret, no configuration to be found."""
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in _NOT_INHERITED and not name.startswith("CACHECHECK_")
    }
    return {**inherited, **home, "CACHECHECK_SECRET": nodes.SECRET}


@pytest.fixture
def run_cli(tmp_path: Path, cli_env: Mapping[str, str]) -> RunCli:
    """Run the real command to its end."""

    def run(
        *arguments: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout_seconds: float = 60.0,
    ) -> Finished:
        return finish(
            [*CLI, *arguments],
            env={**cli_env, **(env or {})},
            cwd=cwd or tmp_path,
            timeout_seconds=timeout_seconds,
        )

    return run


@pytest.fixture
def start_cli(tmp_path: Path, cli_env: Mapping[str, str]) -> Iterator[Callable[..., Process]]:
    """Start the real command with these arguments and go on; its output is in its log."""
    with ExitStack() as started:

        def start(*arguments: str) -> Process:
            return Process(
                [*CLI, *arguments], log=tmp_path / "cachecheck.log", env=cli_env, cwd=tmp_path
            )

        yield _factory(started, start)


def _factory(started: ExitStack, start: Callable[..., Server]) -> Callable[..., Server]:
    def start_one(*args: Any, **options: Any) -> Server:
        return started.enter_context(start(*args, **options))

    return start_one
