"""Hit ratios of real workers: what differs, what is too little to say, what fell."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.nodes import Node
from harness.scenarios import LOCMEM, REDIS, Check, Launch, views_of


@pytest.fixture(scope="module")
def redis_url(launch: Launch) -> str:
    return launch.redis().url


@pytest.fixture
def pair(launch: Launch, redis_url: str) -> tuple[Node, ...]:
    """Start two nodes of one worker each, on one store, that have counted nothing yet."""
    store = {"BACKEND": REDIS, "LOCATION": redis_url}
    return launch.nodes({}, {}, caches={"default": store}, workers=1)


@pytest.fixture(scope="module")
def culling(launch: Launch) -> tuple[Node, ...]:
    local = {"BACKEND": LOCMEM, "OPTIONS": {"MAX_ENTRIES": 300}}
    return launch.nodes({}, caches={"default": local}, workers=1)


def look(node: Node, hits: int, misses: int) -> None:
    node.app("look", hits=hits, misses=misses)


def test_ratios_of_ninety_and_eighty_percent_are_drift(
    pair: tuple[Node, ...], check: Check
) -> None:
    look(pair[0], 4500, 500)
    look(pair[1], 4000, 1000)
    checked = check(pair)
    assert (checked.exit_code, checked.codes) == (1, ["H001"])
    found = checked.only("H001")
    assert found["severity"] == "warning"
    groups = {group["value"]: set(group["views"]) for group in found["groups"]}
    assert groups == {
        "90.0 % of 5,000": views_of(pair[0]),
        "80.0 % of 5,000": views_of(pair[1]),
    }
    # in a window of the run nobody asks for anything
    quiet = check(pair, "--window", "1")
    assert (quiet.exit_code, quiet.codes) == (0, [])
    assert "too few requests" in quiet.cache()["hit_ratios_said"]
    (note,) = [one for one in quiet.cache()["coverage"]["notes"] if "requests" in one]
    assert note.startswith("in 1 s: too few requests")


def test_equal_ratios_are_silent_and_few_requests_are_too_few(
    pair: tuple[Node, ...], check: Check
) -> None:
    look(pair[0], 4500, 500)
    look(pair[1], 20, 20)
    few = check(pair)
    assert (few.exit_code, few.codes) == (0, [])
    assert few.cache()["hit_ratios_said"] == (
        f"too few requests to compare hit ratios of {pair[1].address} "
        f"(40 on {pair[1].address}, 100 are needed)"
    )
    look(pair[1], 4480, 460)
    equal = check(pair)
    assert (equal.exit_code, equal.codes) == (0, [])
    assert equal.cache()["hit_ratios_said"] == "hit ratios compared over 2 nodes"


def test_window_compares_what_is_counted_in_it(pair: tuple[Node, ...], check: Check) -> None:
    look(pair[0], 5000, 0)
    look(pair[1], 5000, 0)
    with ThreadPoolExecutor(1) as pool:
        checking = pool.submit(check, pair, "--window", "2")
        while not checking.done():
            look(pair[0], 90, 10)
            look(pair[1], 20, 80)
        checked = checking.result()
    assert (checked.exit_code, checked.codes) == (1, ["H001"])


def test_ratio_that_fell_since_the_baseline_is_named(
    pair: tuple[Node, ...], check: Check, tmp_path: Path
) -> None:
    for node in pair:
        look(node, 900, 100)
    baseline = tmp_path / "before.json"
    baseline.write_text(json.dumps(check(pair).report))
    look(pair[0], 900, 100)
    look(pair[1], 880, 120)
    assert check(pair, "--baseline", str(baseline)).codes == []
    look(pair[1], 0, 900)
    checked = check(pair, "--baseline", str(baseline))
    assert (checked.exit_code, checked.codes) == (1, ["H001", "H002"])
    assert f"46.3 % of 1,900 on {pair[1].address}" in checked.only("H001")["message"]
    assert "fell from 90.0 % of 1,000 to 46.3 % of 1,900" in checked.only("H002")["message"]


def test_max_entries_that_culls_without_a_word_is_told(
    culling: tuple[Node, ...], check: Check
) -> None:
    values = {f"key-{number}": number for number in range(1000)}
    culling[0].app("set_many", literal=repr(dict(list(values.items())[:200])))
    assert check(culling).codes == []
    culling[0].app("set_many", literal=repr(values))
    checked = check(culling)
    assert (checked.exit_code, checked.codes) == (0, ["B008"])
    assert "MAX_ENTRIES is 300" in checked.only("B008")["message"]
