from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cachecheck.rules.backend import check
from observed import (
    cache,
    codes,
    fleet,
    grouped,
    healthy,
    node,
    store_map,
    unseen_cache,
    web,
    worker,
)

if TYPE_CHECKING:
    from cachecheck.model import CacheDescription, Scope
    from cachecheck.rules.observations import Fleet, StoreMap


LOCAL = cache(kind="locmem")
DUMMY = cache(kind="dummy")
MEMCACHED = cache(kind="memcached")


def declared(described: CacheDescription, scope: Scope | None) -> CacheDescription:
    return msgspec.structs.replace(described, declared_scope=scope)


def test_healthy_fleet_has_no_findings() -> None:
    whole = healthy()
    assert check(whole, [store_map(whole.workers, kind="redis")]) == ()


# --- B001 ----------------------------------------------------------------------------------


def test_process_local_cache_behind_several_workers_counts_its_copies() -> None:
    (found,) = check(fleet(*(web(f"web-{n}", LOCAL, workers=3) for n in (1, 2, 3))))
    assert (found.code, found.severity) == ("B001", "error")
    assert (found.cache, found.subject) == ("default", "shop")
    assert found.message == (
        "'default' is 9 separate caches, one in each process of web-1, web-2 and web-3"
    )
    assert found.evidence["per_node"] == {"web-1": 3, "web-2": 3, "web-3": 3}
    assert [len(group.views) for group in found.groups] == [9]


def test_workers_that_were_not_heard_hold_caches_as_well() -> None:
    seen = msgspec.structs.replace(web("web-1", LOCAL), workers_expected=4)
    (found,) = check(fleet(seen))
    assert found.code == "B001"
    assert "4 separate caches, 1 of them heard" in found.message


def test_single_workers_of_several_nodes_are_several_processes() -> None:
    (found,) = check(fleet(web("web-1", LOCAL), web("web-2", LOCAL)))
    assert (found.code, found.evidence["separate_caches"]) == ("B001", 2)


@pytest.mark.parametrize("role", ["celery", "command"])
def test_other_roles_are_processes_too(role: str) -> None:
    heard = [worker("web-1", 1, (LOCAL,)), worker("web-1", 2, (LOCAL,), role=role)]
    (found,) = check(fleet(node("web-1", heard)))
    assert (found.code, found.evidence["separate_caches"]) == ("B001", 2)


def test_single_worker_fleet_is_silent() -> None:
    assert check(fleet(web("web-1", LOCAL))) == ()


def test_single_worker_that_was_replaced_during_the_run_is_still_one() -> None:
    heard = [worker("web-1", 1, (LOCAL,)), worker("web-1", 2, (LOCAL,))]
    assert check(fleet(node("web-1", heard, workers_expected=1, restarted=("web-1:1",)))) == ()


def test_single_worker_listed_under_two_addresses_is_still_one() -> None:
    nodes = [web(name, LOCAL, id="the same process") for name in ("127.0.0.1", "localhost")]
    assert check(fleet(*nodes)) == ()


def test_cache_declared_as_of_a_worker_is_as_meant() -> None:
    assert check(fleet(web("web-1", declared(LOCAL, "worker"), workers=3))) == ()


def test_cache_declared_as_of_a_host_must_not_be_of_a_worker() -> None:
    local = declared(LOCAL, "host")
    assert check(fleet(web("web-1", local), web("web-2", local))) == ()
    (found,) = check(fleet(web("web-1", local), web("web-2", local, workers=2)))
    assert found.code == "B001"
    assert "declared as host" in found.message


def test_cache_declared_as_of_the_network_is_silent_only_for_one_process() -> None:
    local = declared(LOCAL, "network")
    assert check(fleet(web("web-1", local))) == ()
    (found,) = check(fleet(web("web-1", local), web("web-2", local)))
    assert (found.code, found.severity, found.evidence["declared"]) == ("B001", "error", "network")


def test_declaration_that_not_all_nodes_share_silences_nothing_and_is_told() -> None:
    (found,) = check(fleet(web("web-1", declared(LOCAL, "worker")), web("web-2", LOCAL)))
    assert found.code == "B001"
    assert "SCOPES differs between workers" in found.message
    assert found.evidence["declared"] == {"worker": ["web-1:1"], "undeclared": ["web-2:1"]}


def test_single_processes_of_two_applications_need_not_share() -> None:
    assert check(fleet(web("web-1", LOCAL), web("blog-1", LOCAL, application="blog"))) == ()


# --- B002 ----------------------------------------------------------------------------------


