"""What a node says of itself: releases during a rollout, workers that are not heard, counting."""

from typing import Any

import pytest

from harness.nodes import Node
from harness.scenarios import LOCMEM, REDIS, Check, Launch, views_of


@pytest.fixture(scope="module")
def redis_url(launch: Launch) -> str:
    return launch.redis().url


@pytest.fixture(scope="module")
def releases(launch: Launch, redis_url: str) -> tuple[Node, ...]:
    """Start two releases, of which the newer one makes its keys with another prefix."""

    def node(release: str) -> dict[str, Any]:
        store = {"BACKEND": REDIS, "LOCATION": redis_url}
        prefixed = store | {"KEY_PREFIX": release}
        return {
            "cachecheck": {"RELEASE": release},
            "caches": {"default": store, "prefixed": prefixed},
        }

    return launch.nodes(node("2026.1"), node("2026.2"), workers=2)


@pytest.fixture(scope="module")
def odd(launch: Launch, redis_url: str) -> tuple[Node, ...]:
    """Start a node that counts no hits, and two that count; the last expects more workers."""
    caches = {
        "default": {"BACKEND": REDIS, "LOCATION": redis_url, "KEY_PREFIX": "odd"},
        "local": {"BACKEND": LOCMEM},
    }
    scopes = {"SCOPES": {"local": "worker"}}
    return launch.nodes(
        {"cachecheck": scopes | {"COUNT_HITS": False}},
        {"cachecheck": scopes},
        {"cachecheck": scopes | {"EXPECTED_WORKERS": 4}},
        caches=caches,
        workers=2,
    )


# --- rollout -------------------------------------------------------------------------------


def test_prefix_that_changes_with_a_release_is_the_rollout(
    releases: tuple[Node, ...], check: Check
) -> None:
    checked = check(releases, "--cache", "prefixed")
    assert checked.exit_code == 0
    assert checked.codes == ["F006", "N001"]
    found = checked.only("N001")
    assert found["severity"] == "info"
    assert found["explained_by"] == "F006"
    assert "rollout" in found["message"]


def test_prefix_that_differs_after_the_rollout_is_an_error(
    releases: tuple[Node, ...], check: Check
) -> None:
    checked = check(releases, "--cache", "prefixed", "--rollout-grace", "0")
    assert checked.exit_code == 1
    assert checked.codes == ["F006", "N001"]
    found = checked.only("N001")
    assert found["severity"] == "error"
    assert found["explained_by"] is None


def test_releases_of_one_prefix_are_mentioned(releases: tuple[Node, ...], check: Check) -> None:
    checked = check(releases, "--cache", "default", "--rollout-grace", "0")
    assert checked.exit_code == 0
    assert checked.codes == ["F006"]
    assert checked.views_by_store() == [4]


# --- counting ------------------------------------------------------------------------------


def test_hits_that_one_node_does_not_count_are_mentioned(
    odd: tuple[Node, ...], check: Check
) -> None:
    checked = check(odd[:2], "--cache", "default")
    assert checked.exit_code == 0
    assert checked.codes == ["H003"]
    found = checked.only("H003")
    assert found["severity"] == "info"
    values = {group["value"]: set(group["views"]) for group in found["groups"]}
    assert values == {"not counted": views_of(odd[0]), "counted": views_of(odd[1])}


def test_hits_that_no_node_counts_are_a_line_of_coverage(
    odd: tuple[Node, ...], check: Check
) -> None:
    checked = check(odd[:1], "--cache", "default")
    assert checked.exit_code == 0
    assert checked.codes == []
    assert any("counted nowhere" in note for note in checked.cache()["coverage"]["notes"])


def test_hits_that_all_nodes_count_are_shown(odd: tuple[Node, ...], check: Check) -> None:
    odd[1].app("set", key="counted", value=1)
    worker = odd[1].app("get", key="counted").pid
    checked = check(odd[1:2], "--cache", "default")
    assert checked.codes == []
    rows = {row["view"]["worker"]: row for row in checked.cache()["hit_ratios"]}
    assert rows[f"{odd[1].address}:{worker}"]["hits"] >= 1


# --- workers that are not heard ------------------------------------------------------------


def test_unheard_workers_with_caches_of_their_own_leave_it_undecided(
    odd: tuple[Node, ...], check: Check
) -> None:
    checked = check(odd[1:], "--cache", "local", "--key", "k")
    assert checked.exit_code == 3
    assert checked.codes == ["F004"]
    found = checked.only("F004")
    assert found["severity"] == "warning"
    assert found["subject"] == odd[2].address
    assert "2 of 4 workers" in found["message"]
    assert checked.report["undecided"] == [found["message"]]


def test_unheard_workers_on_a_shared_store_are_mentioned(
    odd: tuple[Node, ...], check: Check
) -> None:
    checked = check(odd[1:], "--cache", "default", "--key", "k")
    assert checked.exit_code == 0
    assert checked.codes == ["F004"]
    assert checked.only("F004")["severity"] == "info"


def test_workers_that_were_all_heard_are_no_finding(odd: tuple[Node, ...], check: Check) -> None:
    checked = check(odd[1:2], "--cache", "local", "--key", "k")
    assert checked.exit_code == 0
    assert checked.codes == []
