"""Who shares a store: graded identities and witnesses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cachecheck.coordinator.stores import agreement, map_stores, needs_witnesses
from cachecheck.coordinator.units import surveyors, units_of
from cachecheck.coordinator.views import Cohort, SeenView, cohorts, seen_views, stored_form
from cachecheck.model import (
    CacheDescription,
    Capabilities,
    Failed,
    Key,
    Missing,
    Present,
    Reading,
    StoreIdentity,
)
from cachecheck.rules.observations import Fleet, StoreMap
from observed import cache, namespace, web

NOW = 1_800_000_000.0


def views(
    *identities: StoreIdentity, kind: str = "redis", scope: str = "network", can_scan: bool = True
) -> Any:
    """Make one view for each identity, each on a node of its own."""
    nodes = []
    for number, identity in enumerate(identities, 1):
        node = web(f"web-{number}", workers=1)
        described = msgspec.structs.replace(
            cache(),
            identity=identity,
            kind=kind,
            scope=scope,
            capabilities=Capabilities(can_scan=can_scan, can_read=True),
        )
        worker = msgspec.structs.replace(node.workers[0], caches=(described,))
        nodes.append(msgspec.structs.replace(node, workers=(worker,)))
    return seen_views(Fleet(nodes=tuple(nodes), now=NOW), ("default",))


def observed(token: str, member: str | None = None) -> StoreIdentity:
    return StoreIdentity(grade="observed", token=token, member=member)


def suggested(token: str) -> StoreIdentity:
    return StoreIdentity(grade="suggested", token=token)


UNOBSERVED = StoreIdentity(grade="unobserved", reason="INFO is denied")


def entry(digest: str, expires_at: float | None = NOW + 500, cas: int | None = None) -> Present:
    return Present(digest=digest, size_bytes=1, expires_at=expires_at, cas=cas)


EQUAL: list[tuple[Reading, ...]] = [tuple(entry(str(n), NOW + n) for n in range(20))] * 2
OTHER: list[tuple[Reading, ...]] = [tuple(entry(str(n), NOW + n + 7) for n in range(20))] * 2
EMPTY: list[tuple[Reading, ...]] = [(Missing(),) * 20] * 2
DENIED: list[tuple[Reading, ...]] = [(Failed(reason="denied"),) * 20] * 2
FOREVER: list[tuple[Reading, ...]] = [tuple(entry(str(n), None) for n in range(20))] * 2


def mapped(
    seen: tuple[SeenView, ...], *testimonies: list[tuple[Reading, ...]], twice: bool = True
) -> StoreMap:
    testimony = {one.view: said for one, said in zip(seen, testimonies, strict=False)}
    return map_stores("default", seen, testimony, differed_twice=twice)


def test_equal_observed_identities_are_one_store_without_any_witness() -> None:
    seen = views(observed("r:1"), observed("r:1"), observed("r:1"))
    assert not needs_witnesses(seen)
    found = mapped(seen)
    assert [len(store.views) for store in found.stores] == [3]
    assert found.stores[0].identity == "observed"


def test_different_observed_identities_are_a_split() -> None:
    found = mapped(views(observed("r:1"), observed("r:2")), EQUAL, OTHER)
    assert found.is_split
    assert len(found.stores) == 2


def test_two_empty_stores_of_different_identities_are_a_split() -> None:
    assert mapped(views(observed("r:1"), observed("r:2"))).is_split


def test_an_identity_that_changed_between_the_looks_is_no_split() -> None:
    assert not mapped(views(observed("r:1"), observed("r:2")), EQUAL, OTHER, twice=False).is_split


def test_equal_witnesses_under_different_identities_leave_it_open() -> None:
    """A proxy before one store, or a detached replica that is still a copy."""
    found = mapped(views(observed("r:1"), observed("r:2")), EQUAL, EQUAL)
    assert not found.is_split
    assert found.undecided is not None
    assert len(found.stores) == 2


def test_constants_that_never_expire_do_not_make_two_stores_one() -> None:
    found = mapped(views(observed("r:1"), observed("r:2")), FOREVER, FOREVER)
    assert found.is_split
    assert found.undecided is None


def test_two_memcached_that_were_filled_alike_are_a_split() -> None:
    """The number of the write counts from one on every server, and expiries are whole seconds."""
    alike: list[tuple[Reading, ...]] = [
        tuple(entry(str(n), NOW + 300, cas=n) for n in range(9))
    ] * 2
    found = mapped(views(suggested("m:1"), suggested("m:2"), kind="memcached"), alike, alike)
    assert found.is_split
    assert found.undecided is None


def test_proxies_of_memcached_that_show_the_same_entries_leave_it_open() -> None:
    """A proxy tells its own process, and cannot list the keys of the servers behind it."""
    alike: list[tuple[Reading, ...]] = [
        tuple(entry(str(n), NOW + 300, cas=n) for n in range(9))
    ] * 2
    proxies = views(suggested("m:1"), suggested("m:2"), kind="memcached", can_scan=False)
    found = mapped(proxies, alike, alike)
    assert not found.is_split
    assert found.undecided is not None


def test_two_addresses_of_a_database_with_the_same_constants_leave_it_open() -> None:
    found = mapped(views(suggested("d:1"), suggested("d:2"), kind="database"), FOREVER, FOREVER)
    assert not found.is_split
    assert found.undecided is not None


def test_a_suggested_identity_needs_witnesses() -> None:
    seen = views(suggested("m:1"), suggested("m:1"), kind="memcached")
    assert needs_witnesses(seen)
    assert mapped(seen, EQUAL, EQUAL).stores[0].identity == "confirmed"
    assert mapped(seen).undecided is not None


def on_one_host(seen: tuple[SeenView, ...]) -> tuple[SeenView, ...]:
    return tuple(msgspec.structs.replace(one, host_id="host") for one in seen)


def test_views_of_one_host_that_use_one_address_need_no_witnesses() -> None:
    """A server that was just emptied has none."""
    seen = on_one_host(views(suggested("m:1"), suggested("m:1"), kind="memcached"))
    assert not needs_witnesses(seen)
    found = mapped(seen)
    assert [store.identity for store in found.stores] == ["confirmed"]
    assert found.undecided is None


def test_views_of_one_host_that_use_two_addresses_need_witnesses() -> None:
    named = msgspec.structs.replace(suggested("m:1"), address="localhost:11211")
    seen = on_one_host(views(suggested("m:1"), named, kind="memcached"))
    assert needs_witnesses(seen)
    assert mapped(seen).undecided is not None


def test_caches_without_a_store_leave_nothing_undecided() -> None:
    none = StoreIdentity(grade="none")
    seen = views(none, none, kind="dummy", scope="none")
    assert not needs_witnesses(seen)
    found = mapped(seen)
    assert [store.identity for store in found.stores] == ["none"]
    assert found.undecided is None


def test_two_servers_started_together_are_told_apart_by_witnesses() -> None:
    seen = views(suggested("m:1"), suggested("m:1"), kind="memcached")
    found = mapped(seen, EQUAL, OTHER)
    assert found.is_split
    assert len(found.stores) == 2


def test_witnesses_stand_in_for_an_identity_that_is_denied() -> None:
    found = mapped(views(UNOBSERVED, UNOBSERVED), EQUAL, EQUAL)
    assert found.stores[0].identity == "witnessed"
    assert found.undecided is None


@pytest.mark.parametrize("testimony", [EMPTY, DENIED, []])
def test_without_identity_and_without_common_keys_nothing_is_known(
    testimony: list[tuple[Reading, ...]],
) -> None:
    found = mapped(views(UNOBSERVED, UNOBSERVED), testimony, testimony)
    assert found.undecided is not None
    assert "INFO is denied" in found.undecided
    assert not found.is_split


def test_different_witnesses_without_identity_prove_nothing() -> None:
    found = mapped(views(UNOBSERVED, UNOBSERVED), EQUAL, OTHER)
    assert found.undecided is not None
    assert not found.is_split


def test_entries_that_never_expire_are_weak_witnesses() -> None:
    """Two stores filled separately may well hold the same constants."""
    assert agreement(FOREVER, FOREVER) == "weak"
    assert mapped(views(UNOBSERVED, UNOBSERVED), FOREVER, FOREVER).undecided is not None
    seen = views(suggested("d:1"), suggested("d:1"), kind="database")
    assert mapped(seen, FOREVER, FOREVER).stores[0].identity == "confirmed"


def test_the_number_of_the_write_makes_a_witness_strong() -> None:
    numbered: list[tuple[Reading, ...]] = [tuple(entry(str(n), None, cas=n) for n in range(5))]
    assert agreement(numbered, numbered) == "agree"
    other: list[tuple[Reading, ...]] = [tuple(entry(str(n), None, cas=n + 1) for n in range(5))]
    assert agreement(numbered * 2, other * 2) == "disagree"


def test_a_witness_that_moved_says_nothing() -> None:
    one = [(entry("a"),), (entry("b"),), (entry("c"),)]
    other = [(entry("x"),), (entry("y"),), (entry("z"),)]
    assert agreement(one, other) == "unknown"


def test_a_key_that_neither_view_has_says_nothing() -> None:
    """It is in the store of a third view, or was named and is nowhere."""
    assert agreement(EMPTY, EMPTY) == "unknown"
    held: list[tuple[Reading, ...]] = [(entry("a"), Missing(), Missing())] * 2
    assert agreement(held, held) == "agree"
    seen = views(suggested("m:1"), suggested("m:1"), suggested("m:2"), kind="memcached")
    found = mapped(seen, held, held, [(Missing(), entry("b"), Missing())] * 2)
    assert [len(store.views) for store in found.stores] == [2, 1]
    assert found.is_split


def test_a_single_look_never_disagrees() -> None:
    assert agreement(EQUAL[:1], OTHER[:1]) == "unknown"


def test_caches_of_processes_are_different_stores_and_no_split() -> None:
    seen = views(observed("w:1"), observed("w:2"), kind="locmem", scope="worker")
    assert not needs_witnesses(seen)
    found = mapped(seen)
    assert len(found.stores) == 2
    assert not found.is_split


# --- what is read as one -------------------------------------------------------------------


def cohort(seen: tuple[SeenView, ...]) -> Cohort:
    (only,) = cohorts(seen)
    return only


def test_a_proven_store_is_read_once() -> None:
    seen = views(observed("r:1"), observed("r:1"), observed("r:1"))
    (unit,) = units_of(cohort(seen), mapped(seen))
    assert len(unit.stands_for) == 3


def test_primary_and_replica_of_one_store_are_read_each() -> None:
    seen = views(observed("r:1", "primary"), observed("r:1", "replica"))
    assert len(units_of(cohort(seen), mapped(seen))) == 2


def test_a_witnessed_store_is_read_through_each_node_and_surveyed_once() -> None:
    seen = views(UNOBSERVED, UNOBSERVED)
    stores = mapped(seen, EQUAL, EQUAL)
    units = units_of(cohort(seen), stores)
    assert len(units) == 2
    assert len(surveyors(cohort(seen), units, stores)) == 1


def test_views_of_unknown_stores_stand_for_themselves() -> None:
    seen = views(UNOBSERVED, UNOBSERVED)
    assert len(units_of(cohort(seen), mapped(seen))) == 2


def test_views_of_different_namespaces_are_not_compared() -> None:
    seen = views(observed("r:1"), observed("r:1"))
    moved = msgspec.structs.replace(seen[1].cache.namespace, prefix="x", stored_probe="x:1:p")
    other = msgspec.structs.replace(
        seen[1], cache=msgspec.structs.replace(seen[1].cache, namespace=moved)
    )
    assert len(cohorts((seen[0], other))) == 2


def test_a_key_is_named_as_stored_for_views_of_another_namespace() -> None:
    namespace = views(observed("r:1"))[0].cache.namespace
    form = msgspec.structs.replace(namespace, form="shop:1:{key}")
    assert stored_form(Key(name="k"), form) == Key(name="shop:1:k", naming="stored")
    assert stored_form(Key(name="f", naming="file"), form) == Key(name="f", naming="file")


def test_expiries_of_a_store_on_the_node_are_corrected_for_the_nodes_clock() -> None:
    (local,) = views(observed("f:1"), kind="file", scope="host")
    skewed = msgspec.structs.replace(
        local, clock=msgspec.structs.replace(local.clock, offset_seconds=600.0)
    )
    assert skewed.expiry_shift_seconds == 600.0
    (remote,) = views(UNOBSERVED)
    assert remote.expiry_shift_seconds == 0.0


# --- several servers -----------------------------------------------------------------------


def routed(*keys: str, told: str = "one", prefix: str = "shop", **changed: Any) -> CacheDescription:
    """Describe two memcached servers, and where three probe keys go."""
    identity = StoreIdentity(
        grade="suggested", token=told, address="a,b", servers=(("a", "1:1"), ("b", "2:2"))
    )
    return cache(
        kind="memcached",
        identity=identity,
        routing=tuple((f"probe-{number}", key) for number, key in enumerate(keys)),
        namespace=namespace(prefix),
        **changed,
    )


def seen_of(*described: CacheDescription) -> tuple[SeenView, ...]:
    nodes = tuple(web(f"web-{number}", one) for number, one in enumerate(described))
    return seen_views(Fleet(nodes=nodes, now=NOW), ("default",))


def test_the_same_servers_with_keys_in_other_places_are_apart_and_no_split() -> None:
    seen = seen_of(routed("a", "b", "a"), routed("b", "a", "b"), routed("a", "b", "a"))
    found = mapped(seen, EQUAL, EMPTY, EQUAL)
    assert [len(store.views) for store in found.stores] == [2, 1]
    assert not found.is_split
    assert found.undecided is None
    assert [len(one.views) for one in cohorts(seen)] == [2, 1]


def test_servers_that_no_list_has_in_common_are_stores_to_be_compared() -> None:
    """As where each node has a memcached of its own, or moves to other servers."""
    others = msgspec.structs.replace(
        routed("c", "d", "d"),
        identity=StoreIdentity(
            grade="suggested", token="other", address="c,d", servers=(("c", "3:3"), ("d", "4:4"))
        ),
    )
    alone = routed("a", "b", "a")
    (cohort,) = cohorts(seen_of(alone, others, alone))
    assert len(cohort.views) == 3
    drifting = cohorts(seen_of(alone, others, routed("b", "a", "b")))
    assert [len(one.views) for one in drifting] == [1, 1, 1]


def test_other_servers_are_a_split_however_keys_are_divided() -> None:
    seen = seen_of(routed("a", "b", "a"), routed("b", "a", "b", told="other"))
    assert mapped(seen, EQUAL, OTHER).is_split


def test_views_of_two_namespaces_share_their_servers_all_the_same() -> None:
    seen = seen_of(routed("a", "b", "a"), routed("b", "a", "b", prefix="other"))
    found = mapped(seen, EQUAL, EQUAL)
    assert [len(store.views) for store in found.stores] == [2]


def test_a_list_that_is_read_directly_divides_nothing() -> None:
    node = web("web-1", routed("a", "b", "a"))
    listed = msgspec.structs.replace(routed(), alias="default")
    direct = msgspec.structs.replace(
        web("m", listed), workers=(), store=web("m", listed).workers[0]
    )
    seen = seen_views(Fleet(nodes=(node, direct), now=NOW), ("default",))
    found = mapped(seen, EQUAL, EQUAL)
    assert [len(store.views) for store in found.stores] == [2]
    assert [len(one.views) for one in cohorts(seen)] == [2]


def test_workers_of_one_host_of_which_one_gave_a_server_up_are_both_witnesses() -> None:
    described = routed("a", "b", "a"), routed("a", "a", "a", dead_servers=("b",))
    seen = tuple(msgspec.structs.replace(one, host_id="the same") for one in seen_of(*described))
    assert needs_witnesses(seen)
    assert [len(store.views) for store in mapped(seen, EQUAL, EMPTY).stores] == [1, 1]