def test_another_backend_on_one_node_is_named() -> None:
    (found,) = check(fleet(web("web-1"), web("web-2"), web("web-3", LOCAL)))
    assert (found.code, found.severity) == ("B002", "error")
    assert "locmem on web-3; redis on the other 2 of 3 views" in found.message
    assert grouped(found) == {"redis": ("web-1:1", "web-2:1"), "locmem": ("web-3:1",)}
    assert found.evidence["classes"]["B"] == [LOCAL.backend]


def test_unrecognised_backends_are_compared_by_class() -> None:
    own = cache(kind="unsupported")
    other = cache(kind="unsupported", backend="site.caches.OtherCache")
    assert check(fleet(web("web-1", own), web("web-2", own))) == ()
    (found,) = check(fleet(web("web-1", own), web("web-2", own), web("web-3", other)))
    assert found.code == "B002"
    assert "site.caches.OtherCache on web-3" in found.message


def test_subclass_of_the_same_backend_is_no_other_backend() -> None:
    assert check(fleet(web("web-1"), web("web-2", cache(backend="site.caches.Traced")))) == ()


def test_backend_that_could_not_be_looked_at_is_no_other_backend() -> None:
    assert check(fleet(web("web-1"), web("web-2", unseen_cache()))) == ()


def test_applications_may_have_backends_of_their_own() -> None:
    assert check(fleet(web("web-1"), web("blog-1", MEMCACHED, application="blog"))) == ()


# --- B003 ----------------------------------------------------------------------------------


def per_node(
    described: CacheDescription = MEMCACHED, *, nodes: int = 3, **store: Any
) -> tuple[Fleet, list[StoreMap]]:
    """Give a fleet each of whose nodes has a store of its own, and the map that says so."""
    seen = fleet(*(web(f"web-{n}", described, workers=2) for n in range(1, nodes + 1)))
    return seen, [store_map(*(one.workers for one in seen.nodes), **store)]


def test_store_that_one_node_has_for_itself_is_named() -> None:
    seen, _ = per_node()
    first, second, third = (one.workers for one in seen.nodes)
    (found,) = check(seen, [store_map((*first, *second), third)])
    assert (found.code, found.severity) == ("B003", "error")
    assert (found.cache, found.subject) == ("default", "shop")
    assert "2 different memcached stores" in found.message
    assert "10.0.0.2:11211 on web-3; 10.0.0.1:11211 on the other 4 of 6 views" in found.message
    assert found.groups[1].views == ("web-3:1", "web-3:2")


def test_stores_at_one_address_are_told_apart_by_their_ids() -> None:
    found = check(*per_node(address="localhost:11211"))
    assert codes(found) == ["B003"]
    assert list(grouped(found[0])) == [f"localhost:11211 [s{n}]" for n in (1, 2, 3)]
    assert "a split without a majority" in found[0].message


def test_store_of_each_node_is_as_meant_where_declared_for_a_host() -> None:
    assert check(*per_node(declared(MEMCACHED, "host"))) == ()


def test_stores_that_differ_within_a_node_are_narrower_than_a_host() -> None:
    seen = fleet(web("web-1", declared(MEMCACHED, "host"), workers=2), web("web-2", workers=0))
    first, second = seen.workers
    (found,) = check(seen, [store_map([first], [second])])
    assert found.code == "B003"
    assert "declared as host" in found.message


def test_hosts_behind_a_balanced_address_may_each_have_a_declared_store() -> None:
    local = (declared(MEMCACHED, "host"),)
    heard = [worker("site", pid, local, host_id=f"host {pid}") for pid in (1, 2)]
    assert check(fleet(node("site", heard)), [store_map(heard[:1], heard[1:])]) == ()


def test_store_per_worker_is_as_meant_where_declared_so() -> None:
    assert check(*per_node(declared(MEMCACHED, "worker"))) == ()


@pytest.mark.parametrize("scope", ["network", "none", None])
def test_other_declarations_do_not_excuse_a_split(scope: Scope | None) -> None:
    assert codes(check(*per_node(declared(MEMCACHED, scope)))) == ["B003"]


def test_declaration_for_a_host_on_some_nodes_only_does_not_excuse_a_split() -> None:
    seen = fleet(web("web-1", declared(MEMCACHED, "host")), web("web-2", MEMCACHED))
    (found,) = check(seen, [store_map(*([one] for one in seen.workers))])
    assert found.code == "B003"
    assert found.evidence["declared"] == {"host": ["web-1:1"], "undeclared": ["web-2:1"]}


def test_split_that_is_not_confirmed_is_not_reported() -> None:
    seen, (stores,) = per_node()
    assert check(seen, [msgspec.structs.replace(stores, is_split=False)]) == ()


def test_store_that_could_not_be_identified_is_not_called_another_one() -> None:
    seen, (stores,) = per_node(nodes=2)
    first, second = stores.stores
    unknown = msgspec.structs.replace(second, identity="unobserved")
    assert check(seen, [msgspec.structs.replace(stores, stores=(first, unknown))]) == ()


