from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cachecheck.rules.versions import check
from observed import VERSIONS, cache, fleet, grouped, healthy, web

if TYPE_CHECKING:
    from cachecheck.model import CacheDescription
    from cachecheck.rules.observations import ObservedNode

PICKLED = cache(pickle_protocol=5)
JSON = cache()
PACKED = cache(needs=("msgpack",))
NEWER = {"python": "3.16.0", "pickle_protocol": 6}
FEATURES = [
    {"python": "3.11.9"},
    {"django": "5.2.1"},
    {"django": "main"},
    {"agent": "0.2.0"},
    {"clients": (("redis", "7.0.0"),)},
    {"clients": ()},
]


def odd(*caches: Any, **changed: Any) -> ObservedNode:
    return web("web-3", *caches, versions=msgspec.structs.replace(VERSIONS, **changed))


def test_equal_versions_are_silent() -> None:
    assert check(healthy()) == ()


@pytest.mark.parametrize("changed", FEATURES)
def test_other_feature_releases_are_information_where_no_pickles_are_shared(
    changed: dict[str, Any],
) -> None:
    local = cache("local", "locmem", pickle_protocol=5)
    nodes = [web(name, JSON, local) for name in ("web-1", "web-2")]
    (found,) = check(fleet(*nodes, odd(JSON, local, **changed)))
    assert (found.code, found.severity, found.subject) == ("F005", "info", "shop")
    assert "feature releases differ, which makes no shared entry unreadable" in found.message
    assert "on web-3" in found.message
    assert found.evidence["unreadable"] == []


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"python": "3.11.9"}, "objects of the standard library"),
        ({"django": "5.2.1"}, "model instances and querysets"),
    ],
)
def test_shared_pickles_under_other_feature_releases_are_a_warning(
    changed: dict[str, Any], what: str
) -> None:
    (found,) = check(fleet(web("web-1", PICKLED), odd(PICKLED, **changed)))
    assert found.severity == "warning"
    assert f"pickles of {what} in default may not be readable under every" in found.message


def test_other_clients_and_agents_are_information_where_pickles_are_shared() -> None:
    changed = {"agent": "0.2.0", "clients": (("redis", "7.0.0"),)}
    (found,) = check(fleet(web("web-1", PICKLED), odd(PICKLED, **changed)))
    assert found.severity == "info"


def test_patch_releases_are_said_to_be_no_more() -> None:
    changed = {"python": "3.12.9", "clients": (("redis", "8.1.2"),)}
    (found,) = check(fleet(web("web-1", PICKLED), odd(PICKLED, **changed)))
    assert (found.code, found.severity) == ("F005", "info")
    assert "patch releases only" in found.message
    assert found.evidence["differs"] == {
        "Python": ["3.12.4", "3.12.9"],
        "redis": ["8.1.0", "8.1.2"],
    }


def test_protocol_that_some_cannot_read_is_a_warning_that_names_them() -> None:
    newest = cache(pickle_protocol=6)
    (found,) = check(fleet(web("web-1", PICKLED), web("web-2", PICKLED), odd(newest, **NEWER)))
    assert found.severity == "warning"
    assert (
        "pickles of protocol 6, in which default is written, cannot be read on web-1 and web-2"
        in found.message
    )
    assert grouped(found) == {
        "Python 3.12.4, pickle protocol 5": ("web-1:1", "web-2:1"),
        "Python 3.16.0, pickle protocol 6": ("web-3:1",),
    }


def test_protocol_that_all_can_read_is_not_said_to_be_unreadable() -> None:
    (found,) = check(fleet(web("web-1", PICKLED), odd(PICKLED, **NEWER)))
    assert "protocol 5, in which" not in found.message


def test_library_that_is_missing_where_entries_are_written_with_it_is_a_warning() -> None:
    having = msgspec.structs.replace(VERSIONS, libraries=("lz4", "msgpack"))
    nodes = [web(name, PACKED, versions=having) for name in ("web-1", "web-2")]
    assert check(fleet(*nodes)) == ()
    (found,) = check(fleet(*nodes, odd(JSON, libraries=("lz4",))))
    assert found.severity == "warning"
    assert found.message == (
        "msgpack not installed on web-3; msgpack installed on the other 2 of 3 views; entries of "
        "default are written with msgpack, which is missing on web-3"
    )


def test_library_that_no_alias_needs_is_of_no_interest() -> None:
    assert check(fleet(web("web-1", JSON), odd(JSON, libraries=("lz4",)))) == ()


@pytest.mark.parametrize(
    "shared",
    [cache("files", "file", pickle_protocol=5), cache(declared_scope="host", pickle_protocol=5)],
)
def test_pickles_of_each_host_are_read_on_that_host_alone(shared: CacheDescription) -> None:
    nodes = web("web-1", shared), odd(shared, python="3.11.9")
    (found,) = check(fleet(*nodes))
    assert found.severity == "info"
    on_one_host = fleet(
        *(web(one.name, shared, host_id="h", versions=one.workers[0].versions) for one in nodes)
    )
    (found,) = check(on_one_host)
    assert found.severity == "warning"
