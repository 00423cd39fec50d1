"""A store that outgrew what is kept of its rows, between being described and being walked."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from cachecheck.coordinator import run as running
from cachecheck.coordinator.fleet import StoreNode
from cachecheck.coordinator.judge import report_of
from cachecheck.coordinator.options import Options
from cachecheck.coordinator.progress import Silent
from cachecheck.stores.direct import parse_store

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from harness.redis import RedisServer

KEYS = 3_000
MOST_KEPT_ROWS = 1_000


def test_a_store_that_outgrew_its_description_is_compared_whole(
    start_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expiries are apart within the tolerance: in sums that go with rows, nearly all differ."""
    monkeypatch.setattr("cachecheck.stores.direct.paging.MAX_KEPT_ROWS", MOST_KEPT_ROWS)
    monkeypatch.setattr("cachecheck.coordinator.audit.scheme.FEW_ROWS", MOST_KEPT_ROWS)
    servers = [start_redis() for _ in range(2)]
    soon_ms = int(time.time() + 3600) * 1000
    for apart_ms, server in enumerate(servers):
        with server.client() as client, client.pipeline(transaction=False) as filling:
            for number in range(KEYS):
                expires_ms = soon_ms + 777 * number + apart_ms * (number % 1900)
                filling.set(f"item-{number:04}", "value", pxat=expires_ms)
            filling.execute()
    with servers[1].client() as client:
        client.set("item-0007", "changed", keepttl=True)
        client.delete("item-0008")
    targets = [
        StoreNode(spec=parse_store(server.url, name=f"store-{number}"))
        for number, server in enumerate(servers)
    ]
    options = Options(all=True, settle=0.0)
    report = report_of(asyncio.run(running.observe(targets, options, Silent())), options)
    assert {(one.code, one.subject) for one in report.findings} == {
        ("V001", "item-0007"),
        ("V002", "item-0008"),
    }
    coverage = report.caches[0].coverage
    assert (coverage.mode, coverage.keys_compared) == ("all", KEYS)
    assert report.undecided == ()
