"""The users that docs/how-to/read-a-locked-down-redis.md shows are enough."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.nodes import Node
    from harness.process import Finished
    from harness.redis import RedisServer

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "read-a-locked-down-redis.md"
TEXT = PAGE.read_text("utf-8")
ADMIN = "user default on >admin ~* +@all"


def user_shown() -> str:
    (rules,) = re.findall(r"^ACL SETUSER (shop .+?)^```", TEXT, re.MULTILINE | re.DOTALL)
    return " ".join(rules.split())


def least_user() -> str:
    (rights,) = re.findall(r"For cachecheck alone\s+it takes\s+`([^`]+)`", TEXT)
    django = "+set +setex +psetex +ping +hello +auth +select"
    return f"shop on >password ~shop:* -@all {django} {rights}"


@pytest.mark.parametrize("user", [user_shown(), least_user()], ids=["shown", "least"])
def test_fleet_is_compared_through_witnesses(
    user: str,
    start_redis: Callable[..., RedisServer],
    start_node: Callable[..., Node],
    run_cli: Callable[..., Finished],
) -> None:
    server = start_redis(users=[ADMIN, f"user {user}"])
    with server.client(password="admin") as admin:
        admin.set("other:1", "x")
        admin.lpush("other:2", "x")
    backend = "django.core.cache.backends.redis.RedisCache"
    location = f"redis://shop:password@{server.address}/0"
    caches = {"default": {"BACKEND": backend, "LOCATION": location, "KEY_PREFIX": "shop"}}
    nodes = [start_node(name=f"web-{at}", caches=caches, workers=2, wait=False) for at in (1, 2)]
    for node in nodes:
        node.wait_until_booted()
    for number in range(10):
        nodes[0].app("set", key=f"product:{number}", value=number, timeout=3000)
    words = [f"{node.name}={node.address}" for node in nodes]
    assert "witnessed" in run_cli("nodes", *words).stdout
    done = run_cli("check", *words)
    assert done.exit_code == 0, done