def test_process_local_cache_is_never_a_split_store() -> None:
    seen, stores = per_node(LOCAL, kind="locmem")
    assert codes(check(seen, stores)) == ["B001"]


def test_stores_of_different_kinds_are_different_backends() -> None:
    seen = fleet(web("web-1", MEMCACHED), web("web-2"))
    stores = store_map(*([one] for one in seen.workers))
    first, second = stores.stores
    mixed = (first, msgspec.structs.replace(second, kind="redis"))
    found = check(seen, [msgspec.structs.replace(stores, stores=mixed)])
    assert codes(found) == ["B002"]


def test_applications_may_have_stores_of_their_own() -> None:
    seen = fleet(web("web-1", MEMCACHED), web("blog-1", MEMCACHED, application="blog"))
    assert check(seen, [store_map(*([one] for one in seen.workers))]) == ()


# --- B007 ----------------------------------------------------------------------------------


def test_dummy_cache_everywhere_is_no_cache() -> None:
    (found,) = check(fleet(web("web-1", DUMMY), web("web-2", DUMMY)))
    assert (found.code, found.severity, found.cache) == ("B007", "warning", "default")
    assert "DummyCache on web-1 and web-2" in found.message


def test_dummy_cache_declared_as_none_is_as_meant() -> None:
    assert check(fleet(web("web-1", declared(DUMMY, "none")))) == ()


def test_dummy_cache_declared_as_anything_else_is_an_error() -> None:
    (found,) = check(fleet(web("web-1", declared(DUMMY, "network"))))
    assert (found.code, found.severity) == ("B007", "error")
    assert "declared as network" in found.message


def test_dummy_cache_on_some_nodes_is_another_backend() -> None:
    found = check(fleet(web("web-1"), web("web-2"), web("web-3", DUMMY)))
    assert codes(found) == ["B002"]


# --- B009 ----------------------------------------------------------------------------------


def test_alias_that_a_node_lacks_is_missing_there() -> None:
    both = (cache("default"), cache("sessions"))
    (found,) = check(fleet(web("web-1", *both), web("web-2", *both), web("web-3")))
    assert (found.code, found.severity, found.cache) == ("B009", "error", "sessions")
    assert found.message == "'sessions' is missing on web-3; 2 of 3 workers have it"
    assert grouped(found) == {"defined": ("web-1:1", "web-2:1"), "missing": ("web-3:1",)}


def test_alias_whose_backend_could_not_be_looked_at_is_not_missing() -> None:
    assert check(fleet(web("web-1"), web("web-2", unseen_cache()))) == ()


def test_applications_may_have_aliases_of_their_own() -> None:
    blog = web("blog-1", cache("pages"), application="blog")
    assert check(fleet(web("web-1"), blog)) == ()


# --- B010 ----------------------------------------------------------------------------------


def coded(kind: str = "redis", **codec: str) -> CacheDescription:
    return cache(kind=kind, codec=tuple(codec.items()))


def test_another_serializer_is_named_with_what_differs() -> None:
    plain = coded(serializer="pickle", compressor="none")
    (found,) = check(
        fleet(
            web("web-1", plain),
            web("web-2", plain),
            web("web-3", coded(serializer="json", compressor="none")),
        )
    )
    assert (found.code, found.severity) == ("B010", "error")
    assert "serializer=json on web-3" in found.message
    assert found.evidence["differs"] == ["serializer"]
    assert grouped(found) == {
        "serializer=pickle": ("web-1:1", "web-2:1"),
        "serializer=json": ("web-3:1",),
    }


def test_option_that_one_node_does_not_set_differs() -> None:
    (found,) = check(fleet(web("web-1", coded(level="6")), web("web-2", coded())))
    assert "level=unset on web-2" in found.message


def test_equal_codecs_are_silent_in_any_order() -> None:
    one, other = coded(a="1", b="2"), coded(b="2", a="1")
    assert check(fleet(web("web-1", one), web("web-2", other))) == ()


def test_codecs_of_different_backends_are_not_compared() -> None:
    seen = fleet(web("web-1", coded(serializer="pickle")), web("web-2", coded("memcached", x="1")))
    assert codes(check(seen)) == ["B002"]


def test_codec_of_a_process_local_cache_is_its_own_affair() -> None:
    local = [declared(coded("locmem", protocol=protocol), "worker") for protocol in "45"]
    assert check(fleet(*(web(f"web-{n}", one) for n, one in enumerate(local)))) == ()


def test_applications_may_have_codecs_of_their_own() -> None:
    blog = web("blog-1", coded(serializer="json"), application="blog")
    assert check(fleet(web("web-1", coded(serializer="pickle")), blog)) == ()
