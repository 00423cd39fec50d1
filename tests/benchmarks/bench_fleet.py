"""How long a check of 300 nodes takes, against bare httpx sending the very same requests.

    make bench

or this one alone:

    .venv/bin/python -m pytest tests/benchmarks/bench_fleet.py -q -s \
        -o python_files='bench_*.py' -o python_functions='bench_*'

Three gunicorn masters with a worker each (gthread, four threads) listen on a hundred addresses
each and share one Redis of 1,000 keys. First a check is watched: which requests it sends to whom.
Then two processes take turns, start-up included: ``cachecheck check --sample 100 --settle 0``, and
``bare_httpx.py`` with those requests, in the same number, of the same sizes, at the same
concurrency, over fresh connections as well. They are signed before the clock starts, so that the
nodes do all of their work for them, too: what remains is what the coordinator adds.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import secrets
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cachecheck import wire
from cachecheck.coordinator.client import REQUEST_ID_HEADER, Client
from cachecheck.coordinator.fleet import Target, Transport, parse_nodes
from cachecheck.coordinator.options import Options
from cachecheck.coordinator.outcomes import Answered
from cachecheck.coordinator.progress import Silent
from cachecheck.coordinator.run import observe
from cachecheck.signing import Keyring, secret_from_text, sign_request
from harness.nodes import SECRET
from harness.process import finish

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from cachecheck.coordinator.outcomes import Outcome
    from conftest import RunCli
    from harness.nodes import Node
    from harness.redis import RedisServer

_NODES = 300
_SERVERS = 3
_KEYS = 1_000
_CONCURRENCY = 50
_ROUNDS = 5
_BARE = Path(__file__).with_name("bare_httpx.py")


class Sent(NamedTuple):
    """A request that was sent, and how long its answer was."""

    target: Target
    request: wire.AnyRequest
    answer_bytes: int


def bench_fleet_against_bare_httpx(
    start_node: Callable[..., Node],
    redis_server: RedisServer,
    run_cli: RunCli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Print the ratio of medians; the two take turns, so that a busy machine slows both."""
    _fill(redis_server)
    targets = _targets(_addresses(start_node, redis_server))
    sent = _watch(targets, monkeypatch)
    ours, floor = [], []
    for _ in range(_ROUNDS):
        ours.append(_check(run_cli, targets))
        floor.append(_bare(sent, tmp_path / "requests.json"))
    check_seconds, bare_seconds = statistics.median(ours), statistics.median(floor)
    body_bytes = statistics.mean(len(wire.encode(one.request)) for one in sent)
    answer_bytes = statistics.mean(one.answer_bytes for one in sent)
    print(  # noqa: T201  a benchmark's result is what it prints
        f"\n{_NODES} nodes, {len(sent)} requests, {body_bytes:.0f} bytes out and "
        f"{answer_bytes:.0f} bytes back on average: check --sample 100 "
        f"{check_seconds:.2f} s, bare httpx {bare_seconds:.2f} s: "
        f"ratio {check_seconds / bare_seconds:.2f}"
    )


def _fill(server: RedisServer) -> None:
    with server.client() as redis:
        value = pickle.dumps("x" * 200)
        redis.mset({f":1:key:{number}": value for number in range(_KEYS)})


def _addresses(start_node: Callable[..., Node], server: RedisServer) -> list[str]:
    backend = "django.core.cache.backends.redis.RedisCache"
    servers = [
        start_node(
            name=f"server-{number}",
            caches={"default": {"BACKEND": backend, "LOCATION": server.url}},
            workers=1,
            server="gthread",
            addresses=_NODES // _SERVERS,
        )
        for number in range(_SERVERS)
    ]
    return [address for one in servers for address in one.addresses]


def _targets(addresses: list[str]) -> list[Target]:
    keyring = Keyring((secret_from_text(SECRET),))
    nodes = parse_nodes(addresses, Transport())
    return [Target(node=node, keyring=keyring) for node in nodes]


def _watch(targets: list[Target], monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Check once, and write down what is sent to whom."""
    sent: list[Sent] = []
    probe_once = Client.probe_once

    async def watched(client: Client, target: Target, request: wire.AnyRequest) -> Outcome:
        outcome = await probe_once(client, target, request)
        answer_bytes = outcome.answer_bytes if isinstance(outcome, Answered) else 0
        sent.append(Sent(target, request, answer_bytes))
        return outcome

    options = Options(sample=100, settle=0.0, concurrency=_CONCURRENCY)
    with monkeypatch.context() as watching:
        watching.setattr(Client, "probe_once", watched)
        asyncio.run(observe(targets, options, Silent()))
    return sent


def _check(run_cli: RunCli, targets: list[Target]) -> float:
    start = time.perf_counter()
    done = run_cli(
        "check",
        *(target.node.name for target in targets),
        *("--sample", "100", "--settle", "0", "--concurrency", str(_CONCURRENCY)),
    )
    seconds = time.perf_counter() - start
    assert done.exit_code == 0, done.stdout + done.stderr
    return seconds


def _bare(sent: list[Sent], file: Path) -> float:
    """Sign everything afresh, because a node answers a signed request once; then send it."""
    file.write_text(json.dumps([_prepared(one.target, one.request) for one in sent]))
    start = time.perf_counter()
    done = finish([sys.executable, str(_BARE), str(file), str(_CONCURRENCY)], env=os.environ)
    seconds = time.perf_counter() - start
    assert done.exit_code == 0, done.stderr
    return seconds


def _prepared(target: Target, request: wire.AnyRequest) -> tuple[str, dict[str, str], str]:
    """Give address, headers and body of a request as the coordinator sends it."""
    body, name = wire.encode(request), target.node.name
    nonce = secrets.token_hex(16)
    signed = sign_request(
        keyring=target.keyring, node=name, body=body, now=time.time(), nonce=nonce
    )
    plain = {"accept-encoding": "identity", "connection": "close", "user-agent": "cachecheck"}
    request_id = {REQUEST_ID_HEADER: nonce[:16]}
    return target.node.probe_url, plain | signed | request_id, body.decode()
