"""What one worker writes another cannot read: a library is missing on one node of two."""

from pathlib import Path
from typing import Any

import pytest

from harness.nodes import Node
from harness.scenarios import DJANGO_REDIS, Check, Launch, caches, views_of

_TESTS = Path(__file__).parents[1]
PACKED = {"SERIALIZER": "django_redis.serializers.msgpack.MSGPackSerializer"}
LACKING = {
    "PYTHONPATH": f"{_TESTS / 'harness' / 'lacking'}:{_TESTS}",
    "CACHECHECK_TEST_LACKS": "msgpack",
}


@pytest.fixture(scope="module")
def fleet(launch: Launch) -> tuple[Node, ...]:
    url = launch.redis().url
    made: dict[str, Any] = {
        "default": {"BACKEND": DJANGO_REDIS, "LOCATION": url, "KEY_PREFIX": "default"},
        "packed": {
            "BACKEND": DJANGO_REDIS,
            "LOCATION": url,
            "KEY_PREFIX": "packed",
            "OPTIONS": PACKED,
        },
    }
    return launch.nodes({}, {}, {"env": LACKING}, caches=made, workers=1)


def test_library_that_one_node_lacks_is_named_with_the_cache_that_needs_it(
    fleet: tuple[Node, ...], check: Check
) -> None:
    checked = check(fleet, "--cache", "packed")
    assert checked.exit_code == 1
    assert checked.codes == ["F005"]
    found = checked.only("F005")
    assert found["severity"] == "warning"
    lacking = f"written with msgpack, which is missing on {fleet[2].address}"
    assert lacking in found["message"]
    groups = {group["value"]: set(group["views"]) for group in found["groups"]}
    assert groups["msgpack not installed"] == views_of(fleet[2])


def test_library_that_all_have_or_nobody_needs_is_silent(
    fleet: tuple[Node, ...], check: Check
) -> None:
    assert check(fleet[:2], *caches("packed", "default")).codes == []
    assert check(fleet, "--cache", "default").codes == []
