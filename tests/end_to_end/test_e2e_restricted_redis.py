"""A Redis of which a site may read its own keys and nothing else, shared with others."""

from typing import Any

import pytest

from harness.nodes import Node
from harness.redis import RedisServer
from harness.scenarios import DJANGO_REDIS, REDIS, Check, Launch

PREFIX = "shop"
KEYS = {f"product:{number}": {"id": number} for number in range(50)}
FOREIGN = 12 + 3 + 3
RIGHTS = "+@all -@dangerous -info -role -config -time"
USERS = [
    f"user site on >password ~{PREFIX}:* {RIGHTS}",
    f"user empty on >password ~empty:* {RIGHTS}",
    f"user half on >password ~{PREFIX}:1:product:* {RIGHTS}",
]


@pytest.fixture(scope="module")
def redis(launch: Launch) -> RedisServer:
    server = launch.redis(users=USERS)
    with server.client() as others:
        for number in range(12):
            others.set(f"other:1:secret:{number}", "not ours")
        for number in range(3):
            others.rpush(f"queue:{number}", "job")
            others.hset(f"hash:{number}", "field", "value")
    return server


@pytest.fixture(scope="module", params=[REDIS, DJANGO_REDIS], ids=["django", "django-redis"])
def fleet(launch: Launch, redis: RedisServer, request: pytest.FixtureRequest) -> tuple[Node, ...]:
    """Start two nodes that may read all keys of the site, and one that may not."""
    return launch.nodes(
        *({"caches": _caches(redis, user, request.param)} for user in ("site", "site", "half")),
        workers=2,
    )


@pytest.fixture(scope="module")
def equals(fleet: tuple[Node, ...]) -> tuple[Node, ...]:
    fleet[0].app("set_many", value=KEYS)
    return fleet[:2]


def _caches(
    redis: RedisServer, user: str, backend: str = REDIS, prefix: str = PREFIX
) -> dict[str, Any]:
    url = redis.url.replace("redis://", f"redis://{user}:password@")
    return {"default": {"BACKEND": backend, "LOCATION": url, "KEY_PREFIX": prefix}}


def test_store_is_recognised_by_witnesses_and_what_is_foreign_is_counted(
    equals: tuple[Node, ...], check: Check
) -> None:
    checked = check(equals)
    assert checked.exit_code == 0
    assert checked.beyond_info == []
    (store,) = checked.cache()["stores"]
    assert store["identity"] == "witnessed"
    assert len(store["views"]) == 4
    assert store["entries"] == len(KEYS)
    assert store["foreign"] == FOREIGN
    assert checked.cache()["agreement"]["agreeing"] == len(KEYS)
    assert checked.cache()["agreement"]["unread"] == 0


def test_keys_of_others_are_not_read(
    equals: tuple[Node, ...], redis: RedisServer, check: Check
) -> None:
    with redis.client() as administrator:
        administrator.acl_log_reset()
        checked = check(equals)
        refused = [entry["object"] for entry in administrator.acl_log()]
    assert checked.exit_code == 0
    assert not [key for key in refused if key.startswith(("other:", "queue:", "hash:"))]
    assert "not ours" not in str(checked.report)
    assert "secret:" not in str(checked.report)


def test_what_no_cache_wrote_under_our_prefix_is_not_compared(
    equals: tuple[Node, ...], redis: RedisServer, check: Check
) -> None:
    """A list of the site's own is no entry; named, it cannot be said to agree."""
    with redis.client() as administrator:
        administrator.rpush(f"{PREFIX}:1:jobs", "job")
        sampled = check(equals)
        named = check(equals, "--key", "jobs")
        administrator.delete(f"{PREFIX}:1:jobs")
    assert sampled.exit_code == 0
    assert sampled.cache()["agreement"]["agreeing"] == len(KEYS)
    assert any("1 key left out" in note for note in sampled.cache()["coverage"]["notes"])
    assert named.exit_code == 3
    assert named.codes == []
    assert named.cache()["agreement"]["unread"] == 1
    assert "jobs" in named.report["undecided"][0]


def test_key_that_one_node_may_not_read_is_undecided(fleet: tuple[Node, ...], check: Check) -> None:
    fleet[0].app("set_many", value=KEYS | {"user:1": "a"})
    checked = check(fleet, "--key", "user:1", "--key", "product:1")
    fleet[0].app("delete", key="user:1")
    assert checked.exit_code == 3
    assert checked.cache()["agreement"]["agreeing"] == 1
    assert checked.cache()["agreement"]["unread"] == 1
    assert "user:1" in checked.report["undecided"][0]


def test_without_common_keys_it_is_undecided_who_shares_it(
    launch: Launch, redis: RedisServer, check: Check
) -> None:
    caches = _caches(redis, "empty", prefix="empty")
    checked = check(launch.nodes({}, {}, caches=caches, workers=1))
    assert checked.exit_code == 3
    assert checked.beyond_info == []
    assert "INFO" in checked.report["undecided"][0]
