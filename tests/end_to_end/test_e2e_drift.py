"""One node of three is configured otherwise: each way is one finding, and its twin is silent.

Every alias of this fleet is a scenario of its own, checked with `--cache`; aliases that end in
`-drift` differ on web-3.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from harness.nodes import Node
from harness.scenarios import (
    DJANGO_REDIS,
    DUMMY,
    FILES,
    LOCMEM,
    REDIS,
    Check,
    Launch,
    caches,
    outliers,
    views_of,
)

JSON = "django_redis.serializers.json.JSONSerializer"
ZLIB = "django_redis.compressors.zlib.ZlibCompressor"
DRIFTS = {
    "backend": "B002",
    "alias": "B009",
    "serializer": "B010",
    "compressor": "B010",
    "version": "N002",
    "key-function": "N003",
    "timeout": "T003",
    "timeout-django-redis": "T003",
}


@pytest.fixture(scope="module")
def fleet(launch: Launch) -> tuple[Node, ...]:
    shared = launch.redis()
    own = [launch.redis() for _ in range(3)]
    plain = {"BACKEND": REDIS, "LOCATION": shared.url}
    other: dict[str, dict[str, Any]] = {
        "backend": {"BACKEND": FILES, "LOCATION": str(launch.tmp / "files")},
        "serializer": _django_redis(shared.url, SERIALIZER=JSON),
        "compressor": _django_redis(shared.url, COMPRESSOR=ZLIB),
        "version": plain | {"VERSION": 2},
        "key-function": plain | {"KEY_FUNCTION": "harness.site.keys.version_first"},
        "timeout": plain | {"TIMEOUT": 3600},
        "timeout-django-redis": _django_redis(shared.url) | {"TIMEOUT": None},
    }
    usual: dict[str, dict[str, Any]] = dict.fromkeys(DRIFTS, plain) | {
        "serializer": _django_redis(shared.url),
        "compressor": _django_redis(shared.url),
        "timeout-django-redis": _django_redis(shared.url),
    }

    def settings(number: int) -> dict[str, Any]:
        is_odd = number == 2
        drifting = {name: other.get(name) if is_odd else one for name, one in usual.items()}
        return {
            "default": plain,
            **{name: {**one, "KEY_PREFIX": name} for name, one in usual.items()},
            **{
                f"{name}-drift": {**one, "KEY_PREFIX": name}
                for name, one in drifting.items()
                if one
            },
            "local-drift": {"BACKEND": LOCMEM} if is_odd else plain,
            "hashed": plain | {"KEY_FUNCTION": "harness.site.keys.hashed"},
            "dummy": {"BACKEND": DUMMY},
            "dummy-declared": {"BACKEND": DUMMY},
            "dummy-drift": {"BACKEND": DUMMY} if is_odd else plain,
            "apart": {"BACKEND": REDIS, "LOCATION": own[number].url},
        }

    declared = {"dummy-declared": "none", "apart": "host"}
    return launch.nodes(
        *({"caches": settings(number)} for number in range(3)),
        workers=2,
        cachecheck={"SCOPES": declared},
    )


def _django_redis(url: str, **options: str) -> dict[str, Any]:
    return {"BACKEND": DJANGO_REDIS, "LOCATION": url, "OPTIONS": options}


# --- settings ------------------------------------------------------------------------------


def test_node_that_is_configured_otherwise_is_named(fleet: tuple[Node, ...], check: Check) -> None:
    drifts = {f"{name}-drift": [code] for name, code in DRIFTS.items()}
    drifts["serializer-drift"].append("V004")  # neither half reads what the other one wrote
    for alias in drifts:
        fleet[0].app("set_many", cache=alias, value={"a": 1, "b": {"c": "d"}}, timeout=None)
    checked = check(fleet, *caches(*drifts))
    assert checked.exit_code == 1
    assert checked.codes_by_cache == drifts
    for found in checked.findings:
        assert outliers(found) == views_of(fleet[2])
        assert fleet[2].address in found["message"]
        assert found["remedy"]


def test_nodes_that_are_configured_alike_are_consistent(
    fleet: tuple[Node, ...], check: Check
) -> None:
    for alias in DRIFTS:
        fleet[0].app("set_many", cache=alias, value={"a": 1, "b": {"c": "d"}}, timeout=None)
    checked = check(fleet, *caches(*DRIFTS))
    assert checked.exit_code == 0
    assert checked.codes == []
    for alias in DRIFTS:
        assert checked.views_by_store(alias) == [6]
        assert checked.cache(alias)["agreement"]["agreeing"] == 2


def test_local_memory_on_one_node_is_another_backend_and_two_caches(
    fleet: tuple[Node, ...], check: Check
) -> None:
    checked = check(fleet, "--cache", "local-drift", "--key", "k")
    assert checked.exit_code == 1
    assert checked.codes == ["B001", "B002"]
    assert outliers(checked.only("B002")) == views_of(fleet[2])
    assert checked.only("B001")["evidence"]["separate_caches"] == 2


def test_key_function_that_hashes_is_no_obstacle(fleet: tuple[Node, ...], check: Check) -> None:
    fleet[1].app("set", cache="hashed", key="k", value=1)
    checked = check(fleet, "--cache", "hashed", "--key", "k")
    assert checked.exit_code == 0
    assert checked.codes == []
    assert checked.cache("hashed")["agreement"]["agreeing"] == 1


# --- no cache ------------------------------------------------------------------------------


def test_dummy_cache_is_a_warning(fleet: tuple[Node, ...], check: Check) -> None:
    checked = check(fleet, "--cache", "dummy")
    assert checked.exit_code == 1
    assert checked.codes == ["B007"]
    assert checked.report["undecided"] == []
    lenient = check(fleet, "--cache", "dummy", "--fail-on", "error")
    assert lenient.exit_code == 0


def test_dummy_cache_that_is_declared_is_silent(fleet: tuple[Node, ...], check: Check) -> None:
    checked = check(fleet, "--cache", "dummy-declared")
    assert checked.exit_code == 0
    assert checked.codes == []


def test_dummy_cache_on_one_node_is_another_backend(fleet: tuple[Node, ...], check: Check) -> None:
    checked = check(fleet, "--cache", "dummy-drift")
    assert checked.exit_code == 1
    assert checked.codes == ["B002"]
    assert outliers(checked.only("B002")) == views_of(fleet[2])


# --- entries -------------------------------------------------------------------------------


OTHERWISE: dict[str, tuple[str, list[tuple[str, float | None]]]] = {
    "T001": ("warning", [("a", 600), ("a", 600), ("a", 1200)]),
    "T002": ("error", [("a", 600), ("a", 600), ("a", None)]),
    "V001": ("error", [("a", 600), ("a", 600), ("b", 600)]),
    "V002": ("error", [("a", 600), ("a", 600)]),
}


def _fill(fleet: tuple[Node, ...], key: str, entries: Sequence[tuple[str, float | None]]) -> None:
    for node, (value, timeout) in zip(fleet, entries, strict=False):
        node.app("set", cache="apart", key=key, value=value, timeout=timeout)


def _named(*keys: str) -> list[str]:
    return ["--cache", "apart", *(word for key in keys for word in ("--key", key))]


def test_named_key_that_one_store_has_otherwise_is_a_finding(
    fleet: tuple[Node, ...], check: Check
) -> None:
    for code, (_, entries) in OTHERWISE.items():
        _fill(fleet, f"otherwise:{code}", entries)
    checked = check(fleet, *_named(*(f"otherwise:{code}" for code in OTHERWISE)))
    assert checked.exit_code == 1
    assert sorted(checked.codes) == sorted(OTHERWISE)
    for code, (severity, _) in OTHERWISE.items():
        found = checked.only(code)
        assert found["severity"] == severity
        assert found["subject"] == f"otherwise:{code}"
        assert outliers(found) == views_of(fleet[2])
        assert found["evidence"]["looked"] >= 2
        assert found["evidence"]["persisted_seconds"] >= 0.5


def test_named_key_that_all_stores_have_alike_is_none(
    fleet: tuple[Node, ...], check: Check
) -> None:
    _fill(fleet, "alike:expiring", [("a", 600)] * 3)
    _fill(fleet, "alike:forever", [("a", None)] * 3)
    checked = check(fleet, *_named("alike:expiring", "alike:forever", "alike:nowhere"))
    assert checked.exit_code == 0
    assert checked.codes == []
    assert checked.cache("apart")["agreement"]["agreeing"] == 3


def test_drift_of_expiry_within_the_tolerance_is_none(
    fleet: tuple[Node, ...], check: Check
) -> None:
    _fill(fleet, "within", [("a", 600), ("a", 600), ("a", 630)])
    assert check(fleet, *_named("within"), "--ttl-tolerance", "60").codes == []
    assert check(fleet, *_named("within")).codes == ["T001"]


def test_sampled_keys_of_stores_that_fill_at_their_own_time_are_one_information(
    fleet: tuple[Node, ...], check: Check
) -> None:
    for number, node in enumerate(fleet):
        node.app("set_many", cache="apart", value={"own": number, f"only:{number}": 1})
    checked = check(fleet, "--cache", "apart")
    assert checked.exit_code == 0
    assert checked.beyond_info == []
    assert len(checked.codes) == 1
    assert checked.findings[0]["subject"] == "sampled keys"
