"""Key builders of the site, called in every worker: what differs is named, its twin is silent."""

import json
from typing import TYPE_CHECKING

import pytest

from harness.nodes import Node
from harness.scenarios import LOCMEM, Check, Launch, views_of

if TYPE_CHECKING:
    from conftest import RunCli

KEYS = "harness.site.keys."
ALIKE = {"article": KEYS + "article_key", "numbered": (KEYS + "article_key", [8])}
DRIFTING = {name: f"{KEYS}{name}_key" for name in ("hashing", "host", "failing", "random")}


@pytest.fixture(scope="module")
def drifting(launch: Launch) -> tuple[Node, ...]:
    return launch.nodes(
        {"server": "uvicorn"},
        {"env": {"CACHECHECK_TEST_SHOP": "second"}},
        caches={"default": {"BACKEND": LOCMEM}},
        cachecheck={
            "KEY_BUILDERS": {**ALIKE, **DRIFTING},
            "SCOPES": {"default": "worker"},
            "WITHHOLD": ["article:second"],
        },
        workers=2,
    )


def test_builders_that_differ_are_named_with_who_differs(
    drifting: tuple[Node, ...], check: Check
) -> None:
    checked = check(drifting)
    assert checked.exit_code == 1
    found = {one["subject"]: one for one in checked.findings}
    assert set(checked.codes) == {"N003"}
    assert set(found) == set(DRIFTING)

    hashing = found["hashing"]
    # gunicorn's workers are forked with one seed of hash(), uvicorn's are started with their own
    assert sorted(len(group["views"]) for group in hashing["groups"]) == [1, 1, 2]
    assert {view for group in hashing["groups"] for view in group["views"]} == views_of(*drifting)

    host = {group["value"]: set(group["views"]) for group in found["host"]["groups"]}
    assert host.pop("article:main") == views_of(drifting[0])
    ((withheld, views),) = host.items()
    assert withheld.startswith("digest:")
    assert views == views_of(drifting[1])
    assert "second" not in json.dumps(checked.report["findings"])

    failing = {group["value"]: set(group["views"]) for group in found["failing"]["groups"]}
    assert failing["fails: KeyError"] == views_of(drifting[0])

    assert "another key at every call" in found["random"]["message"]
    assert found["random"]["groups"] == []


def test_roster_says_nothing_of_builders_that_it_does_not_judge(
    drifting: tuple[Node, ...], run_cli: "RunCli"
) -> None:
    done = run_cli("nodes", *(node.address for node in drifting))
    assert (done.exit_code, "key builder" in done.stdout) == (0, False)


def test_builders_that_build_one_key_everywhere_are_silent(launch: Launch, check: Check) -> None:
    nodes = launch.nodes(
        *({"name": f"twin-{number}"} for number in (1, 2)),
        caches={"default": {"BACKEND": LOCMEM}},
        cachecheck={
            "KEY_BUILDERS": {**ALIKE, "hashing": KEYS + "hashing_key", "host": KEYS + "host_key"},
            "SCOPES": {"default": "worker"},
        },
        workers=2,
        hash_seed=7,
    )
    checked = check(nodes)
    assert checked.exit_code == 0
    assert checked.codes == []
    assert checked.report["undecided"] == []
