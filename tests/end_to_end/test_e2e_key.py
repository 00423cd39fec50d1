"""One key over real nodes: who has what, values where a node allows them, and watching."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.nodes import Node
from harness.process import Finished, Process, wait_until
from harness.scenarios import REDIS, Launch, views_of

BRISK = ("--settle", "0.5", "--deadline", "20")


@pytest.fixture(scope="module")
def split(launch: Launch) -> tuple[Node, ...]:
    """Start two nodes with a Redis each, of which the first lets values be seen."""
    allowing = {"cachecheck": {"ALLOW_VALUES": True, "RELEASE": "7.1"}}
    urls = [launch.redis().url for _ in range(2)]
    own = [{"caches": {"default": {"BACKEND": REDIS, "LOCATION": url}}} for url in urls]
    return launch.nodes(allowing | own[0], own[1], workers=2)


def key(run_cli: Callable[..., Finished], nodes: tuple[Node, ...], *words: str) -> Finished:
    return run_cli("key", *words[:1], *(node.address for node in nodes), *BRISK, *words[1:])


def rows(done: Finished) -> list[dict[str, Any]]:
    (row,) = json.loads(done.stdout)["keys"]
    return list(row["held"])


def test_key_that_differs_is_shown_side_by_side(
    split: tuple[Node, ...],
    run_cli: Callable[..., Finished],
    published_schema: Draft202012Validator,
) -> None:
    split[0].app("set", key="article", literal="{'title': 'Tea', 'price': 3}", timeout=300)
    split[1].app("set", key="article", literal="{'title': 'Tea', 'price': 4}", timeout=300)
    shown = key(run_cli, split, "article")
    assert shown.exit_code == 1
    assert shown.stdout.startswith("article · default of harness\nvalues differ (V001)\n")
    assert f"A  {split[0].address} (2 workers)" in shown.stdout
    assert "release 7.1" in shown.stdout
    assert "set " in shown.stdout
    assert "Tea" not in shown.stdout
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())

    done = key(run_cli, split, "article", "--format", "json")
    published_schema.validate(json.loads(done.stdout))
    first, second = rows(done)
    assert {*first["views"], *second["views"]} == views_of(*split)
    assert [group["state"] for group in (first, second)] == ["present", "present"]
    assert first["kind"] == second["kind"] == "dict"
    assert first["digest"] != second["digest"]
    assert 0 <= first["age_seconds"] < 60


def test_values_are_shown_by_nodes_that_allow_it(
    split: tuple[Node, ...], run_cli: Callable[..., Finished]
) -> None:
    for number, node in enumerate(split):
        node.app("set", key="person", literal=f"{{'name': {number}, 'password': 'hunter2'}}")
    shown = key(run_cli, split, "person", "--show-values")
    assert "{'name': 0, 'password': <withheld>}" in shown.stdout
    assert "value not shown: the node does not allow it" in shown.stdout
    assert "'name': 1" not in shown.stdout
    assert "hunter2" not in shown.stdout


def test_key_that_all_views_have_or_none_has(
    split: tuple[Node, ...], run_cli: Callable[..., Finished]
) -> None:
    for node in split:
        node.app("set", key="same", value=1, timeout="none")
    done = key(run_cli, split, "same", "--format", "json")
    (held,) = rows(done)
    assert (done.exit_code, held["state"], held["expires_at"]) == (0, "present", None)
    assert set(held["views"]) == views_of(*split)
    nowhere = key(run_cli, split, "nowhere")
    assert (nowhere.exit_code, "in none of the views" in nowhere.stdout) == (0, True)


def test_key_that_is_withheld_is_undecided(
    split: tuple[Node, ...], run_cli: Callable[..., Finished]
) -> None:
    done = key(run_cli, split, "django.contrib.sessions.cache12", "--show-values")
    assert done.exit_code == 3
    assert "kept from comparing by the nodes" in done.stdout


def test_stores_are_asked_for_a_key_as_well(
    launch: Launch, run_cli: Callable[..., Finished]
) -> None:
    stores = [launch.redis() for _ in range(2)]
    stores[0].client().set("a", "1")
    words = [store.url for store in stores]
    done = run_cli("key", "a", *words, *BRISK, "--format", "json", "--show-values")
    assert done.exit_code == 1
    assert [group["state"] for group in rows(done)] == ["present", "missing"]
    assert rows(done)[0]["shown"] == "1"


def test_watching_shows_what_changes_until_it_is_interrupted(
    split: tuple[Node, ...], start_cli: Callable[..., Process]
) -> None:
    for node in split:
        node.app("set", key="watched", value=1)
    watching = start_cli("key", "watched", *(node.address for node in split), *BRISK, "--watch")
    wait_until(lambda: "all views agree" in watching.log, 30)
    split[1].app("set", key="watched", value=2)
    wait_until(lambda: "values differ" in watching.log, 30)
    assert watching.log.count("all views agree") == 1
    assert watching.interrupt() == 1
