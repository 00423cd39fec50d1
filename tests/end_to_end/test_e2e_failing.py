"""Stores that do not answer, underneath clients that say so and clients that hide it.

Every alias of this fleet is a scenario of its own, checked with `--cache`.
"""

from typing import Any

import pytest

from harness.nodes import Node
from harness.process import LOOPBACK, free_port
from harness.scenarios import (
    DATABASE,
    DJANGO_REDIS,
    MEMCACHED,
    REDIS,
    Check,
    Launch,
    caches,
    views_of,
)

REFUSED = "does not answer: connection refused"
NO_INFO = "user site on >password ~*:1:* +@all -@dangerous -info -role -config -time"


@pytest.fixture(scope="module")
def fleet(launch: Launch) -> tuple[Node, ...]:
    server = launch.redis(users=[NO_INFO, "user default on nopass ~* +@all"])
    closed = f"{LOOPBACK}:{free_port()}"
    down, hiding = f"redis://{closed}/0", {"IGNORE_EXCEPTIONS": True}
    login = server.url.replace("redis://", "redis://site:{}@")
    alike: dict[str, dict[str, Any]] = {
        "hidden": {"BACKEND": DJANGO_REDIS, "LOCATION": down, "OPTIONS": hiding},
        "memcached": {"BACKEND": MEMCACHED, "LOCATION": closed, "OPTIONS": {"ignore_exc": True}},
        "locked-out": {"BACKEND": REDIS, "LOCATION": login.format("wrong")},
        "no-table": {"BACKEND": DATABASE, "LOCATION": "nowhere"},
        "default": {"BACKEND": DJANGO_REDIS, "LOCATION": server.url, "OPTIONS": hiding},
        "quiet": {"BACKEND": REDIS, "LOCATION": login.format("password")},
    }

    def settings(number: int) -> dict[str, Any]:
        one = {"BACKEND": REDIS, "LOCATION": down if number == 1 else server.url}
        made = {**alike, "cut-off": one}
        return {name: {**each, "KEY_PREFIX": name} for name, each in made.items()}

    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(launch.tmp / "db.sqlite3")}
    return launch.nodes(
        *({"caches": settings(number)} for number in range(2)),
        settings={"DATABASES": {"default": database}},
        workers=1,
    )


def test_outages_are_named_whether_the_client_hides_them_or_not(
    fleet: tuple[Node, ...], check: Check
) -> None:
    hiding = {"hidden": "IGNORE_EXCEPTIONS", "memcached": "ignore_exc"}
    others = ("locked-out", "no-table")
    for alias in hiding:
        assert fleet[0].app("get", cache=alias, key="k").result is None  # as if it were empty
    checked = check(fleet, *caches(*hiding, *others), "--key", "k")
    assert checked.exit_code == 1
    assert checked.codes_by_cache == {alias: ["B006"] for alias in (*hiding, *others)}
    for found in checked.findings:
        alias = found["cache"]
        assert found["severity"] == "error"
        assert "on all 2 views" in found["message"]
        assert ("so the site sees misses" in found["message"]) == (alias in hiding), alias
        assert {view for group in found["groups"] for view in group["views"]} == views_of(*fleet)
    reasons = {found["cache"]: found["evidence"]["reasons"] for found in checked.findings}
    assert reasons["hidden"] == ["connection refused"]
    assert reasons["locked-out"] == ["the server refused the credentials"]


def test_node_that_is_cut_off_from_the_store_is_named(
    fleet: tuple[Node, ...], check: Check
) -> None:
    checked = check(fleet, "--cache", "cut-off")
    assert checked.exit_code == 1
    assert checked.codes == ["B006"]
    groups = {group["value"]: set(group["views"]) for group in checked.only("B006")["groups"]}
    assert groups == {"answers": views_of(fleet[0]), REFUSED: views_of(fleet[1])}


def test_cache_without_entries_and_server_that_denies_info_are_silent(
    fleet: tuple[Node, ...], check: Check
) -> None:
    fleet[0].app("set_many", cache="quiet", value={"a": 1, "b": 2})
    checked = check(fleet, *caches("default", "quiet"))
    assert checked.codes == []
    assert checked.exit_code == 0
