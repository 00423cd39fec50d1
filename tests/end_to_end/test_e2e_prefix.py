"""One node of three makes its keys with another prefix, on a store that all share: one finding."""

from typing import Any

import pytest

from harness.nodes import Node
from harness.scenarios import (
    DATABASE,
    FILES,
    MEMCACHED,
    REDIS,
    Check,
    Launch,
    caches,
    outliers,
    views_of,
)

KEYS = {f"product:{number}": f"name {number}" for number in range(1000)}
FEW = dict(list(KEYS.items())[:200])  # a folder of files is listed whole at each write
BACKENDS = ["redis", "memcached", "database", "files"]


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def fleet(launch: Launch, request: pytest.FixtureRequest) -> tuple[Node, ...]:
    """Start a fleet with two aliases for each backend: `…-drift` and its healthy twin."""
    tmp = launch.tmp / request.param
    tmp.mkdir()
    roomy = {"OPTIONS": {"MAX_ENTRIES": 5000}}
    stores: dict[str, dict[str, Any]] = {
        "redis": {"BACKEND": REDIS, "LOCATION": launch.redis().url},
        "memcached": {"BACKEND": MEMCACHED, "LOCATION": launch.memcached().address},
        "database": {"BACKEND": DATABASE, "LOCATION": "entries", **roomy},
        "files": {"BACKEND": FILES, "LOCATION": str(tmp / "files"), **roomy},
    }

    def settings(prefix: str) -> dict[str, Any]:
        drifting = {f"{name}-drift": {**one, "KEY_PREFIX": prefix} for name, one in stores.items()}
        return drifting | {name: {**one, "KEY_PREFIX": "shop"} for name, one in stores.items()}

    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp / "db.sqlite3")}
    nodes = launch.nodes(
        *({"caches": settings(prefix)} for prefix in ("shop", "shop", "shop-eu")),
        server=request.param,
        workers=2,
        settings={"DATABASES": {"default": database}},
    )
    assert nodes[0].manage("createcachetable").exit_code == 0
    for name in stores:
        nodes[0].app("set_many", cache=name, value=_keys(name), timeout=3600)
    return nodes


def test_one_node_with_another_prefix_is_one_finding(fleet: tuple[Node, ...], check: Check) -> None:
    drifting = [f"{name}-drift" for name in BACKENDS]
    checked = check(fleet, *caches(*drifting))
    assert checked.exit_code == 1
    assert checked.codes_by_cache == {alias: ["N001"] for alias in drifting}
    assert checked.report["undecided"] == []
    for found in checked.findings:
        assert outliers(found) == views_of(fleet[2])
    for alias in drifting:
        assert checked.views_by_store(alias) == [6]
        prefixes = [row["prefix"] for row in checked.cache(alias)["namespaces"]]
        assert prefixes == ["shop", "shop-eu"]


def test_same_prefix_everywhere_is_no_finding(fleet: tuple[Node, ...], check: Check) -> None:
    checked = check(fleet, *caches(*BACKENDS))
    assert checked.exit_code == 0
    assert checked.codes == []
    for name in BACKENDS:
        assert checked.views_by_store(name) == [6]
        assert checked.cache(name)["stores"][0]["entries"] == len(_keys(name))
        assert checked.cache(name)["agreement"]["agreeing"] == len(_keys(name))


def test_named_key_under_two_prefixes_is_one_finding(fleet: tuple[Node, ...], check: Check) -> None:
    checked = check(fleet, "--cache", "redis-drift", "--key", "product:1")
    assert checked.exit_code == 1
    assert checked.codes == ["N001"]


def _keys(name: str) -> dict[str, str]:
    return FEW if name == "files" else KEYS
