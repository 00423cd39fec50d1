"""Stores read directly among nodes: namespaces taken over, cohorts, who shares what."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cachecheck.coordinator.adopting import adopt
from cachecheck.coordinator.config import FleetTable, NodeTable, nodes_of
from cachecheck.coordinator.deadline import Deadline
from cachecheck.coordinator.direct import Stores
from cachecheck.coordinator.fleet import StoreNode, Transport, parse_nodes
from cachecheck.coordinator.outcomes import NoAnswer
from cachecheck.coordinator.stores import map_stores, needs_witnesses
from cachecheck.coordinator.units import is_apart, units_of
from cachecheck.coordinator.views import Cohort, SeenView, cohorts, seen_views, set_apart
from cachecheck.errors import UsageError
from cachecheck.model import Key, Namespace, Present, StoreIdentity
from cachecheck.rules import backend, fleet, hit_ratio, namespace, ttl
from cachecheck.rules.observations import Fleet, ObservedNode
from cachecheck.stores.direct import parse_store
from cachecheck.wire import Describe, Read
from harness.process import LOOPBACK, free_port
from observed import NOW, cache, web
from observed import namespace as namespace_of
from relaying import relay

if TYPE_CHECKING:
    from harness.redis import RedisServer

PLAIN = Transport()
SHOP = namespace_of("shop")
BLOG = namespace_of("blog")


def node(name: str, seen: Namespace = SHOP, *, token: str = "one", **changed: Any) -> ObservedNode:
    """Make a node of two workers with one Redis cache."""
    described = cache(
        namespace=seen,
        identity=StoreIdentity(grade="observed", token=token, member=token),
        **changed,
    )
    made = web(name, workers=2)
    workers = tuple(msgspec.structs.replace(one, caches=(described,)) for one in made.workers)
    return msgspec.structs.replace(made, workers=workers)


def store(
    name: str, seen: Namespace = SHOP, *, application: str = "shop", **changed: Any
) -> ObservedNode:
    """Make a store that is read directly, alike a worker in all that rules could compare."""
    (worker, _) = node(name, seen, **{"token": name, **changed}).workers
    versions = msgspec.structs.replace(worker.versions, python="", django="", clients=())
    look = msgspec.structs.replace(worker, label=name, application=application, versions=versions)
    return ObservedNode(
        name=name, url=f"redis://{name}/0", state="answered", workers_expected=0, store=look
    )


def of(*nodes: ObservedNode) -> Fleet:
    return Fleet(nodes=nodes, now=NOW)


def grouped(*nodes: ObservedNode) -> tuple[Cohort, ...]:
    return cohorts(seen_views(of(*nodes), ("default",)))


def members(cohort: Cohort) -> list[str]:
    return list(dict.fromkeys(seen.view.node for seen in cohort.views))


# --- what rules say ------------------------------------------------------------------------


def test_rules_do_not_speak_of_stores() -> None:
    """They have neither Django nor workers, and differ from nodes in whatever is of those."""
    seen = of(
        node("web-1", is_counting=True),
        node("web-2", is_counting=True),
        store("redis-1", BLOG, timeout=None, codec=(("serializer", "raw"),)),
        store("redis-2", kind="memcached"),
    )
    views = seen_views(seen, ("default",))
    stores = [map_stores("default", of_kind, {}, differed_twice=True) for of_kind in kinds(views)]
    found = (
        *fleet.check(seen),
        *backend.check(seen, stores),
        *namespace.check(seen),
        *ttl.check(seen),
        *hit_ratio.check(seen),
    )
    assert found == ()


def kinds(views: tuple[SeenView, ...]) -> list[list[SeenView]]:
    found: dict[str, list[SeenView]] = {}
    for seen in views:
        found.setdefault(seen.cache.kind, []).append(seen)
    return list(found.values())


def test_a_store_that_did_not_answer_is_told_of_like_a_node() -> None:
    silent = ObservedNode(name="redis-1", url="redis://redis-1/0", state="unreachable", detail="no")
    assert [one.code for one in fleet.check(of(silent))] == ["F001"]


# --- who shares what -----------------------------------------------------------------------


def one_map(*nodes: ObservedNode, testimony: Any = None) -> Any:
    views = seen_views(of(*nodes), ("default",))
    return map_stores("default", views, testimony or {}, differed_twice=True)


def test_different_stores_that_are_read_directly_are_no_split() -> None:
    found = one_map(store("redis-1"), store("redis-2"))
    assert len(found.stores) == 2
    assert (found.is_split, found.undecided) == (False, None)
    assert not needs_witnesses(seen_views(of(store("redis-1"), store("redis-2")), ("default",)))


def test_a_copy_that_is_read_directly_is_not_taken_for_the_store_of_the_nodes() -> None:
    views = seen_views(of(node("web-1"), store("copy")), ("default",))
    equal = [(Present(digest="a", size_bytes=1, expires_at=NOW),) * 9] * 2
    found = map_stores("default", views, {one.view: equal for one in views}, differed_twice=True)
    assert len(found.stores) == 2
    assert (found.is_split, found.undecided) == (False, None)


def test_nodes_of_different_stores_are_a_split_whatever_else_is_read_directly() -> None:
    assert one_map(node("web-1"), node("web-2", token="two"), store("redis-1")).is_split


def test_the_store_of_a_node_is_one_unit_with_it() -> None:
    nodes = (node("web-1", token="one"), store("redis-1", token="one"))
    (cohort,) = grouped(*nodes)
    found = one_map(*nodes)
    (unit,) = units_of(cohort, found)
    assert [view.node for view in unit.stands_for] == ["web-1", "web-1", "redis-1"]


def test_where_a_store_is_named_its_keys_keep_their_severity() -> None:
    nodes = (node("web-1"), node("web-2", token="two"), store("redis-1"))
    (cohort,) = grouped(*nodes)
    assert not is_apart(cohort, one_map(*nodes))
    (cohort,) = grouped(*nodes[:2])
    assert is_apart(cohort, one_map(*nodes[:2]))


# --- cohorts -------------------------------------------------------------------------------


def test_a_store_joins_the_nodes_whose_namespace_it_has() -> None:
    first, second = grouped(node("web-1"), node("web-2", BLOG), store("redis-1", BLOG))
    assert (members(first), members(second)) == (["web-1"], ["web-2", "redis-1"])


def test_a_store_joins_the_only_nodes_whatever_its_namespace_and_codec() -> None:
    (cohort,) = grouped(store("redis-1", BLOG, codec=(("serializer", "raw"),)), node("web-1"))
    assert members(cohort) == ["web-1", "redis-1"]
    assert not list(set_apart((cohort,)))


HASHED = namespace_of(stored_probe="5f4dcc3b")


def test_a_store_with_a_prefix_does_not_join_nodes_that_hash_their_keys() -> None:
    apart = grouped(node("web-1", HASHED), store("redis-1"))
    assert [members(cohort) for cohort in apart] == [["web-1"], ["redis-1"]]
    (said,) = set_apart(apart)
    assert said.startswith("default: redis-1 was not compared with web-1: ")
    assert "?form={key}" in said


def test_a_whole_store_joins_nodes_that_hash_their_keys() -> None:
    whole = msgspec.structs.replace(SHOP, prefix="", form="{key}")
    (cohort,) = grouped(node("web-1", HASHED), store("redis-1", whole))
    assert members(cohort) == ["web-1", "redis-1"]
    assert not list(set_apart((cohort,)))


def test_stores_alone_are_compared_whatever_their_namespaces() -> None:
    (cohort,) = grouped(store("redis-1"), store("redis-2", BLOG))
    assert members(cohort) == ["redis-1", "redis-2"]
    assert not list(set_apart((cohort,)))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (store("redis-2", kind="memcached"), "the one is memcached, the other redis"),
        (store("redis-2", application="blog"), "the applications 'blog' and 'shop'"),
    ],
)
def test_what_cannot_be_compared_is_said_once(other: ObservedNode, why: str) -> None:
    (said,) = set_apart(grouped(node("web-1"), store("redis-1"), other))
    assert said.startswith("default: redis-2 was not compared with web-1 and redis-1: ")
    assert why in said
    (said,) = set_apart(grouped(store("redis-1"), other))
    assert "redis-1" in said
    assert why.rsplit(maxsplit=1)[-1] in said


def test_a_store_alone_was_compared_with_nothing() -> None:
    (said,) = set_apart(grouped(store("redis-1")))
    assert "compared with nothing" in said
    assert not list(set_apart(grouped(node("web-1"))))


# --- taking over ---------------------------------------------------------------------------


def spec(query: str = "") -> Any:
    return parse_store(f"redis://10.0.0.1/0{query}", name="redis-1")


def test_namespace_and_application_are_those_of_the_nodes() -> None:
    found = adopt(spec(), (node("web-1"), node("web-2")))
    assert (found.form, found.application) == ("shop:1:{key}", "shop")


def test_what_was_said_of_the_store_itself_stands() -> None:
    found = adopt(spec("?prefix=blue"), (node("web-1"),))
    assert (found.form, found.application) == ("blue:1:{key}", "shop")


@pytest.mark.parametrize("query", ["?cache=sessions", "?application=blog"])
def test_without_such_a_cache_all_of_the_store_is_meant(query: str) -> None:
    assert adopt(spec(query), (node("web-1"),)) == spec(query)
    assert adopt(spec(), (node("web-1", kind="memcached"),)).form is None
    assert adopt(spec(), ()) == spec()


def test_several_namespaces_leave_open_which_is_meant() -> None:
    nodes = (node("web-1"), node("web-2", BLOG))
    with pytest.raises(UsageError, match=r"2 namespaces for default.*prefix"):
        adopt(spec(), nodes)
    assert adopt(spec("?prefix=blog"), nodes).form == "blog:1:{key}"


def test_several_applications_leave_open_which_is_meant() -> None:
    other = node("web-2", SHOP)
    workers = tuple(msgspec.structs.replace(one, application="blog") for one in other.workers)
    nodes = (node("web-1"), msgspec.structs.replace(other, workers=workers))
    with pytest.raises(UsageError, match=r"blog, shop.*application="):
        adopt(spec(), nodes)
    assert adopt(spec("?application=blog"), nodes).application == "blog"


def test_keys_that_are_hashed_cannot_be_looked_up_in_a_store() -> None:
    hashed = namespace_of(stored_probe="5f4dcc3b")
    with pytest.raises(UsageError, match="do not show what the nodes call them"):
        adopt(spec(), (node("web-1", hashed),))


# --- words and tables ----------------------------------------------------------------------


def test_nodes_and_stores_stand_in_one_list() -> None:
    first, second, third = parse_nodes(
        ("web-1:8000", "cache=redis://10.0.0.1?prefix=a=b", "memcached://m1,m2:1"), PLAIN
    )
    assert (first.name, second.name) == ("web-1:8000", "cache")
    assert isinstance(second, StoreNode)
    assert second.spec.form == "a=b:1:{key}"
    assert third.url == "memcached://m1:11211,m2:1"


@pytest.mark.parametrize(
    "words",
    [
        ("redis://a", "redis://a:6379/0"),
        ("x=redis://a", "x=web-1"),
        ("redis://a?version=1", "y=redis://a?prefix="),
    ],
)
def test_a_store_that_is_named_twice_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="listed twice"):
        parse_nodes(words, PLAIN)


def test_one_store_may_be_named_twice_for_two_namespaces_of_it() -> None:
    assert len(parse_nodes(("a=redis://h?prefix=a", "b=redis://h?prefix=b"), PLAIN)) == 2


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ({"url": "web-1", "prefix": "shop"}, "prefix is said of stores"),
        ({"url": "web-1", "replicas": False}, "replicas is said of stores"),
        ({"url": "redis://h", "host_header": "h"}, "host_header is said of Django nodes"),
        ({"url": "redis://h", "secret_file": "f"}, "secret_file is said of Django nodes"),
        ({"url": "redis://h?prefix=a", "prefix": "a"}, "given twice"),
    ],
)
def test_settings_that_do_not_go_with_a_node_are_refused(table: Any, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        nodes_of(FleetTable(nodes=(NodeTable(**table),)), PLAIN)


def test_settings_of_a_store_are_as_in_its_url() -> None:
    table = NodeTable(
        url="rediss://h/3",
        username="reader",
        prefix="a&b/ä",
        version=2,
        cache="pages",
        replicas=False,
        ca_file="ca.pem",
        password_file="pw",
    )
    ((found, file),) = nodes_of(FleetTable(nodes=(table,)), PLAIN)
    assert isinstance(found, StoreNode)
    assert (found.spec.username, found.spec.form, found.spec.cache, found.spec.db) == (
        "reader",
        "a&b/ä:2:{key}",
        "pages",
        3,
    )
    assert (found.spec.with_replicas, found.spec.ca_file, file) == (False, "ca.pem", "pw")


# --- time ----------------------------------------------------------------------------------


def stores(seconds: float = 30.0, timeout_seconds: float = 1.0) -> Stores:
    return Stores(timeout_seconds=timeout_seconds, concurrency=5, deadline=Deadline(seconds))


def test_a_store_that_hangs_is_given_up_when_the_run_ends(redis_server: RedisServer) -> None:
    os.kill(redis_server.pid, signal.SIGSTOP)
    request = Describe(run="a-run", probe_keys=("k",))

    async def main() -> Any:
        asked = stores(0.5, timeout_seconds=30.0)
        return await asked.ask(parse_store(redis_server.url), request)

    started = time.monotonic()
    outcome = asyncio.run(main())
    assert isinstance(outcome, NoAnswer)
    assert outcome.state == "unreachable"
    assert "timed out" in outcome.detail
    assert time.monotonic() - started < 10


def test_a_store_that_is_not_there_is_tried_again_and_then_said_so() -> None:
    missing = parse_store(f"redis://{LOOPBACK}:{free_port()}/0")
    outcome = asyncio.run(stores().ask(missing, Describe(run="a-run", probe_keys=("k",))))
    assert isinstance(outcome, NoAnswer)
    assert (outcome.state, outcome.is_worth_retrying) == ("unreachable", True)


def test_a_server_that_answers_what_makes_no_sense_costs_nothing_but_itself(
    redis_server: RedisServer,
) -> None:
    with redis_server.client() as client:
        client.set("key", b"x" * 77_777)
    request = Read(run="a-run", cache="default", seed="00" * 16, keys=(Key(name="key"),))
    with relay(redis_server.port, (b":77777", b"$1\r\nx")) as (port, _):
        spec = parse_store(f"redis://127.0.0.1:{port}")
        outcome = asyncio.run(stores().ask(spec, request))
    assert isinstance(outcome, NoAnswer)
    assert outcome.state == "failed"
    assert "TypeError" in outcome.detail


def test_nothing_is_asked_after_the_deadline() -> None:
    async def main() -> Any:
        request = Describe(run="a-run", probe_keys=("k",))
        return await stores(0.0).ask(parse_store("redis://10.0.0.1/0"), request)

    outcome = asyncio.run(main())
    assert isinstance(outcome, NoAnswer)
    assert "deadline" in outcome.detail
