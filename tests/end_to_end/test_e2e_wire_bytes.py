"""What crosses the network between the coordinator and the nodes whose stores it audits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.planting import Faults, fill_redis, pairs
from harness.scenarios import REDIS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.balancer import Balancer
    from harness.redis import RedisServer
    from harness.scenarios import Check, Launch

COUNT = 60_000
SHARE_WITHOUT_DIFFERENCES = 0.03
BYTES_A_DIFFERENCE = 3_500  # 59 entries of its bucket, 32 bytes each; and two looks at its key
ROW = '{"key":{"name":"%s","naming":"logical"},"digest":"%032x","expires_at":1767225600.123},'


@pytest.fixture(scope="module")
def servers(launch: Launch) -> list[RedisServer]:
    return [launch.redis() for _ in range(2)]


@pytest.fixture(scope="module")
def ways(launch: Launch, servers: Sequence[RedisServer]) -> list[Balancer]:
    """The ways to two nodes, each with one of the servers for itself."""
    nodes = launch.nodes(
        *(
            {"caches": {"default": {"BACKEND": REDIS, "LOCATION": one.url, "KEY_PREFIX": "shop"}}}
            for one in servers
        ),
        workers=2,
        server="gthread",
    )
    return [launch.balancer(node) for node in nodes]


def test_an_audit_costs_a_few_percent_of_a_list_of_all_keys(
    servers: list[RedisServer], ways: list[Balancer], check: Check
) -> None:
    """All bytes of a check count, both ways, against a bare list that each node would send.

    Sums have 48 bytes for some 48 keys, and a page of 50 ms of work takes some 5 kB: that grows
    with the keys, as the list does. A difference costs what its bucket has, however many keys
    there are: so it is the smaller a share, the more there are.
    """
    list_bytes = sum(len(ROW % (f"catalogue:item:{number:07}", number)) for number in range(COUNT))
    fill_redis(*servers, pairs(COUNT, None), form="shop:1:{}")
    alike, checked = _audited(ways, check)
    assert not {one["subject"] for one in checked if one["code"][0] in "VT"}
    assert max(alike) <= SHARE_WITHOUT_DIFFERENCES * list_bytes, (alike, list_bytes)

    faults = Faults()
    _empty(servers)
    fill_redis(*servers, pairs(COUNT, faults), form="shop:1:{}")
    unlike, checked = _audited(ways, check)
    differing = set().union(*faults.named.values())
    assert {one["subject"] for one in checked if one["code"][0] in "VT"} == differing
    cost = max(more - less for more, less in zip(unlike, alike, strict=True))
    assert cost <= BYTES_A_DIFFERENCE * len(differing), (alike, unlike)


def _audited(ways: list[Balancer], check: Check) -> tuple[list[int], list[dict[str, str]]]:
    before = [way.passed_bytes for way in ways]
    checked = check([way.address for way in ways], "--all", "--settle", "0")
    assert checked.cache()["coverage"]["keys_compared"] == COUNT
    passed = [way.passed_bytes - old for way, old in zip(ways, before, strict=True)]
    return passed, checked.findings


def _empty(servers: Sequence[RedisServer]) -> None:
    for server in servers:
        with server.client() as client:
            client.flushall()
